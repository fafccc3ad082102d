"""Boards, ports and passports as lines for a terminal of 80 columns, and as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from wattest.cli.output import bad, good, marked

if TYPE_CHECKING:
    from wattest.boards import Board
    from wattest.operations.commission.passport import BoardStory
    from wattest.operations.commission.scan import FoundPort
    from wattest.store import BoardEntry, BoardFacts, Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LABEL = 13
_WIDTH = 80
_STORY_LINES = 12
# Details that speak for themselves, and those the screen above the story has already.
_SPEAKING = ("code", "cause", "reason", "text", "version")
_HIDDEN = {
    "reset": ("board", "serial", "kid", "cfg", "version"),
    "failure": ("kid", "ctx", "seq"),
    "flashed": ("board", "serial", "kid", "image_sha256", "micropython_sha256"),
    "provisioned": ("board", "serial", "cfg"),
    "rekeyed": ("board", "serial", "cfg"),
    "seen": ("serial",),
}
_DAY_MS = 86_400_000
_UNITS = {"uohm": "µΩ", "ms": "ms", "us": "µs", "ma": "mA", "mv": "mV"}
_ESPRESSIF_VID = 0x303A


def moment(time_ms: int | None) -> str:
    """Return an instant as people write it, UTC."""
    return "-" if time_ms is None else _at(time_ms).strftime("%Y-%m-%d %H:%M UTC")


def day(time_ms: int | None) -> str:
    """Return the day of an instant, UTC."""
    return "-" if time_ms is None else _at(time_ms).strftime("%Y-%m-%d")


def wrapped(text: str) -> str:
    """Return a paragraph in the width of a terminal."""
    return textwrap.fill(text, _WIDTH, subsequent_indent=" ")


def file_lines(boards: Sequence[Board]) -> Iterator[str]:
    """Yield the board files as a table; a title that is too long is cut."""
    rows = [("board file", "chip", "sensor", "what")]
    rows += [(board.name, board.chip, board.sensor.chip, board.title) for board in boards]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        lead = "".join(cell.ljust(width + 2) for cell, width in zip(row, widths, strict=False))
        yield lead + textwrap.shorten(row[3], _WIDTH - len(lead), placeholder=" …")


def board_lines(board: Board) -> Iterator[str]:
    """Yield what a board file says, for people."""
    flash, image, meter = board.flash, board.micropython, board.meter
    yield f"{board.name}: {board.title}"
    by = f" by QEMU, machine {board.qemu_machine}" if board.qemu_machine else ""
    yield from _entry("chip", board.chip + (f", emulated{by}" if board.emulated else ""))
    yield from _entry(
        "flash",
        f"{flash.size_bytes >> 10} KiB; firmware {flash.firmware_offset:#x}, "
        f"NVS {flash.nvs_offset:#x}, files {flash.vfs_offset:#x} to {flash.size_bytes:#x} "
        f"({flash.vfs_bytes >> 10} KiB)",
    )
    yield from _entry("MicroPython", f"{image.board} {image.version}", image.url)
    if image.sha256:
        yield from _entry("", f"SHA-256 {image.sha256[:32]}", f"        {image.sha256[32:]}")
    yield from _entry("sensor", _sensor_text(board))
    bus = board.i2c
    yield from _entry(
        "I2C",
        f"bus {bus.id}: SCL {bus.scl_pin}, SDA {bus.sda_pin}, {bus.frequency_hz // 1000} kHz",
    )
    if board.uart is not None:
        yield from _entry(
            "UART", f"{board.uart.id}: TX {board.uart.tx_pin}, RX {board.uart.rx_pin}"
        )
    if board.relay is not None:
        level = "high" if board.relay.closed_level else "low"
        yield from _entry("relay", f"pin {board.relay.pin}, closed when {level}")
    yield from _entry(
        "meter",
        f"{_volts(meter.un_mv)} V, {_volts(meter.iref_ma)} A, at most {_volts(meter.imax_ma)} A "
        f"{meter.current_kind.upper()}; limits of class {meter.accuracy_class}",
    )
    yield from _entry("console", f"{board.link.kind}, {board.link.baud} baud")
    for place, usb in enumerate(board.usb):
        yield from _entry("" if place else "USB", f"{usb.vid:04x}:{usb.pid:04x}  {usb.what}")
    for place, trap in enumerate(_traps(board)):
        yield from _entry("" if place else "traps", trap)


def board_as_json(board: Board) -> dict[str, Any]:
    """Return a board file as one JSON document."""
    document = dataclasses.asdict(board)
    document["reset_causes"] = dict(board.reset_causes)
    document["flash"]["vfs_bytes"] = board.flash.vfs_bytes
    return {**document, "traps": list(_traps(board))}


def port_lines(port: FoundPort) -> Iterator[str]:
    """Yield what is known of a port."""
    yield f"{port.address}  {_held_text(port)}"
    what = [port.description] if port.description else []
    what += [port.usb] if port.usb else []
    what += [f"serial number {port.serial_number}"] if port.serial_number else []
    what += [f"served by process {port.served_by}"] if port.served_by else []
    if what:
        yield from _entry("what", ", ".join(what))
    if port.slot:
        yield from _entry("slot", port.slot)
    if port.boards:
        yield from _entry("fits", ", ".join(port.boards))
    known = [port.chip_id] if port.chip_id else []
    known += [f"node {port.node}"] if port.node else []
    if known:
        yield from _entry("known as", ", ".join(known))
    elif port.last_here:
        yield from _entry("last here", port.last_here)


def port_as_json(port: FoundPort) -> dict[str, Any]:
    """Return a port as JSON; `held_by` is null where nobody can tell."""
    holders = [{"pid": each.pid, "name": each.name} for each in port.holders.found]
    return {
        "address": port.address,
        "description": port.description,
        "slot": port.slot,
        "usb": port.usb,
        "serial_number": port.serial_number,
        "boards": list(port.boards),
        "chip_id": port.chip_id,
        "node": port.node or None,
        "last_here": port.last_here,
        "served_by": port.served_by,
        "held_by": holders if port.holders.can_tell else None,
        "hidden_processes": port.holders.hidden,
    }


def entry_as_json(entry: BoardEntry) -> dict[str, Any]:
    """Return a line of the list of known boards."""
    return {**dataclasses.asdict(entry), "state": str(entry.state)}


def story_lines(story: BoardStory, now_ms: int) -> Iterator[str]:
    """Yield a board's passport, on one screen."""
    facts = story.facts
    title = " ".join(part for part in (facts.chip_id, facts.board or facts.chip) if part)
    yield f"{title}: {facts.state}"
    node = facts.serial or "-"
    yield from _entry("node", node + (f", in slot {facts.slot}" if facts.slot else ""))
    yield from _entry("seen", f"{moment(facts.first_seen_ms)} to {moment(facts.last_seen_ms)}")
    yield from _firmware_lines(facts)
    if not facts.keys:
        yield from _entry("key", "none enrolled")
    for place, key in enumerate(reversed(facts.keys)):
        until = "now" if key.until_ms is None else day(key.until_ms)
        yield from _entry("" if place else "key", f"{key.kid}  {day(key.since_ms)} to {until}")
    yield from _calibration_lines(facts, now_ms)
    failed = f", {facts.flash_failures} failed" if facts.flash_failures else ""
    yield from _entry("flashes", f"{facts.flashes}{failed}")
    resets = ", ".join(f"{cause} {number}" for cause, number in facts.resets) or "none seen"
    yield from _entry("resets", resets)
    if facts.last_failure is None:
        yield from _entry("failures", "none")
    else:
        last = f"{facts.failures}, last {day(facts.last_failure.at_ms)}: "
        yield from _entry("failures", last + _event_text(facts.last_failure), paint=marked)
    if facts.wear is not None:
        wear = facts.wear
        yield from _entry(
            "flash wear", f"{wear.erases} sector erasures, at most {wear.worst} of one"
        )
    if facts.runs:
        yield from _entry("runs", str(facts.runs))
    yield ""
    yield from _story_events(story.events)


def story_as_json(story: BoardStory, now_ms: int) -> dict[str, Any]:
    """Return a passport with all its events."""
    facts = story.facts
    document = dataclasses.asdict(facts)
    document["state"] = str(facts.state)
    document["kid"] = facts.kid
    document["resets"] = dict(facts.resets)
    if facts.calibration is not None:
        document["calibration"]["overdue"] = facts.calibration.is_overdue(now_ms)
    document["events"] = [dataclasses.asdict(event) for event in story.events]
    return document


def _firmware_lines(facts: BoardFacts) -> Iterator[str]:
    if not facts.firmware:
        yield from _entry("firmware", "not seen")
    else:
        use = facts.firmware[-1]
        earlier = f", {len(facts.firmware) - 1} before it" if len(facts.firmware) > 1 else ""
        version = f"{use.version}, " if use.version else ""
        yield from _entry("firmware", f"{version}{use.cfg} since {day(use.since_ms)}{earlier}")
    if facts.micropython or facts.micropython_sha256:
        digest = f"SHA-256 {facts.micropython_sha256[:16]}…" if facts.micropython_sha256 else ""
        parts = [part for part in (facts.micropython, digest) if part]
        yield from _entry("MicroPython", ", ".join(parts))
    if facts.image_sha256:
        yield from _entry("image", f"SHA-256 {facts.image_sha256[:16]}…")


def _calibration_lines(facts: BoardFacts, now_ms: int) -> Iterator[str]:
    calibration = facts.calibration
    if calibration is None:
        yield from _entry("calibration", "never", paint=marked)
        return
    words = [day(calibration.at_ms), calibration.text]
    yield from _entry("calibration", ", ".join(word for word in words if word))
    if calibration.due_ms is None:
        yield from _entry("", "no due date")
    elif calibration.is_overdue(now_ms):
        late = (now_ms - calibration.due_ms) // _DAY_MS
        yield from _entry("", f"due {day(calibration.due_ms)}: OVERDUE by {late} days", paint=bad)
    else:
        yield from _entry("", f"due {day(calibration.due_ms)}: holds", paint=good)


def _story_events(events: Sequence[Event]) -> Iterator[str]:
    """Yield the newest events a line each, what happened again and again as one line."""
    groups = [
        list(group)
        for _, group in itertools.groupby(events, key=lambda each: (each.kind, _event_text(each)))
    ]
    shown = groups[-_STORY_LINES:]
    earlier = Counter(event.kind for group in groups[:-_STORY_LINES] for event in group)
    if earlier:
        words = ", ".join(f"{kind} {number}" for kind, number in earlier.most_common())
        yield from _wrapped(words, "earlier           ")
    for group in shown:
        event = group[-1]
        times = [f"{len(group)} times"] if len(group) > 1 else []
        text = ", ".join([" ".join(_event_text(event).split()), *times])
        line = f"{_at(event.at_ms):%Y-%m-%d %H:%M}  {event.kind:<12}  {text}".rstrip()
        yield line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _event_text(event: Event) -> str:
    """Return what is worth reading of an event's detail."""
    hidden = (*_HIDDEN.get(event.kind, ()), "chip")
    detail = {
        name: value
        for name, value in event.detail.items()
        if name not in hidden and value not in ("", None)
    }
    due_ms = detail.pop("due_ms", None)
    words = [str(detail.pop(name)) for name in _SPEAKING if name in detail]
    words += [f"due {day(due_ms)}"] if isinstance(due_ms, int) else []
    words += [f"{name.replace('_', ' ')} {_short(value)}" for name, value in detail.items()]
    return ", ".join(words)


def _short(value: object) -> str:
    text = str(value)
    is_digest = len(text) >= 32 and all(char in "0123456789abcdef" for char in text)
    return f"{text[:8]}…" if is_digest else text


def _held_text(port: FoundPort) -> str:
    if not port.holders.can_tell:
        return ""
    if not port.holders.found:
        return good("free")
    return marked(
        "held by " + ", ".join(f"{each.name} (process {each.pid})" for each in port.holders.found)
    )


def _sensor_text(board: Board) -> str:
    """Return the sensor and its constants, whatever chip it is."""
    values = dataclasses.asdict(board.sensor)
    chip = str(values.pop("chip")).upper()
    chip = {"PLAYED": "played by a second board"}.get(chip, chip)
    parts = [_constant(name, value) for name, value in values.items()]
    return ", ".join([chip, *parts])


def _constant(name: str, value: object) -> str:
    stem, _, unit = name.rpartition("_")
    if unit in _UNITS:
        return f"{stem.replace('_', ' ')} {value} {_UNITS[unit]}"
    if isinstance(value, int) and name in {"address", "adc_config"}:
        return f"{name.replace('_', ' ')} {value:#x}"
    return f"{name.replace('_', ' ')} {value}"


def _traps(board: Board) -> Iterator[str]:
    """Yield what surprises people about a board."""
    for pin in board.boot_pins:
        yield f"pin {pin.pin}: {pin.rule}"
    names: dict[int, list[str]] = {}
    for cause, value in board.reset_causes:
        names.setdefault(value, []).append(cause)
    for value, causes in sorted(names.items()):
        if len(causes) > 1:
            yield f"reset cause {value} is any of: {', '.join(causes)}"
    if not board.i2c_target:
        yield "cannot play a sensor for another board"
    if len({usb.pid for usb in board.usb if usb.vid == _ESPRESSIF_VID}) > 1:
        yield "comes back under another USB identity when it resets into its ROM"


def _entry(label: str, *paragraphs: str, paint: Callable[[str], str] = str) -> Iterator[str]:
    """Yield a labelled entry, wrapped; only its text takes the colour, which has no width."""
    for place, text in enumerate(paragraphs):
        lead = f"  {'' if place else label}".ljust(_LABEL + 2)
        for line in _wrapped(text, lead):
            yield line[: len(lead)] + paint(line[len(lead) :])


def _wrapped(text: str, lead: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _volts(value: int) -> str:
    return f"{value / 1000:g}"


def _at(time_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=time_ms)
