"""esptool, run as a program: its options, its output as events, its failures in one line.

esptool is under the GPL and is never imported. It prints one line an update when its output is no
terminal, and flushes each of them, so progress comes as it happens.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattest.boards.esp_image import Segment
from wattest.errors import FlashError
from wattest.flashing.esptool_process import EsptoolOutput, run_esptool

BAUD: Final = 460_800
_CHIP = re.compile(r"^Connected to (ESP[0-9A-Z-]+) on ")
_MAC = re.compile(r"^(BASE MAC|MAC):\s+((?:[0-9a-f]{2}:){5,7}[0-9a-f]{2})\s*$")
_SIZE = re.compile(r"^Detected flash size:\s+(\d+)(KB|MB)\s*$")
_AT = re.compile(r"^(?:Writing at|Reading from) 0x([0-9a-f]+)\b")
_WROTE = re.compile(r"^Wrote \d+ bytes .*\bat 0x([0-9a-f]+) in ")
_SKIPPED = re.compile(r" at 0x([0-9a-f]+) already in flash, skipping write")
_VERIFIED = re.compile(r"^Verification (successful|failed) \(digest")
_UNIT: Final = {"KB": 1024, "MB": 1024 * 1024}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipInfo:
    """What answers behind a port.

    Args:
        chip: ``esp32``, ``esp32s3`` and so on.
        chip_id: base MAC, 12 lower-case hex digits.
        flash_bytes: size of the flash chip, or None if esptool does not know it.
    """

    chip: str
    chip_id: str
    flash_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """So many of all bytes are done; they only grow."""

    done_bytes: int
    total_bytes: int


class Esptool:
    """One port, as esptool sees it. Between calls the chip stays in its loader.

    Args:
        port: as esptool takes it: a serial port, ``rfc2217://`` or ``socket://``.
        baud: speed to transfer at.
        stopped: looked at several times a second; once true the program is ended.
    """

    def __init__(
        self, port: str, *, baud: int = BAUD, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._port = port
        self._baud = baud
        self._stopped = stopped
        self._chip = "auto"

    def identify(self) -> ChipInfo:
        """Find out what is there; the chip stays in its loader.

        Raises:
            FlashError: nothing answers, or the port cannot be used.
            EsptoolStopped: somebody stopped it.
        """
        chip = mac = ""
        size: int | None = None
        for line in self._run("flash-id"):
            if found := _CHIP.search(line):
                chip = found[1].lower().replace("-", "")
            elif found := _MAC.search(line):
                if not mac or found[1] == "BASE MAC":
                    mac = found[2].replace(":", "")
            elif found := _SIZE.search(line):
                size = int(found[1]) * _UNIT[found[2]]
        if not chip or len(mac) != 12:
            raise FlashError(
                f"{self._port}: expected chip type and MAC address from esptool, got none",
                hint=f"look at `esptool --port {self._port} flash-id`",
            )
        self._chip = chip
        return ChipInfo(chip=chip, chip_id=mac, flash_bytes=size)

    def blank(self, offset: int, size_bytes: int, *, step_bytes: int) -> list[bool]:
        """Tell which pieces of a range are erased, by digests the chip calculates.

        Args:
            offset: start of the range.
            size_bytes: its length, a multiple of ``step_bytes``.
            step_bytes: length of a piece.

        Raises:
            FlashError: as `identify`.
        """
        with _files((b"\xff" * step_bytes,)) as (erased,):
            pairs = []
            for at in range(offset, offset + size_bytes, step_bytes):
                pairs += [f"{at:#x}", erased]
            output = self._start("verify-flash", *pairs)
            matches = [_VERIFIED.search(line) for line in output]
        # Pieces that differ are an error to esptool, so its exit code says nothing here.
        found = [match[1] == "successful" for match in matches if match]
        if len(found) != size_bytes // step_bytes:
            raise output.failure(self._port)
        return found

    def read(self, offset: int, size_bytes: int, target: Path) -> Iterator[Transferred]:
        """Read a range into a file.

        Raises:
            FlashError: as `identify`.
        """
        command = ("read-flash", f"{offset:#x}", f"{size_bytes:#x}", os.fspath(target))
        for line in self._run(*command):
            if match := _AT.search(line):
                done = min(int(match[1], 16) - offset, size_bytes)
                yield Transferred(done_bytes=done, total_bytes=size_bytes)
        yield Transferred(done_bytes=size_bytes, total_bytes=size_bytes)

    def erase(self, offset: int, size_bytes: int) -> None:
        """Erase whole sectors.

        Raises:
            FlashError: as `identify`.
        """
        for _ in self._run("erase-region", f"{offset:#x}", f"{size_bytes:#x}"):
            pass

    def write(
        self,
        segments: Sequence[Segment],
        *,
        skip_same: bool,
        erase_all: bool = False,
        start: bool = False,
    ) -> Iterator[Transferred]:
        """Write segments in the order given and check each by its digest, in one session.

        Args:
            segments: what goes where.
            skip_same: leave out segments that the chip holds already.
            erase_all: erase the whole chip before.
            start: reset the chip into its application at the end.

        Raises:
            FlashError: as `identify`, or what was written reads back differently.
        """
        options = ["--erase-all"] if erase_all else ["--skip-flashed"] if skip_same else []
        after = "hard-reset" if start else "no-reset"
        total = sum(len(segment.data) for segment in segments)
        with _files([segment.data for segment in segments]) as paths:
            pairs = []
            for segment, path in zip(segments, paths, strict=True):
                pairs += [f"{segment.offset:#x}", path]
            tally = _Tally(segments)
            for line in self._run("write-flash", *options, *pairs, after=after):
                if tally.take(line):
                    yield Transferred(done_bytes=tally.done_bytes, total_bytes=total)

    def start_application(self) -> None:
        """Reset the chip into its application.

        Raises:
            FlashError: as `identify`.
        """
        for _ in self._run("read-mac", after="hard-reset"):
            pass

    def _run(self, *command: str, after: str = "no-reset") -> Iterator[str]:
        output = self._start(*command, after=after)
        yield from output
        if output.code:
            raise output.failure(self._port)

    def _start(self, *command: str, after: str = "no-reset") -> EsptoolOutput:
        options = ["--chip", self._chip, "--port", self._port, "--baud", str(self._baud)]
        options += ["--before", "default-reset", "--after", after]
        return run_esptool([*options, *command], stopped=self._stopped)


class _Tally:
    """Bytes done over all segments, from the addresses in esptool's lines."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._done = [0] * len(segments)

    @property
    def done_bytes(self) -> int:
        return sum(self._done)

    def take(self, line: str) -> bool:
        """Look at a line; True if more is done than before."""
        before = self.done_bytes
        if match := _AT.search(line):
            self._reach(int(match[1], 16))
        elif match := _WROTE.search(line) or _SKIPPED.search(line):
            self._finish(int(match[1], 16))
        return self.done_bytes > before

    def _reach(self, address: int) -> None:
        for index, segment in enumerate(self._segments):
            if segment.offset < address <= segment.offset + len(segment.data) + 3:
                done = min(address - segment.offset, len(segment.data))
                self._done[index] = max(self._done[index], done)

    def _finish(self, address: int) -> None:
        for index, segment in enumerate(self._segments):
            if segment.offset == address:
                self._done[index] = len(segment.data)


@contextmanager
def _files(contents: Sequence[bytes]) -> Iterator[list[str]]:
    """Put contents into files that only their owner may read, while esptool needs them."""
    with tempfile.TemporaryDirectory(prefix="wattest-flash-") as folder:
        paths = []
        for index, content in enumerate(contents):
            path = Path(folder) / f"{index}.bin"
            path.write_bytes(content)
            paths.append(os.fspath(path))
        yield paths
