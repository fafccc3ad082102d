"""The conversation with a node, sans I/O."""

from wattest.session.events import (
    CommandReplied,
    CommandUnanswered,
    FrameFaultSeen,
    HelloReceived,
    NodeRestarted,
    RecordReceived,
    RecordShown,
    SessionEvent,
    StrangerSeen,
    TextReceived,
)
from wattest.session.session import Session
from wattest.session.states import TRANSITIONS, State, Trigger

__all__ = [
    "TRANSITIONS",
    "CommandReplied",
    "CommandUnanswered",
    "FrameFaultSeen",
    "HelloReceived",
    "NodeRestarted",
    "RecordReceived",
    "RecordShown",
    "Session",
    "SessionEvent",
    "State",
    "StrangerSeen",
    "TextReceived",
    "Trigger",
]
