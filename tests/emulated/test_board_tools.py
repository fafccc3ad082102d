"""The unmodified mpremote against an emulated board on a pseudo terminal."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from board_harness import Bench

from wattest.emulator.fronts import PtyFront, serve

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]

LOOP = "import time\nprint('main')\nwhile True: time.sleep(0.1)"
GIVE_UP_S = 20


class Desk:
    """A running board and a person with mpremote."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.front = PtyFront(self.bench.board)
        self.bench.start(LOOP)

    def mpremote(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "mpremote", "connect", self.front.address, *arguments]
        started = time.monotonic()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            serve(
                self.bench.world,
                [self.front],
                keep_going=lambda: (
                    process.poll() is None and time.monotonic() - started < GIVE_UP_S
                ),
            )
            process.kill()
            output, _ = process.communicate()
        return process.returncode, output.decode().replace("\r\n", "\n")

    def close(self) -> None:
        self.front.close()
        self.bench.close()


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.close()


def test_mpremote_gets_in_while_main_runs(desk: Desk) -> None:
    assert desk.mpremote("exec", "import sys; print(sys.platform)") == (0, "esp32\n")
    assert desk.mpremote("resume", "eval", "6*7") == (0, "42\n")


def test_mpremote_copies_files_both_ways(desk: Desk, tmp_path: Path) -> None:
    content = bytes(range(256)) * 8
    (tmp_path / "up.bin").write_bytes(content)
    code, shown = desk.mpremote(
        *f"fs cp {tmp_path}/up.bin :up.bin + fs cp :up.bin {tmp_path}/down.bin + fs ls".split()
    )
    assert code == 0
    assert (tmp_path / "down.bin").read_bytes() == content
    assert "2048 up.bin" in shown
    desk.bench.board.power_off()
    assert desk.bench.board.disk().read_file("/up.bin") == content


def test_mpremote_shows_errors_and_resets(desk: Desk) -> None:
    code, shown = desk.mpremote("exec", "1/0")
    assert code == 1
    assert shown == (
        "Traceback (most recent call last):\n"
        '  File "<stdin>", line 1, in <module>\nZeroDivisionError: divide by zero\n'
    )
    boots = desk.bench.board.boots
    assert desk.mpremote("soft-reset", "fs", "cat", "main.py") == (0, LOOP)
    assert desk.bench.board.boots == boots + 1


def test_mpremote_mounts_a_folder_of_the_host(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "remote_only.py").write_text("print('imported', 6 * 7)")
    code, shown = desk.mpremote("mount", str(tmp_path), "exec", "import remote_only")
    assert (code, shown.splitlines()[-1]) == (0, "imported 42")


def test_board_runs_on_when_nobody_reads_its_terminal() -> None:
    bench = Bench()
    front = PtyFront(bench.board)
    bench.start("for n in range(3000): print(n)\nprint('end')", seconds=3)
    assert "end" in bench.output.decode()
    front.close()
    bench.close()
