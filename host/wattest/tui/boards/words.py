"""What flashing and provisioning tell, in one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wattest.operations.commission import flash_events as flash
from wattest.operations.commission import provision_events as provision

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


def told(event: Any) -> Told:
    """Say what an event says."""
    match event:
        case flash.Step():
            return Told(text=event.text)
        case flash.Moved():
            return Told(text="", done=event.done_bytes // _KIB, total=event.total_bytes // _KIB)
        case flash.ChipFound():
            size = event.flash_bytes >> 20
            return Told(text=f"found {event.chip}, chip {event.chip_id}, {size} MiB of flash")
        case flash.JournalKept():
            source = ", from the copy kept before" if event.rescued else ""
            return Told(text=f"{event.entries} records of key {event.kid} are kept{source}")
        case flash.Interrupted():
            return Told(text=event.text, style="yellow", outcome="stopped")
        case flash.Flashed():
            return _flashed(event)
        case provision.StepBegun():
            return Told(text=event.what)
        case provision.Collected():
            return Told(text=f"{event.records} records collected under the old key")
        case provision.NodeProven():
            return Told(text=f"{event.candidate.serial} answered the challenge")
        case provision.Declined():
            text = "not enrolled; the board meters on"
            return Told(text=text, style="yellow", outcome="stopped")
        case provision.Enrolled():
            how = "the ledger held it" if event.index is None else f"entry {event.index}"
            text = f"{event.candidate.name} is enrolled: {how} of {event.out}"
            return Told(text=text, style="green")
        case _:
            return Told(text="")


def _flashed(event: flash.Flashed) -> Told:
    done = "up to date, nothing written" if event.cached else "written and verified"
    new = "; it made a new key: provision it (p)" if event.new_key else ""
    text = f"{done}: {event.serial}, key {event.kid}, boot {event.bootcount}{new}"
    return Told(text=text, style="green")


def candidate_lines(candidate: provision.Candidate) -> list[tuple[str, str]]:
    """Return what a person compares before they say yes: a word and what it is."""
    half = len(candidate.fingerprint) // 2
    at = candidate.fingerprint.rfind(" ", 0, half + 1)
    kind = candidate.kind.name.lower()
    lines = [
        ("board", f"{candidate.board}, {candidate.title}"),
        ("chip", f"{candidate.chip}, {candidate.chip_id}"),
        ("node", f"{candidate.serial}, {kind}{'' if kind == 'real' else ': says TEST'}"),
        ("name", f"{candidate.name}, metering {candidate.asset}"),
        ("firmware", f"{candidate.software}, cfg {candidate.cfg}"),
        ("fingerprint", candidate.fingerprint[:at]),
        ("", candidate.fingerprint[at + 1 :]),
    ]
    if candidate.backlog:
        lines.append(("holds", f"{candidate.backlog} records that nobody has collected"))
    if candidate.replaces:
        lines.append(("replaces", f"key {candidate.replaces}"))
    return lines
