"""What flashing and provisioning tell, in words: the same ones on every face."""

from __future__ import annotations

from collections.abc import Iterator

from wattest.operations.commission import flash_events as flash
from wattest.operations.commission import provision_events as provision

_MIB = 1 << 20
_TEST_NOTE = "every statement that rests on it says TEST"


def said(event: flash.FlashEvent | provision.ProvisionEvent) -> str:
    """Return one line about what has begun or was found out, or ``""``.

    How an operation ended is for the faces to tell.
    """
    match event:
        case flash.Step():
            return event.text
        case flash.ChipFound():
            size = event.flash_bytes // _MIB
            return f"found {event.chip}, chip {event.chip_id}, {size} MiB of flash"
        case flash.JournalKept():
            source = ", from the copy kept before" if event.rescued else ""
            return f"{event.entries} records of key {event.kid} are kept{source}"
        case provision.StepBegun():
            return event.what
        case provision.Collected():
            return f"{event.records} records collected under the old key"
        case provision.PortTaken():
            names = " and ".join(event.names)
            return f"{names} was behind this port: provision it where it is now to collect from it"
        case provision.NodeProven():
            return f"{event.candidate.serial} answered the challenge"
        case _:
            return ""


def candidate_rows(candidate: provision.Candidate) -> Iterator[tuple[str, str]]:
    """Yield what a person compares before they say yes: a word, ``""`` to go on, and what it is.

    The fingerprint takes two rows, so that nothing of it is cut off on a narrow screen.
    """
    kind = candidate.kind.name.lower()
    groups = candidate.fingerprint.split()
    half = len(groups) // 2
    yield "board", f"{candidate.board}, {candidate.title}"
    yield "chip", f"{candidate.chip}, {candidate.chip_id}"
    yield "node", f"{candidate.serial}, {kind}{'' if kind == 'real' else f': {_TEST_NOTE}'}"
    yield "name", f"{candidate.name}, metering {candidate.asset}"
    yield "firmware", f"{candidate.software}, cfg {candidate.cfg}"
    yield "fingerprint", " ".join(groups[:half])
    yield "", " ".join(groups[half:])
    if candidate.backlog:
        yield "holds", f"{candidate.backlog} records that nobody has collected"
    if candidate.replaces:
        yield "replaces", f"key {candidate.replaces}: nothing new is accepted under it"


def question(candidate: provision.Candidate) -> str:
    """Return what is asked of a person."""
    if not candidate.throw_away:
        return "Enrol this node?"
    lost = ""
    if candidate.backlog:
        lost = f" {candidate.backlog} records that nobody has collected will be lost."
    return f"Replace key {candidate.kid.hex()} of {candidate.serial} by a new one?{lost}"
