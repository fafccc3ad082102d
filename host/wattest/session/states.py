"""States of a session and the only ways between them.

closed     nothing was said yet; frames are looked at, records are not delivered
greeting   a hello line is due or on its way; nothing else goes out
open       the node answered: records are delivered, lines go out
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class State(StrEnum):
    """Where the conversation stands."""

    CLOSED = "closed"
    GREETING = "greeting"
    OPEN = "open"


class Trigger(StrEnum):
    """What moves it.

    `GREET`: the caller asked for a hello. `HELLO`: a hello frame arrived. `STALL`: the node took
    no input, answered no hello, or left a hole among its records for too long.
    """

    GREET = "greet"
    HELLO = "hello"
    STALL = "stall"


TRANSITIONS: Final = MappingProxyType(
    {
        (State.CLOSED, Trigger.GREET): State.GREETING,
        (State.CLOSED, Trigger.HELLO): State.GREETING,
        (State.GREETING, Trigger.GREET): State.GREETING,
        (State.GREETING, Trigger.HELLO): State.OPEN,
        (State.GREETING, Trigger.STALL): State.GREETING,
        (State.OPEN, Trigger.GREET): State.GREETING,
        (State.OPEN, Trigger.HELLO): State.GREETING,  # unasked: the node restarted
        (State.OPEN, Trigger.STALL): State.GREETING,
    }
)
