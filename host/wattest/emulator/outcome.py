"""How a guest ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class StopGuest(Exception):
    """Raised by a handler, device or file system: the guest ends there and then.

    Args:
        reason: why, for whoever looks at the outcome.
    """

    def __init__(self, reason: object = "") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a guest ended.

    Attributes:
        kind: ``exit`` by itself, ``trap`` by a crash, ``stopped`` by `StopGuest`, ``killed``
            from outside, ``fault`` by an exception in one of our handlers.
        exit_code: of ``exit``, else None.
        detail: one line for a person.
        error: the exception of ``stopped`` and ``fault``.
    """

    kind: Literal["exit", "trap", "stopped", "killed", "fault"]
    exit_code: int | None = None
    detail: str = ""
    error: BaseException | None = None
