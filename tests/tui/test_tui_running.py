"""The interface on a terminal of its own: how it is left, and what its caller is told."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
_LIMIT_S = 30.0
_PROGRAM = """
import sys, threading
from pathlib import Path
sys.path[:0] = {paths!r}
from scripted import story, whole_story
from wattest.errors import StoreError
from wattest.operations.control import RunControl
from wattest.tui import run_tui
from wattest.tui.marks import Tone

control = RunControl()

def until_stopped():
    try:
        yield from story()
        while not control.stopped:
            threading.Event().wait(0.01)
        yield list(whole_story())[-1]
    finally:
        Path(sys.argv[1]).write_text("closed")

def failing():
    yield from story()
    raise StoreError("ledger.sqlite: the disk is full", hint="make room")

def buggy():
    yield from story()
    raise ZeroDivisionError("a bug")

def ended():
    yield from whole_story()
    control.stopped = False

finished = run_tui({factory}, control)
print("left", finished is None, control.stopped)
"""
_CONTROLS = re.compile(r"\x1b(\[[0-9;?<>=]*[a-zA-Z]|[>=])")
ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A program on a terminal of 100 x 30.

    Args:
        factory: name of the events it shows.
        mark: file that it writes when its events were closed.
    """

    def __init__(self, factory: str, mark: Path) -> None:
        program = _PROGRAM.format(paths=[str(HERE), str(HERE.parent)], factory=factory)
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.output = b""
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(mark)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            start_new_session=True,
        )
        os.close(follower)

    def wait_for(self, text: bytes) -> None:
        """Read until the screen has shown ``text``."""
        while text not in self.output:
            ready, _, _ = select.select([self._leader], [], [], _LIMIT_S)
            assert ready, f"{text!r} expected on the screen, got {self.output[-400:]!r}"
            self.output += os.read(self._leader, 65536)

    def close(self) -> None:
        """Leave nothing behind, however the test ended."""
        self.process.kill()
        self.process.wait()
        os.close(self._leader)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._leader, keys)

    def end(self) -> tuple[int, list[str]]:
        """Return exit code, and the lines that came after the screen was given back."""
        while True:
            try:
                data = os.read(self._leader, 65536)
            except OSError:  # the last one who had the terminal open is gone
                break
            if not data:
                break
            self.output += data
        code = self.process.wait(_LIMIT_S)
        assert ENTERED in self.output
        after = self.output.rpartition(LEFT)[2].decode()
        return code, [line for line in _CONTROLS.sub("", after).splitlines() if line.strip()]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[[str], Terminal]]:
    """Open terminals that are closed with the test."""
    terminals: list[Terminal] = []

    def opened(factory: str) -> Terminal:
        terminals.append(Terminal(factory, tmp_path / "mark"))
        return terminals[-1]

    yield opened
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("how", ["q", "ctrl-c", "terminate", "interrupt"])
def test_who_leaves_gets_the_terminal_back_and_the_run_comes_to_its_end(
    how: str, open_terminal: Callable[[str], Terminal], tmp_path: Path
) -> None:
    terminal = open_terminal("until_stopped")
    terminal.wait_for(b"AS EXPECTED")
    match how:
        case "q":
            terminal.press(b"q")
        case "ctrl-c":
            terminal.press(b"\x03")
        case "terminate":
            terminal.process.send_signal(signal.SIGTERM)
        case "interrupt":
            terminal.process.send_signal(signal.SIGINT)
    code, after = terminal.end()
    assert (code, after) == (0, ["left True True"])
    assert (tmp_path / "mark").read_text() == "closed"


def test_who_stays_to_the_end_is_told_how_it_ended(
    open_terminal: Callable[[str], Terminal],
) -> None:
    terminal = open_terminal("ended")
    terminal.wait_for(b"FINISHED")
    terminal.press(b"q")
    assert terminal.end() == (0, ["left False True"])


@pytest.mark.parametrize(
    ("factory", "last"),
    [
        ("failing", "wattest.errors.StoreError: ledger.sqlite: the disk is full"),
        ("buggy", "ZeroDivisionError: a bug"),
    ],
)
def test_what_the_run_raises_reaches_the_caller_with_its_trace_and_a_clean_terminal(
    factory: str, last: str, open_terminal: Callable[[str], Terminal]
) -> None:
    code, after = open_terminal(factory).end()
    assert code == 1
    assert after[0] == "Traceback (most recent call last):"
    assert after[-1] == last
    assert any(line.endswith(f"in {factory}") for line in after)
