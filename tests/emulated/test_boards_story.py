"""One board's life from erased flash to audited readings, with the vendor's own tools."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.link import open_port
from wattest.operations.commission.home import Home
from wattest.operations.commission.passport import board_story, known_boards
from wattest.operations.commission.passport_live import with_passports
from wattest.operations.events import RunFinished
from wattest.operations.live.collect import collect_live
from wattest.operations.live.ports import read_ports
from wattest.system import utc_ms
from wattest.verify import FindingCode

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
SPEED = 120
CHANGE = (
    "import json\n"
    "with open('/node.json') as file: settings = json.load(file)\n"
    "settings['interval_ms'] = 10000\n"
    "with open('/node.json', 'w') as file: file.write(json.dumps(settings))\n"
)


class Bench:
    """A folder with a home and kept boards, and programs that work in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.port = str(folder / "up" / "board-1.tty")
        self._started_ms: int | None = None
        self._environment = {**os.environ, "WATTEST_HOME": str(self.home.path)}

    def run(self, module: str, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self.folder,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def wattest(self, *arguments: str, code: int = 0) -> str:
        return self.run("wattest.cli.main", *arguments, code=code)

    @contextmanager
    def board_up(self, speed: int) -> Iterator[None]:
        command = [sys.executable, "-m", "wattest.cli.main", "board", "up", "--blank"]
        with subprocess.Popen(
            [*command, "--board", "emulated-esp32", "--out", "up", "--speed", str(speed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            cwd=self.folder,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().split()[-1].endswith("board-1.tty")
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)

    def collect(self, virtual_s: int) -> RunFinished:
        """Collect for some time of the board, which runs faster than ours."""
        if self._started_ms is None:
            self._started_ms = utc_ms()
        file = read_ports(self.home.ports)
        fast = replace(file, speed=Fraction(SPEED), started_ms=self._started_ms)
        events = collect_live(fast, self.home.collected, duration_s=virtual_s)
        *_, finished = with_passports(events, self.home)
        assert isinstance(finished, RunFinished)
        return finished


def test_a_board_is_flashed_enrolled_metered_changed_by_hand_and_metered_on(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    with bench.board_up(1):
        bench.run("esptool", "--port", bench.port, "erase-flash")
        flashed = bench.wattest("flash", "--port", bench.port, "--board", "emulated-esp32")
        assert "PASS: written and verified" in flashed
        assert "PASS" in bench.wattest("provision", "--port", bench.port, "--yes")
    with bench.board_up(SPEED):
        first = bench.collect(600)
        assert first.passed, first.reasons
        assert first.nodes[0].readings >= 9
        bench.run("mpremote", "connect", bench.port, "exec", CHANGE)
        with open_port(bench.port) as port:
            port.write(b"\x04")  # soft reset at the prompt: boot.py and main.py run
        changed = bench.collect(120)
        assert FindingCode.WRONG_CFG in {finding.code for finding in changed.findings}
        refused = bench.wattest("provision", "--port", bench.port, "--yes", code=1)
        cfg = re.search(r"--cfg ([0-9a-f]{32}) accepts what it runs", refused)
        assert cfg is not None, refused
        bench.wattest("provision", "--port", bench.port, "--yes", "--cfg", cfg[1])
        last = bench.collect(120)
        assert last.passed, last.reasons
        assert last.nodes[0].readings > changed.nodes[0].readings
    assert "holds" in bench.wattest("verify", "home/collected")
    (board,) = known_boards(bench.home)
    story = board_story(bench.home, board.chip_id)
    kinds = [event.kind for event in story.events]
    assert [kind for kind in kinds if kind in {"flashed", "provisioned"}] == [
        "flashed",
        "provisioned",
        "provisioned",
    ]
    assert {"reset", "failure"} <= set(kinds)
    assert story.facts.cfg == cfg[1]
    assert board.serial == f"WT-{board.chip_id.upper()}"
    assert board.chip_id in bench.wattest("boards", "passport", board.chip_id[:6])
