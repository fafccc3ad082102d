"""What flashing and provisioning tell, for a panel: words, their colour, how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from wattest.operations.commission import flash_events as flash
from wattest.operations.commission import provision_events as provision
from wattest.operations.commission.words import said

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line, and how far a step has come.

    Args:
        text: for people, or ``""``.
        style: of the text, as Rich has it.
        done, total: of the step; 0 and 0 when it does not move by numbers.
        outcome: what it means when it is the last thing told.
    """

    text: str
    style: str = ""
    done: int = 0
    total: int = 0
    outcome: str = "done"


def told(event: flash.FlashEvent | provision.ProvisionEvent) -> Told:
    """Say what an event says."""
    match event:
        case flash.Moved():
            return Told(text="", done=event.done_bytes // _KIB, total=event.total_bytes // _KIB)
        case flash.Interrupted():
            return Told(text=event.text, style="yellow", outcome="stopped")
        case flash.Flashed():
            return _flashed(event)
        case provision.Declined():
            text = "not enrolled; the board meters on"
            return Told(text=text, style="yellow", outcome="stopped")
        case provision.Enrolled():
            how = "the ledger held it" if event.index is None else f"entry {event.index}"
            text = f"{event.candidate.name} is enrolled: {how} of {event.out}"
            return Told(text=text, style="green")
        case _:
            return Told(text=said(event))


def _flashed(event: flash.Flashed) -> Told:
    done = "up to date, nothing written" if event.cached else "written and verified"
    new = "; it made a new key: provision it (p)" if event.new_key else ""
    text = f"{done}: {event.serial}, key {event.kid}, boot {event.bootcount}{new}"
    return Told(text=text, style="green")
