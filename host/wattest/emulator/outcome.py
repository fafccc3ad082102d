"""How a guest ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wattest.emulator.guest_memory import WildPointer
from wattest.emulator.process import GuestExit


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


def outcome_of(failure: BaseException | None, message: str | None) -> Outcome:
    """Return how a guest has ended.

    Args:
        failure: what one of our callbacks raised, if that ended it.
        message: of the trap or error it ended with, if any.
    """
    match failure:
        case None if message is not None:
            return Outcome(kind="trap", detail=message)
        case None:
            return Outcome(kind="exit", exit_code=0, detail="exit code 0")
        case GuestExit(code=code):
            return Outcome(kind="exit", exit_code=code, detail=f"exit code {code}")
        case StopGuest(reason=reason):
            return Outcome(kind="stopped", detail=str(reason), error=failure)
        case WildPointer():
            return Outcome(kind="trap", detail=str(failure))
        case Exception():
            detail = f"{type(failure).__name__}: {failure}"
            return Outcome(kind="fault", detail=detail, error=failure)
        case _:
            return Outcome(kind="fault", detail=repr(failure), error=failure)
