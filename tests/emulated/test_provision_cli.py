"""`wattest provision` as a person runs it: asked and answered, interrupted, over every link."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from provision_harness import CHIP_ID, SERIAL, FlashedBoard, enrolments, up

from wattest.link import open_port
from wattest.wire.message import hello_line

pytestmark = pytest.mark.emulated

PROGRAM = [sys.executable, "-m", "wattest.cli.main", "provision"]
GIVE_UP_S = 90


def run(port: str, home: Path, *argv: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "--port", port, "--home", str(home), *argv],
        input=said,
        capture_output=True,
        text=True,
        timeout=GIVE_UP_S,
        check=False,
    )


def test_person_is_shown_the_fingerprint_and_their_answer_counts(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    with up(flashed) as served:
        no = run(served.address, tmp_path, said="n\n")
        silent = run(served.address, tmp_path)
        before = enrolments(tmp_path / "collected")
        yes = run(served.address, tmp_path, "--json", said="yes\n")
    assert (no.returncode, silent.returncode) == (1, 1)
    assert no.stdout == "not enrolled; the board meters on\n"
    assert "Enrol this node? [y/N]" in no.stderr
    assert before == []
    assert yes.returncode == 0, yes.stderr
    document = json.loads(yes.stdout)
    assert (document["enrolled"], document["serial"], document["index"]) == (True, SERIAL, 0)
    assert (document["chip_id"], document["kind"]) == (CHIP_ID, "emulated")
    groups = " ".join(line[13:] for line in yes.stderr.splitlines() if _is_print(line))
    assert groups.replace(" ", "") == document["fingerprint"]
    assert document["fingerprint"].startswith(document["kid"])
    assert "every statement that rests on it says TEST" in yes.stderr


def _is_print(line: str) -> bool:
    return line.startswith(("fingerprint ", " " * 13))


@pytest.mark.parametrize("link", ["socket", "rfc2217"])
def test_boards_behind_networks_are_provisioned_alike(link: str, tmp_path: Path) -> None:
    flashed = FlashedBoard()
    with up(flashed, link) as served:
        done = run(served.address, tmp_path, "--yes")
        document = json.loads((tmp_path / "boards.json").read_bytes())
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    assert document["boards"][0]["port"] == served.address
    assert [e.kid for e in enrolments(tmp_path / "collected")] == [flashed.kid]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_interrupted_in_the_middle_the_board_meters_on_and_nothing_is_enrolled(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    flashed = FlashedBoard()
    with up(flashed) as served:
        served.wait_until(lambda: len(flashed.hellos) == 1, "first hello")
        command = [*PROGRAM, "--port", served.address, "--home", str(tmp_path)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stderr is not None
            assert b"asking the board" in process.stderr.readline()
            os.kill(process.pid, number)
            _, errors = process.communicate(timeout=GIVE_UP_S)
        assert process.returncode == code, errors
        with open_port(served.address) as port:  # interrupted or not: it does not stay at a prompt
            port.write(hello_line())
            served.wait_until(lambda: len(flashed.hellos) >= 2, "hello")
        done = run(served.address, tmp_path, "--yes")
    assert b"Traceback" not in errors
    assert done.returncode == 0, done.stderr
    assert len(enrolments(tmp_path / "collected")) == 1
