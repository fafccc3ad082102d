"""The process esptool runs in: its lines as they come, its end, and what its failure means."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Final

from wattest.errors import FlashError

SILENCE_S: Final = 180.0
"""esptool says nothing while a chip erases; longer than this it hangs."""
_SLICE_S: Final = 0.1
_LINES_KEPT: Final = 40
_END_S: Final = 5.0

_CABLE: Final = "check cable and power"
_SILENT: Final = f"{_CABLE}, hold the BOOT button while it connects, or lower --baud"
_WORN: Final = "try again with a lower --baud; if it stays so the flash chip is worn out"
_SIGNS: Final = (
    "stopped responding",
    "[Tt]imed out",
    "[Ll]ost connection",
    "readiness to read",
    "[Ww]rite failed",
    "Input/output error",
    r"Errno 5\]",
    "Failed to (?:write|read|enter|start|run|calculate|erase)",
    "Packet content transfer",
    "Write timeout",
    "disconnected",
    "Bad file descriptor",
    "Serial data stream",
    "[Ss]ocket",
)
_STOPPED: Final = "|".join(_SIGNS)
# What esptool prints -> what it means, and what to do. The first that is found holds.
_MEANINGS: Final = (
    (
        r"Errno 13|[Pp]ermission denied",
        "may not be opened: permission denied",
        "your user needs the group that owns the port, often dialout",
    ),
    (r"Errno 2\]|No such file", "no such port", "is the board plugged in and up?"),
    (
        r"exclusively lock|[Rr]esource temporarily unavailable|Errno 16|resource busy",
        "is in use by another program",
        "close that program, or give another port",
    ),
    (r"Connection refused", "nobody listens there", "is the server of the port up?"),
    (r"port is busy or doesn't exist", "cannot be opened as a serial port", "check the port"),
    (
        r"Wrong boot mode detected",
        "the chip runs its application and did not enter its loader",
        "hold the BOOT button while pressing RESET, then try again",
    ),
    (r"Failed to connect|No serial data received", "no ESP32 answers", _SILENT),
    (
        r"Invalid head|Invalid SLIP|Corrupt data|No more data|noise",
        "bytes were lost on the line",
        "try again with a lower --baud, or another cable",
    ),
    (
        r"MD5 of file does not match|written flash region is empty",
        "what was written reads back differently",
        _WORN,
    ),
    (
        r"will not fit in",
        "what is to be written does not fit the flash chip",
        "choose the board file of this board",
    ),
    (r"is not an? ESP\S* image|requires chip revision", "the chip refuses the image", ""),
    (_STOPPED, "the chip stopped answering", _CABLE),
)


class EsptoolStopped(Exception):
    """Somebody asked to stop; the program was ended."""


class EsptoolOutput:
    """The lines of one run; iterate once.

    Attributes:
        code: the exit code once the lines have ended.
    """

    def __init__(self, process: subprocess.Popen[str], stopped: Callable[[], bool]) -> None:
        self._process = process
        self._stopped = stopped
        self._last: deque[str] = deque(maxlen=_LINES_KEPT)
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.code: int | None = None

    def __iter__(self) -> Iterator[str]:
        """Yield lines without their ends.

        Raises:
            EsptoolStopped: somebody asked to stop.
            FlashError: the program said nothing for minutes and was ended.
        """
        assert self._process.stdout is not None
        reader = threading.Thread(
            target=_pump, args=(self._process.stdout, self._queue), daemon=True
        )
        reader.start()
        try:
            yield from self._lines()
            self.code = self._process.wait(_END_S)
        finally:
            _end(self._process)
            reader.join(_END_S)
            self._process.stdout.close()

    def _lines(self) -> Iterator[str]:
        silent_s = 0.0
        while True:
            if self._stopped():
                raise EsptoolStopped
            try:
                line = self._queue.get(timeout=_SLICE_S)
            except queue.Empty:
                silent_s += _SLICE_S
                if silent_s >= SILENCE_S:
                    raise FlashError(
                        f"esptool said nothing for {SILENCE_S:.0f} s",
                        hint="unplug the board, plug it in and try again",
                    ) from None
                continue
            if line is None:
                return
            silent_s = 0.0
            self._last.append(line)
            yield line

    def failure(self, port: str) -> FlashError:
        """Return what the end of this run means, in one line."""
        # The name of a port may hold any word: "socket", or what somebody called a link to it.
        name = rf"(?<![\w/]){re.escape(port)}(?!\w)"
        text = re.sub(name, "the port", " ".join(" ".join(self._last).split()))
        said = text.partition("A fatal error occurred:")[2] or text
        for pattern, meaning, hint in _MEANINGS:
            if re.search(pattern, said):
                return FlashError(f"{port}: {meaning}", hint=hint)
        said = said.partition("Hint:")[0].strip()[-200:] or f"exit code {self.code}"
        return FlashError(f"{port}: esptool failed: {said}")


def run_esptool(arguments: Sequence[str], *, stopped: Callable[[], bool]) -> EsptoolOutput:
    """Start esptool.

    Args:
        arguments: options and command.
        stopped: looked at several times a second; once true the program is ended.

    Raises:
        FlashError: it cannot be started.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    environment |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "250"}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:replace"}
    try:
        # The arguments are our own, and so is the program. A Ctrl-C at the terminal is for us to
        # decide about, so it must not reach the program by itself.
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "esptool", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as exc:
        raise FlashError(f"esptool cannot be started: {(exc.strerror or '').lower()}") from exc
    return EsptoolOutput(process, stopped)


# Settings of a person's own esptool that would change what our options mean.
_SETTINGS: Final = frozenset(
    {"ESPTOOL_CHIP", "ESPTOOL_PORT", "ESPTOOL_BAUD", "ESPTOOL_BEFORE", "ESPTOOL_AFTER"}
)


def _pump(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    try:
        for line in stream:
            lines.put(line.rstrip())
    except ValueError:  # closed while reading: the run was given up
        pass
    finally:
        lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_S)
