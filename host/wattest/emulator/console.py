"""The board's serial console: MicroPython's REPL protocol, played on the host's side.

The interpreter inside the guest has no raw REPL, so the protocol lives here: friendly REPL, paste
mode, raw REPL, raw paste with a window of 128 bytes, soft reset. It acts only while the guest's
supervisor asks for something to do; while a program runs, input belongs to that program.

The machine is pure: bytes come in by :meth:`Console.next_job`, bytes go out through the sink. It
knows nothing of virtual time, guests or pseudo terminals.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wattest.emulator.console_line import LineEditor, wants_more

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = 1, 2, 3, 4, 5
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
PASTE_WINDOW_BYTES = 128
SUPERVISOR_NAME = b"_supervisor"
STREAM_PATH = "/<stdin>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something for the guest to run.

    Args:
        kind: ``file``, ``stream`` (source the host streams) or ``line`` (one friendly input).
        text: path, source, or input.
    """

    kind: str
    text: bytes


class Console:
    """The state of one board's console; survives soft resets.

    Args:
        sink: takes every byte the board sends.
        banner: what the friendly REPL says first, with its line ends.

    Attributes:
        raw: the raw REPL is on; boot then leaves out ``main.py``.
        running: a job is being run, input is the program's.
        interrupt_char: byte that interrupts a running job, or -1.
        soft_reset_wanted: the board shall make a fresh interpreter.
    """

    def __init__(self, sink: Callable[[bytes], None], *, banner: bytes) -> None:
        self._sink = sink
        self._banner = banner
        self.raw = False
        self._editor = LineEditor(sink)
        self._reset_state()

    def _reset_state(self) -> None:
        self.running = False
        self.booting = True
        self.interrupt_char = -1
        self.soft_reset_wanted = False
        self._boot_files: list[bytes] = []
        self._raw_line = bytearray()
        self._raw_paste: bytearray | None = None
        self._window = 0
        self._paste: bytearray | None = None
        self._lines = ""
        self._error: bytearray | None = None
        self._output_ended = False
        self._editor.clear()

    # ---- the board's side --------------------------------------------------------------------

    def boot(self, files: Iterable[str], *, cold: bool) -> None:
        """A fresh interpreter starts; ``files`` are run in order, then the REPL appears.

        Args:
            files: absolute paths that exist.
            cold: a hardware reset: back to the friendly REPL.
        """
        if cold:
            self.raw = False
        self._reset_state()
        self._boot_files = [path.encode() for path in files]

    def job_done(self) -> None:
        """The job that ran is over."""
        was_running, self.running = self.running, False
        self.interrupt_char = -1
        if not was_running or self.booting:
            return
        if self.raw:
            self._sink(b"\x04>" if self._output_ended else b"\x04\x04>")
        else:
            self._sink(b">>> ")
        self._output_ended = False

    def next_job(self, received: bytearray) -> Job | None:
        """Return what to run next, taking input from the front of ``received``; None: wait."""
        if self.booting:
            if self._boot_files:
                return self._start(Job(kind="file", text=self._boot_files.pop(0)))
            self.booting = False
            self._sink(RAW_BANNER if self.raw else self._banner + b">>> ")
        while received and not self.soft_reset_wanted:
            char = received.pop(0)
            job = self._raw_char(char) if self.raw else self._friendly_char(char)
            if job is not None:
                return self._start(job)
        return None

    def output(self, data: bytes) -> None:
        """What the guest wrote; line ends become CR LF unless it is binary.

        ``print`` and ``sys.stdout.buffer`` share one descriptor here. A write is taken as binary
        when it holds a NUL byte, or when the program switched the interrupt character off.
        """
        if self._error is not None:
            self._error += data
        elif self.interrupt_char < 0 or b"\0" in data:
            self._sink(data)
        else:
            self._sink(data.replace(b"\n", b"\r\n"))

    def error_begins(self) -> None:
        """What follows is a traceback."""
        self._error = bytearray()

    def error_ends(self) -> None:
        """Send the traceback without the supervisor's own frame."""
        text, self._error = bytes(self._error or b""), None
        lines = [line for line in text.split(b"\n") if SUPERVISOR_NAME not in line]
        text = b"\r\n".join(lines).replace(b'"' + STREAM_PATH.encode() + b'"', b'"<stdin>"')
        if self.raw and not self.booting:
            self._sink(b"\x04")
            self._output_ended = True
        self._sink(text)

    # ---- inside ------------------------------------------------------------------------------

    def _start(self, job: Job) -> Job:
        self.running = True
        self.interrupt_char = CTRL_C
        return job

    def _raw_char(self, char: int) -> Job | None:
        if self._raw_paste is not None:
            return self._raw_paste_char(char)
        line = self._raw_line
        if char == CTRL_A:
            if line == b"\x05A":
                line.clear()
                self._raw_paste = bytearray()
                self._window = PASTE_WINDOW_BYTES
                self._sink(b"R\x01" + struct.pack("<H", PASTE_WINDOW_BYTES) + b"\x01")
            elif line[:1] == b"\x05":
                line.clear()
                self._sink(b"R\x00>")
            else:
                line.clear()
                self._sink(RAW_BANNER)
        elif char == CTRL_B:
            self.raw = False
            line.clear()
            self._sink(b"\r\n" + self._banner + b">>> ")
        elif char == CTRL_C:
            line.clear()
        elif char == CTRL_D:
            self._sink(b"OK")
            if not line:
                self._want_soft_reset()
                return None
            source = bytes(line)
            line.clear()
            return Job(kind="stream", text=source)
        else:
            line.append(char)
        return None

    def _raw_paste_char(self, char: int) -> Job | None:
        assert self._raw_paste is not None
        if char not in (CTRL_C, CTRL_D):
            self._raw_paste.append(char)
            self._window -= 1
            if self._window == 0:
                self._window = PASTE_WINDOW_BYTES
                self._sink(b"\x01")
            return None
        source, self._raw_paste = bytes(self._raw_paste), None
        self._sink(b"\x04")
        if char == CTRL_C:
            self._sink(b"\x04\x04>")
            return None
        return Job(kind="stream", text=source)

    def _friendly_char(self, char: int) -> Job | None:
        if self._paste is not None:
            return self._paste_char(char)
        if self._editor.empty and char == CTRL_D:
            self._want_soft_reset()
        elif self._editor.empty and char == CTRL_E and not self._lines:
            self._paste = bytearray()
            self._sink(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
        elif char == CTRL_A:
            self.raw = True
            self._forget_input()
            self._sink(b"\r\n" + RAW_BANNER)
        elif char == CTRL_B:
            self._forget_input()
            self._sink(b"\r\n" + self._banner + b">>> ")
        elif char == CTRL_C:
            self._forget_input()
            self._sink(b"\r\n>>> ")
        else:
            line = self._editor.char(char)
            if line is not None:
                return self._line(line)
        return None

    def _line(self, line: str) -> Job | None:
        text = self._lines + line
        if wants_more(text, line):
            self._lines = text + "\n"
            self._sink(b"... ")
            return None
        self._lines = ""
        if not text.strip():
            self._sink(b">>> ")
            return None
        return Job(kind="line", text=text.encode())

    def _paste_char(self, char: int) -> Job | None:
        assert self._paste is not None
        if char == CTRL_C:
            self._paste = None
            self._sink(b"\r\n>>> ")
        elif char == CTRL_D:
            source, self._paste = bytes(self._paste), None
            self._sink(b"\r\n")
            return Job(kind="stream", text=source)
        elif char == 13:
            self._paste.append(10)
            self._sink(b"\r\n=== ")
        else:
            self._paste.append(char)
            self._sink(bytes((char,)))
        return None

    def _forget_input(self) -> None:
        self._editor.clear()
        self._lines = ""

    def _want_soft_reset(self) -> None:
        self._sink(b"\r\n")
        self.soft_reset_wanted = True
