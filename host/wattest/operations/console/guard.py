"""Notices a board that starts over and over, and a port that comes and goes.

Said once; again only after things have been calm for a whole window. A start is what the boot ROM
prints, or, where its text does not reach the port, a boot record with a new bootcount. A journal
that is sent again is full of boot records of days ago: only the end of it is a start.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from wattest.errors import DecodeError
from wattest.units import NS_PER_S
from wattest.wire import Frame, FrameScanner, Record, Text, parse_record
from wattest.wire.message import FrameKind, parse_hello, parse_record_frame
from wattest.wire.record import EventKind

WINDOW_S: Final = 60
TIMES: Final = 5
_TEXT_CHARS_MAX = 400
_RESET = re.compile(rb"rst:0x[0-9a-f]+ \((\w+)\)")
_ROM = re.compile(
    rb"ets [A-Z]|ESP-ROM:|Build:|rst:0x|configsip:|clk_drv:|mode:|load:|entry |SPIWP:|Saved PC:"
)
_SLEPT = re.compile(rb"DEEPSLEEP|DSLEEP")  # waking from deep sleep is no trouble
_NEWEST: Final = 2  # records at the end of a journal that a start may have written
_CAUSE_SLEPT: Final = 4  # machine.DEEPSLEEP_RESET
_ADVICE: Final = (
    (r"brownout", "the supply sags: another cable, a powered hub, less load on 3.3 V"),
    (
        r"invalid header|no bootable|ota data|partition",
        "there is no sound firmware on it: `wattest flash`",
    ),
    (r"WDT|watchdog", "the firmware stands still: look at the text before each start"),
    (
        r"Error|Traceback|Exception",
        "the firmware ends with this error: mend it with `mpremote`, or `wattest flash`",
    ),
)
_ADVICE_ELSE = "look at supply and cable; `wattest flash` puts sound firmware on it"
_FLAP_ADVICE = "another cable or port; a board that resets at once also takes its USB port along"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A start of the board: when, why, and what it said last before."""

    mono_ns: int
    cause: str
    said: str


class Burst:
    """Tells once that something happens too often.

    Args:
        times: how often within the window.
        window_s: length of the window.
    """

    def __init__(self, *, times: int = TIMES, window_s: int = WINDOW_S) -> None:
        self._times = times
        self._window_ns = window_s * NS_PER_S
        self._seen: deque[int] = deque(maxlen=times)
        self.told = False

    def add(self, mono_ns: int) -> bool:
        """Note that it happened; true if that must be told now."""
        if self._seen and mono_ns - self._seen[-1] > self._window_ns:
            self._seen.clear()
            self.told = False
        self._seen.append(mono_ns)
        if self.told or len(self._seen) < self._times:
            return False
        self.told = mono_ns - self._seen[0] <= self._window_ns
        return self.told

    def span_s(self) -> float:
        """Return how long the newest ones took together."""
        return (self._seen[-1] - self._seen[0]) / NS_PER_S


class BootGuard:
    """Counts the starts of a board by what it says."""

    def __init__(self, *, times: int = TIMES, window_s: int = WINDOW_S) -> None:
        self._burst = Burst(times=times, window_s=window_s)
        self._starts: deque[Start] = deque(maxlen=times)
        self._scanner = FrameScanner()
        self._line = b""
        self._said = ""
        self._bootcount = -1
        self._next_position: int | None = None
        self._by_rom = False

    def take(self, data: bytes, mono_ns: int) -> list[dict[str, Any]]:
        """Look at what the board says.

        Args:
            data: bytes as they come.
            mono_ns: when.

        Returns:
            Notes to be told, mostly none.
        """
        notes: list[dict[str, Any]] = []
        for item in self._scanner.feed(data):
            if isinstance(item, Text):
                notes += self._text(item.data, mono_ns)
            elif isinstance(item, Frame):
                notes += self._frame(item, mono_ns)
        return notes

    def _text(self, data: bytes, mono_ns: int) -> list[dict[str, Any]]:
        notes: list[dict[str, Any]] = []
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[-_TEXT_CHARS_MAX:]
        for line in lines:
            if reset := _RESET.search(line):
                self._by_rom = True
                if not _SLEPT.search(reset[1]):
                    notes += self._started(reset[1].decode("ascii"), mono_ns)
            elif line.strip() and not _ROM.match(line.strip()):
                self._said = line.strip()[:_TEXT_CHARS_MAX].decode("utf-8", "backslashreplace")
        return notes

    def _frame(self, frame: Frame, mono_ns: int) -> list[dict[str, Any]]:
        try:
            if frame.kind == FrameKind.HELLO:
                self._next_position = parse_hello(frame.body).next_position
            record = self._record(frame)
        except DecodeError:
            return []
        if record is None:
            return []
        event = record.event
        if event is None or event.kind is not EventKind.BOOT:
            return []
        is_new = record.bootcount > self._bootcount
        self._bootcount = max(self._bootcount, record.bootcount)
        cause = event.fields.get(2)
        if not is_new or self._by_rom or cause == _CAUSE_SLEPT:
            return []
        return self._started(f"reset cause {cause}", mono_ns)

    def _record(self, frame: Frame) -> Record | None:
        """Return the record of a frame if it may be of now.

        Raises:
            DecodeError: it holds something else.
        """
        if frame.kind == FrameKind.SHOWN:
            return parse_record(frame.body)
        if frame.kind != FrameKind.RECORD or self._next_position is None:
            return None
        carried = parse_record_frame(frame.body)
        is_old = carried.position + _NEWEST < self._next_position
        return None if is_old else parse_record(carried.record)

    def _started(self, cause: str, mono_ns: int) -> list[dict[str, Any]]:
        self._starts.append(Start(mono_ns=mono_ns, cause=cause, said=self._said))
        self._said = ""
        if not self._burst.add(mono_ns):
            return []
        before = [{"cause": start.cause, "said": start.said} for start in self._starts]
        words = " ".join(f"{start.cause} {start.said}" for start in self._starts)
        return [
            {
                "event": "boot-loop",
                "starts": len(before),
                "seconds": round(self._burst.span_s(), 1),
                "before": before,
                "try": _advice(words),
            }
        ]


class FlapGuard:
    """Counts how often a port vanishes."""

    def __init__(self, *, times: int = TIMES, window_s: int = WINDOW_S) -> None:
        self._times = times
        self._burst = Burst(times=times, window_s=window_s)

    @property
    def told(self) -> bool:
        """Whether it has been told and things have not been calm since."""
        return self._burst.told

    def lost(self, mono_ns: int) -> dict[str, Any] | None:
        """Note that the port vanished; return what must be told."""
        if not self._burst.add(mono_ns):
            return None
        return {
            "event": "flapping",
            "times": self._times,
            "seconds": round(self._burst.span_s(), 1),
            "try": _FLAP_ADVICE,
        }


def _advice(words: str) -> str:
    for pattern, advice in _ADVICE:
        if re.search(pattern, words, re.IGNORECASE):
            return advice
    return _ADVICE_ELSE
