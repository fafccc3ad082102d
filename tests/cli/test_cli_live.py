"""Boards that stay up, and a collector beside them: two programs and the ports between them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.emulated

PROGRAM = [sys.executable, "-m", "wattest.cli.main"]


@contextmanager
def boards_up(folder: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Start boards in a process of its own; go on when all of them are announced."""
    command = [*PROGRAM, "board", "up", "--seed", "3", "--out", "BENCH", *argv]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "up until Ctrl-C" in said, said
        yield process
        process.terminate()


def collect(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "tui", "--live", "--ports", "BENCH", "--headless", "--json", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_collector_takes_readings_and_its_evidence_holds(tmp_path: Path) -> None:
    with boards_up(tmp_path, "--count", "2", "--for", "60s"):
        done = collect(tmp_path, "--for", "4s")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["passed"]
    assert document["gone"] == []
    assert len(document["nodes"]) == 2
    audit = subprocess.run([*PROGRAM, "verify", document["out"]], cwd=tmp_path, check=False)
    assert audit.returncode == 0


def test_port_that_vanishes_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    with boards_up(tmp_path, "--for", "4s"):
        done = collect(tmp_path, "--for", "7s")
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith("wattest: the port of board-1 vanished and did not come back")
    assert "Traceback" not in done.stderr
    document = json.loads(done.stdout)
    assert document["gone"] == ["board-1"]
    assert document["entries"] > 0
    audit = subprocess.run([*PROGRAM, "verify", document["out"]], cwd=tmp_path, check=False)
    assert audit.returncode == 0


def test_boards_end_in_order_when_they_are_told_to(tmp_path: Path) -> None:
    with boards_up(tmp_path, "--for", "60s") as process:
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("board-1  DEMO-board-1  ")
    assert "boards are off" in err
    assert not (tmp_path / "BENCH" / "boards.json").exists()
