"""What is true of a board now, folded from what happened to it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Value = str | int | bool | None

_DAY_MS = 86_400_000


class PassportEvent(StrEnum):
    """Kinds of events, with the details that the fold reads; others may stand beside them.

    Any event may carry ``chip``, ``board`` and ``serial``: the last one said holds.
    """

    SEEN = "seen"
    FLASHED = "flashed"  # image_sha256, micropython_sha256, micropython, cfg, version, kid
    FLASH_FAILED = "flash_failed"  # reason
    PROVISIONED = "provisioned"  # kid, cfg
    REKEYED = "rekeyed"  # kid
    RETIRED = "retired"  # reason
    RESET = "reset"  # cause, cfg, version
    CALIBRATED = "calibrated"  # due_ms, text
    FAILURE = "failure"  # code, text
    WEAR = "wear"  # erases, worst
    REPAIR = "repair"  # text
    REFURBISH = "refurbish"  # text
    REUSE = "reuse"  # text
    RUN = "run"  # out
    NOTE = "note"  # text


LIFE_EVENTS = frozenset(
    {
        PassportEvent.RETIRED,
        PassportEvent.REPAIR,
        PassportEvent.REFURBISH,
        PassportEvent.REUSE,
        PassportEvent.NOTE,
    }
)


class BoardState(StrEnum):
    """How far a board has come."""

    NEW = "new"
    FLASHED = "flashed"
    ENROLLED = "enrolled"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a board.

    Args:
        id: number of the row; later rows have larger ones.
        at_ms: when, UTC ms since 1970.
        kind: see `PassportEvent`; a newer version may know more.
        slot: physical place of the board then, or None.
        detail: flat names and values.
    """

    id: int
    at_ms: int
    kind: str
    slot: str | None
    detail: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareUse:
    """A firmware that ran on the board: digest in hex, version or ``""``, first seen, UTC ms."""

    cfg: str
    version: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """A key of the board: identifier in hex, in force from and, once replaced, until; UTC ms."""

    kid: str
    since_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The last calibration: when, last day it holds (its start, UTC ms, or None), words."""

    at_ms: int
    due_ms: int | None
    text: str

    def is_overdue(self, now_ms: int) -> bool:
        """Tell whether the due date has passed; it holds to the end of that day, UTC."""
        return self.due_ms is not None and now_ms >= self.due_ms + _DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """Erasures of the flash as last counted: of all sectors, and of the worst one."""

    at_ms: int
    erases: int
    worst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardEntry:
    """One line of a list of boards, as in `BoardFacts`."""

    chip_id: str
    chip: str
    board: str
    serial: str
    slot: str | None
    kid: str
    first_seen_ms: int
    last_seen_ms: int
    state: BoardState


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """A board as its passport has it.

    Args:
        chip_id: base MAC, 12 lower-case hex digits.
        chip: such as ``esp32``; ``""`` while not known, as the texts below.
        board: name of its board file.
        serial: of the node it is.
        state: how far it has come.
        slot: where it was seen last.
        first_seen_ms: UTC ms; None for a board that nothing is known of.
        last_seen_ms: UTC ms, as above.
        cfg: digest of the firmware and configuration seen last, hex.
        image_sha256: of the image flashed last, hex; ``""`` after a flash that failed.
        micropython_sha256: of the MicroPython flashed last, as above.
        micropython: its version or file name.
        firmware: firmwares in order of use.
        keys: keys in order of use; the last one is in force if it has no end.
        calibration: the last one, or None.
        flashes: that succeeded.
        flash_failures: flashes that did not.
        resets: how many by cause, most frequent first.
        failures: how many were noted.
        last_failure: the last of them, or None.
        runs: how many runs it took part in.
        wear: of its flash as last counted, or None.
        life: repair, refurbishment, retirement, reuse and notes, in order.
    """

    chip_id: str
    chip: str = ""
    board: str = ""
    serial: str = ""
    state: BoardState = BoardState.NEW
    slot: str | None = None
    first_seen_ms: int | None = None
    last_seen_ms: int | None = None
    cfg: str = ""
    image_sha256: str = ""
    micropython_sha256: str = ""
    micropython: str = ""
    firmware: tuple[FirmwareUse, ...] = ()
    keys: tuple[KeyUse, ...] = ()
    calibration: Calibration | None = None
    flashes: int = 0
    flash_failures: int = 0
    resets: tuple[tuple[str, int], ...] = ()
    failures: int = 0
    last_failure: Event | None = None
    runs: int = 0
    wear: Wear | None = None
    life: tuple[Event, ...] = ()

    @property
    def kid(self) -> str:
        """Identifier of the key in force, hex; ``""`` if there is none."""
        return _key_in_force(self.keys)


def fold(chip_id: str, events: Iterable[Event]) -> BoardFacts:
    """Return what is true of a board after ``events``, in order of time."""
    story = _Story(chip_id)
    for event in events:
        story.take(event)
    return story.facts()


@dataclass(slots=True)
class _Story:
    chip_id: str
    text: dict[str, str] = field(default_factory=dict)
    state: BoardState = BoardState.NEW
    slot: str | None = None
    first_ms: int | None = None
    last_ms: int | None = None
    firmware: list[FirmwareUse] = field(default_factory=list)
    keys: list[KeyUse] = field(default_factory=list)
    calibration: Calibration | None = None
    counts: Counter[str] = field(default_factory=Counter)
    resets: Counter[str] = field(default_factory=Counter)
    last_failure: Event | None = None
    wear: Wear | None = None
    life: list[Event] = field(default_factory=list)

    def take(self, event: Event) -> None:
        self.first_ms = event.at_ms if self.first_ms is None else min(self.first_ms, event.at_ms)
        self.last_ms = event.at_ms if self.last_ms is None else max(self.last_ms, event.at_ms)
        self.slot = event.slot or self.slot
        self._keep(event, "chip", "board", "serial")
        self.counts[event.kind] += 1
        if event.kind in LIFE_EVENTS:
            self.life.append(event)
        change = _CHANGES.get(event.kind)
        if change is not None:
            change(self, event)
        self._run_firmware(event)

    def facts(self) -> BoardFacts:
        get = self.text.get
        return BoardFacts(
            chip_id=self.chip_id,
            chip=get("chip", ""),
            board=get("board", ""),
            serial=get("serial", ""),
            state=self.state,
            slot=self.slot,
            first_seen_ms=self.first_ms,
            last_seen_ms=self.last_ms,
            cfg=self.firmware[-1].cfg if self.firmware else "",
            image_sha256=get("image_sha256", ""),
            micropython_sha256=get("micropython_sha256", ""),
            micropython=get("micropython", ""),
            firmware=tuple(self.firmware),
            keys=tuple(self.keys),
            calibration=self.calibration,
            flashes=self.counts[PassportEvent.FLASHED],
            flash_failures=self.counts[PassportEvent.FLASH_FAILED],
            resets=tuple(self.resets.most_common()),
            failures=self.counts[PassportEvent.FAILURE],
            last_failure=self.last_failure,
            runs=self.counts[PassportEvent.RUN],
            wear=self.wear,
            life=tuple(self.life),
        )

    @property
    def _kid(self) -> str:
        return _key_in_force(self.keys)

    def flashed(self, event: Event) -> None:
        self._forget_image()
        self._keep(event, "image_sha256", "micropython_sha256", "micropython")
        # Under a new key of its own making it is a node that nobody has enrolled yet.
        if self.state is not BoardState.ENROLLED or _text(event, "kid") not in {"", self._kid}:
            self.state = BoardState.FLASHED

    def flash_failed(self, _event: Event) -> None:
        self._forget_image()

    def keyed(self, event: Event) -> None:
        self.state = BoardState.ENROLLED
        kid = _text(event, "kid")
        if kid and kid != self._kid:
            self._end_key(event.at_ms)
            self.keys.append(KeyUse(kid=kid, since_ms=event.at_ms, until_ms=None))

    def retired(self, event: Event) -> None:
        if _text(event, "kid") not in {"", self._kid}:
            return  # an earlier key of the board; the one in force stays so
        self._end_key(event.at_ms)
        self.state = BoardState.RETIRED

    def reused(self, event: Event) -> None:
        self._end_key(event.at_ms)
        self.state = BoardState.FLASHED if self.text.get("image_sha256") else BoardState.NEW

    def reset(self, event: Event) -> None:
        self.resets[_text(event, "cause") or "unknown"] += 1

    def calibrated(self, event: Event) -> None:
        self.calibration = Calibration(
            at_ms=event.at_ms, due_ms=_integer(event, "due_ms"), text=_text(event, "text")
        )

    def failed(self, event: Event) -> None:
        self.last_failure = event

    def worn(self, event: Event) -> None:
        erases, worst = _integer(event, "erases"), _integer(event, "worst")
        if erases is not None and worst is not None:
            self.wear = Wear(at_ms=event.at_ms, erases=erases, worst=worst)

    def _run_firmware(self, event: Event) -> None:
        cfg = _text(event, "cfg")
        if cfg and not (self.firmware and self.firmware[-1].cfg == cfg):
            use = FirmwareUse(cfg=cfg, version=_text(event, "version"), since_ms=event.at_ms)
            self.firmware.append(use)

    def _keep(self, event: Event, *names: str) -> None:
        for name in names:
            if text := _text(event, name):
                self.text[name] = text

    def _forget_image(self) -> None:
        for name in ("image_sha256", "micropython_sha256", "micropython"):
            self.text.pop(name, None)

    def _end_key(self, at_ms: int) -> None:
        if self.keys and self.keys[-1].until_ms is None:
            last = self.keys.pop()
            self.keys.append(KeyUse(kid=last.kid, since_ms=last.since_ms, until_ms=at_ms))


_CHANGES: Mapping[str, Callable[[_Story, Event], None]] = {
    PassportEvent.FLASHED: _Story.flashed,
    PassportEvent.FLASH_FAILED: _Story.flash_failed,
    PassportEvent.PROVISIONED: _Story.keyed,
    PassportEvent.REKEYED: _Story.keyed,
    PassportEvent.RETIRED: _Story.retired,
    PassportEvent.REFURBISH: _Story.reused,
    PassportEvent.REUSE: _Story.reused,
    PassportEvent.RESET: _Story.reset,
    PassportEvent.CALIBRATED: _Story.calibrated,
    PassportEvent.FAILURE: _Story.failed,
    PassportEvent.WEAR: _Story.worn,
}


def _key_in_force(keys: Sequence[KeyUse]) -> str:
    return keys[-1].kid if keys and keys[-1].until_ms is None else ""


def _text(event: Event, name: str) -> str:
    value = event.detail.get(name)
    return value if isinstance(value, str) else ""


def _integer(event: Event, name: str) -> int | None:
    value = event.detail.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
