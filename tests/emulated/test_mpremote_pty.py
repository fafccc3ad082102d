"""The unmodified mpremote against an emulated board on a pseudo terminal."""

from __future__ import annotations

import hashlib
import os
import random
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from port_harness import GIVE_UP_S, Served, run_tool, serving

from wattest.emulator.board import BoardWiring, EmulatedBoard, Power
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]

HARD_RESET, SOFT_RESET = 2, 5  # as machine.reset_cause() says on an ESP32
LOOP = "import time\nprint('main')\nwhile True: time.sleep(0.1)"


def new_board(*, chip: str = "esp32", baud: int = 115_200) -> EmulatedBoard:
    """A board whose program never ends."""
    board = EmulatedBoard(
        load_engine(), flash=NorFlash(4 << 20), wiring=BoardWiring(chip=chip, baud=baud)
    )
    board.install({"main.py": LOOP.encode()})
    board.power_on()
    return board


@dataclass
class Desk:
    """A running board and a person with mpremote."""

    board: EmulatedBoard
    port: Served

    def mpremote(self, *arguments: str) -> tuple[int, str]:
        return run_tool("mpremote", "connect", self.port.address, *arguments)

    def shown(self, *arguments: str) -> str:
        code, text = self.mpremote(*arguments)
        assert code == 0, text
        return text


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    board = new_board()
    with serving(board) as port:
        yield Desk(board, port)
    board.close()


@pytest.fixture(scope="module")
def fast_desk() -> Iterator[Desk]:
    """A board whose line takes no time."""
    board = new_board(baud=0)
    with serving(board) as port:
        yield Desk(board, port)
    board.close()


def test_mpremote_gets_in_while_main_runs(desk: Desk) -> None:
    assert desk.shown("exec", "import sys; print(sys.platform)") == "esp32\n"
    assert desk.shown("eval", "6*7") == "42\n"


def test_mpremote_runs_a_script_of_the_host(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("for n in range(3):\n    print('line', n)\n")
    assert desk.shown("run", f"{tmp_path}/script.py") == "line 0\nline 1\nline 2\n"


def test_mpremote_makes_lists_and_removes_folders(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "one.txt").write_bytes(b"1" * 1234)
    (tmp_path / "folder" / "deep" / "two.txt").write_text("two")
    desk.shown("mkdir", "made", "+", "fs", "cp", "-r", f"{tmp_path}/folder", ":made/")
    assert desk.shown("fs", "ls", ":made").splitlines() == [
        "ls :made",
        "           0 folder/",
    ]
    assert "        1234 one.txt" in desk.shown("fs", "ls", ":made/folder").splitlines()
    assert desk.shown("fs", "cat", ":made/folder/deep/two.txt") == "two"
    desk.shown("rm", "-r", ":made")
    assert desk.shown("fs", "ls").splitlines() == ["ls :", f"{len(LOOP):12} main.py"]


def test_mpremote_copies_100_kb_both_ways_and_both_ends_have_the_same_bytes(
    fast_desk: Desk, tmp_path: Path
) -> None:
    content = random.Random(1).randbytes(100_000)
    (tmp_path / "up.bin").write_bytes(content)
    fast_desk.shown("fs", "cp", f"{tmp_path}/up.bin", ":up.bin")
    digest = hashlib.sha256(content).hexdigest()
    assert fast_desk.shown("fs", "sha256sum", "up.bin").splitlines()[1] == digest
    fast_desk.shown("fs", "cp", ":up.bin", f"{tmp_path}/down.bin")
    assert (tmp_path / "down.bin").read_bytes() == content
    assert fast_desk.board.uart_dropped == 0


def test_df_shows_the_board_and_only_the_board(desk: Desk) -> None:
    _, row = desk.shown("df").splitlines()
    _, size, used, free, _, place = row.split()
    assert place == "/"
    assert int(size) == 2 << 20
    assert int(size) == int(used) + int(free)
    assert 0 < int(used) < 100_000


def test_mpremote_mounts_a_folder_of_the_host(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "remote_only.py").write_text("print('imported', 6 * 7)")
    shown = desk.shown("mount", str(tmp_path), "exec", "import remote_only")
    assert shown.splitlines()[-1] == "imported 42"


def test_mpremote_shows_errors_with_their_lines(desk: Desk) -> None:
    code, shown = desk.mpremote("exec", "1/0")
    assert code == 1
    assert shown.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<stdin>", line 1, in <module>',
        "ZeroDivisionError: divide by zero",
    ]
    code, shown = desk.mpremote("fs", "cat", "not-there")
    assert code == 1
    assert "No such file or directory" in shown


def test_soft_reset_forgets_and_resume_does_not(desk: Desk) -> None:
    desk.shown("exec", "kept = 1")
    assert desk.shown("resume", "eval", "kept") == "1\n"
    boots = desk.port.call(lambda: desk.board.boots)
    desk.shown("resume", "soft-reset")
    assert desk.port.call(lambda: desk.board.boots) == boots + 1
    code, shown = desk.mpremote("resume", "eval", "kept")
    assert code == 1
    assert "NameError" in shown


def test_reset_restarts_the_chip_and_the_next_command_waits_for_it(desk: Desk) -> None:
    desk.shown("exec", "pass")
    assert desk.port.call(lambda: desk.board.reset_cause) == SOFT_RESET
    desk.shown("reset")  # softly first, then by machine.reset() a moment after it has answered
    desk.port.wait_until(lambda: desk.board.reset_cause == HARD_RESET, "hard reset")
    cause = "import machine; print(machine.reset_cause() == machine.HARD_RESET)"
    assert desk.shown("resume", "exec", cause) == "True\n"
    desk.shown("reset")
    assert desk.shown("eval", "1 + 1") == "2\n"


def test_bootloader_is_there_on_the_chips_that_have_it(desk: Desk) -> None:
    has = "import machine; print(hasattr(machine, 'bootloader'))"
    assert desk.shown("exec", has) == "False\n", "an ESP32 has no register for it"
    board = new_board(chip="esp32s3")
    with serving(board) as port:
        other = Desk(board, port)
        assert other.shown("exec", has) == "True\n"
        other.shown("bootloader")
        port.wait_until(lambda: board.power is Power.DOWNLOAD, "download mode")
    board.close()


def test_mpremote_that_is_killed_in_the_middle_of_a_copy_leaves_a_board_to_work_with(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "up.bin").write_bytes(bytes(100_000))
    copy = ["connect", desk.port.address, "fs", "cp", f"{tmp_path}/up.bin", ":up.bin"]
    with subprocess.Popen(
        [sys.executable, "-m", "mpremote", *copy], stdout=subprocess.DEVNULL
    ) as process:
        # In the middle of the source of one of its steps.
        console = desk.board._chip.console
        desk.port.wait_until(lambda: len(console._raw_paste or b"") > 40, "step")
        process.kill()
    assert desk.shown("eval", "6*7") == "42\n"
    desk.mpremote("rm", "up.bin")  # what was copied so far may be there or not


def test_repl_is_a_terminal_on_the_board(desk: Desk) -> None:
    with Repl(desk.port.address) as repl:
        repl.type(b"\x03", b">>> ")
        repl.type(b"for n in range(2): print('n', n)\r", b"... ")
        repl.type(b"\r", b"n 0\r\nn 1\r\n>>> ")
        repl.type(b"\x04", b"MPY: soft reboot\r\nmain\r\n")
        repl.type(b"\x03", b"KeyboardInterrupt")
        repl.type(b"\x1d", b"")


class Repl:
    """`mpremote repl` in a terminal of its own."""

    def __init__(self, address: str) -> None:
        self._master, terminal = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mpremote", "connect", address, "repl"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)

    def __enter__(self) -> Self:
        # Until it has made the terminal raw, the terminal keeps Ctrl-C to itself.
        until_s = time.monotonic() + GIVE_UP_S
        while termios.tcgetattr(self._master)[3] & termios.ICANON:
            assert time.monotonic() < until_s, "no repl"
            select.select([], [], [], 0.01)
        self.type(b"", b"to exit this shell\r\n")
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            code = self._process.wait(GIVE_UP_S)
        os.close(self._master)
        assert code == 0

    def type(self, keys: bytes, expected: bytes) -> None:
        """Press keys, and wait until this much has been shown since."""
        os.write(self._master, keys)
        shown, until_s = b"", time.monotonic() + GIVE_UP_S
        while expected not in shown:
            left_s = until_s - time.monotonic()
            readable, _, _ = select.select([self._master], [], [], max(0.0, left_s))
            assert readable, f"no {expected!r} in {shown!r}"
            shown += os.read(self._master, 4096)
