"""The boards a bench knows: one board's story, and notes of what people did to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from wattest.errors import UsageError, one_line
from wattest.operations.commission.calibration import day_ms
from wattest.operations.commission.home import Home
from wattest.store import BoardEntry, BoardFacts, Event, Passport, PassportEvent
from wattest.wire.record import BootClaims

LIFE_EVENTS: Final = {
    "repair": PassportEvent.REPAIR,
    "refurbish": PassportEvent.REFURBISH,
    "retire": PassportEvent.RETIRED,
    "reuse": PassportEvent.REUSE,
    "calibrated": PassportEvent.CALIBRATED,
    "failure": PassportEvent.FAILURE,
    "note": PassportEvent.NOTE,
}
"""What a person may note, by the word they say."""

_EUI48_UEID_BYTES: Final = 7
_EUI48_MARK: Final = 2
_LIST_HINT: Final = "see `wattest boards passport`"
_TEXT_CHARS_MAX: Final = 1000
_VERSION_CHARS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardStory:
    """What is true of a board now, and all that happened to it, in order of time."""

    facts: BoardFacts
    events: tuple[Event, ...]


def chip_id_of(ueid: bytes | None) -> str | None:
    """Return the chip id in the hardware identity of a boot record; None if it is no MAC.

    Args:
        ueid: as RFC 9711 has it; type 2 is an EUI-48, which for an ESP32 is its base MAC.
    """
    if ueid is None or len(ueid) != _EUI48_UEID_BYTES or ueid[0] != _EUI48_MARK:
        return None
    return ueid[1:].hex()


def version_of(claims: BootClaims | None) -> str:
    """Return the firmware version that a boot record states, one line; ``""`` without one."""
    versions = claims.software_versions if claims is not None else None
    return one_line(" ".join(versions or ()))[:_VERSION_CHARS_MAX]


def known_boards(home: Home) -> list[BoardEntry]:
    """Return the boards that have a passport, the one seen last first.

    Raises:
        StoreError: the passport file cannot be read.
    """
    if not home.passport.exists():
        return []
    with Passport(home.passport, read_only=True) as passport:
        return passport.boards()


def board_story(home: Home, prefix: str) -> BoardStory:
    """Return the passport of the board whose chip id begins with ``prefix``.

    Args:
        home: of the bench.
        prefix: hex digits in any case; colons between them are no matter.

    Raises:
        UsageError: no board is meant by that, or more than one.
        StoreError: the passport file cannot be read.
    """
    if not home.passport.exists():
        raise _unknown(prefix)
    with Passport(home.passport, read_only=True) as passport:
        chip_id = _find(passport, prefix)
        return BoardStory(facts=passport.facts(chip_id), events=tuple(passport.events(chip_id)))


def note_life(
    home: Home, prefix: str, event: str, *, at_ms: int, text: str = "", due: date | None = None
) -> str:
    """Note what a person did to a board, or saw of it.

    Args:
        home: of the bench.
        prefix: as for `board_story`.
        event: a key of `LIFE_EVENTS`.
        at_ms: now, UTC ms.
        text: in their words, at most 1000 characters.
        due: last day that a calibration holds.

    Returns:
        The board's chip id.

    Raises:
        UsageError: no board, or more than one, is meant; or event, text and date do not go
            together.
        StoreError: it could not be noted.
    """
    kind = LIFE_EVENTS.get(event)
    if kind is None:
        raise UsageError(f"event: expected one of {', '.join(LIFE_EVENTS)}, got {event!r}")
    if due is not None and kind is not PassportEvent.CALIBRATED:
        raise UsageError(f"a due date belongs to a calibration, not to {event!r}")
    text = one_line(text)
    if kind is PassportEvent.NOTE and not text:
        raise UsageError("expected a text: an empty note says nothing", hint="give --text")
    if len(text) > _TEXT_CHARS_MAX:
        raise UsageError(f"text: expected {_TEXT_CHARS_MAX} characters, got {len(text)}")
    if not home.passport.exists():
        raise _unknown(prefix)
    detail: dict[str, str | int | bool | None] = {"text": text} if text else {}
    if kind is PassportEvent.FAILURE:
        detail["code"] = "noted"
    if due is not None:
        detail["due_ms"] = day_ms(due)
    with Passport(home.passport) as passport:
        chip_id = _find(passport, prefix)
        passport.note(chip_id, kind, detail, at_ms=at_ms)
    return chip_id


def _find(passport: Passport, prefix: str) -> str:
    wanted = prefix.lower().replace(":", "")
    found = passport.chip_ids(wanted) if wanted else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise _unknown(prefix)
    some = ", ".join(found[:4]) + (", …" if len(found) > 4 else "")
    raise UsageError(f"{prefix!r}: expected one board, {len(found)} begin so: {some}")


def _unknown(prefix: str) -> UsageError:
    return UsageError(f"{prefix!r}: no board with such a chip id is known", hint=_LIST_HINT)
