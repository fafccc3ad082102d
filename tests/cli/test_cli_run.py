"""Goal: what a person runs works from the first byte to the last, and its evidence is evidence.

Method: the program itself, in a process of its own, on a load of ten minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from wattest.cli.main import main

pytestmark = pytest.mark.emulated

LOAD = "time,power\n" + "".join(
    f"2026-01-01T00:{minute:02d}:00Z,{(-1) ** minute * (1000 + 37 * minute)}\n"
    for minute in range(10)
)
REPLAY = ("replay", "load.csv", "--headless", "--json", "--seed", "5")
FULL_BYTES = 250_000  # enough to boot and begin, not to come to the end
ENTRIES_CHANGED = 4  # in the short lane; the long lane changes every entry, at every 16th byte


def wattest(*argv: str, folder: Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wattest.cli.main", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """Replay the load once; return the folder it was done in and the JSON it printed."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "load.csv").write_text(LOAD, encoding="utf-8")
    done = wattest(*REPLAY, "--out", "OUT", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture
def copy(kept: tuple[Path, dict], tmp_path: Path) -> Path:
    """Return a folder with a copy of the kept run, to be damaged."""
    shutil.copytree(kept[0] / "OUT", tmp_path / "OUT")
    return tmp_path


def digests(out: Path) -> dict[str, str]:
    files = [path for path in out.rglob("*") if path.is_file() and "sqlite" not in path.name]
    return {p.relative_to(out).as_posix(): sha256(p.read_bytes()).hexdigest() for p in files}


def test_truth_is_exact_and_the_error_is_within_what_the_chip_declares(
    kept: tuple[Path, dict],
) -> None:
    document = kept[1]
    powers = [(-1) ** minute * (1000 + 37 * minute) for minute in range(10)]
    assert document["load_import_wh"] == pytest.approx(sum(p for p in powers if p > 0) / 60)
    assert document["load_export_wh"] == pytest.approx(-sum(p for p in powers if p < 0) / 60)
    assert abs(document["error_percent"]) <= document["error_limit_percent"]
    assert document["metered_import_wh"] > 0
    assert document["metered_export_wh"] > 0
    assert document["readings"] >= 10
    assert document["findings"] == []
    assert document["settled"]["currency"] == "EUR"
    assert document["settled"]["test"] is True
    assert document["checkpoint"].startswith("wattest/")


def test_the_same_command_twice_gives_the_same_bytes(kept: tuple[Path, dict]) -> None:
    folder, document = kept
    done = wattest(*REPLAY, "--out", "AGAIN", folder=folder)
    again = json.loads(done.stdout)
    assert {**again, "out": None} == {**document, "out": None}
    first = digests(folder / "OUT")
    assert "frames.bin" in first
    assert any(name.startswith("statements/") for name in first)
    changed = {n for n, d in digests(folder / "AGAIN").items() if d != first.get(n)}
    assert changed <= {"digests.txt"}  # SQLite pages may differ, entries may not
    assert entries(folder / "OUT") == entries(folder / "AGAIN")


def entries(out: Path) -> list[tuple[int, int, bytes]]:
    with sqlite3.connect(out / "ledger.sqlite") as connection:
        rows = connection.execute("SELECT idx, kind, body FROM entry ORDER BY idx").fetchall()
    connection.close()
    return rows


def change_byte(out: Path, index: int, position: int) -> None:
    """Flip the lowest bit of one byte of an entry's body, as whoever owns the file can."""
    with sqlite3.connect(out / "ledger.sqlite") as connection:
        query = "SELECT body FROM entry WHERE idx = ?"
        body = bytearray(connection.execute(query, (index,)).fetchone()[0])
        body[position % len(body)] ^= 1
        connection.execute("UPDATE entry SET body = ? WHERE idx = ?", (bytes(body), index))
    connection.close()


def test_untouched_run_holds_with_a_second_opinion_too(kept: tuple[Path, dict]) -> None:
    done = wattest("verify", "OUT", "--second-opinion", "--json", folder=kept[0])
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["passed"]
    assert report["records"] >= 10
    assert report["problems"] == []


@pytest.mark.parametrize("share", range(ENTRIES_CHANGED))
def test_changed_byte_of_an_entry_is_named(share: int, copy: Path) -> None:
    found = entries(copy / "OUT")
    index = share * (len(found) - 1) // (ENTRIES_CHANGED - 1)
    change_byte(copy / "OUT", index, position=7 * share)
    done = wattest("verify", "OUT", folder=copy)
    assert done.returncode == 1
    assert f"entry {index}" in done.stdout
    assert "DOES NOT HOLD" in done.stdout


@pytest.mark.long
def test_every_changed_entry_is_named(copy: Path) -> None:
    from wattest.operations.kept.audit import AuditReport, audit_run

    changed = 0
    for index, _, body in entries(copy / "OUT"):
        for position in range(0, len(body), 16):
            change_byte(copy / "OUT", index, position)
            report = [e for e in audit_run(copy / "OUT") if isinstance(e, AuditReport)][-1]
            assert not report.passed
            assert index in {problem.index for problem in report.problems}
            change_byte(copy / "OUT", index, position)
            changed += 1
    print(f"{changed} changed bytes, each named")
    assert wattest("verify", "OUT", folder=copy).returncode == 0


@pytest.mark.parametrize("name", ["frames.bin", "frames.csv", "run.json"])
def test_changed_byte_of_a_file_is_named(name: str, copy: Path) -> None:
    path = copy / "OUT" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    done = wattest("verify", "OUT", folder=copy)
    assert done.returncode in {1, 2}
    assert name in done.stdout + done.stderr


def test_missing_statement_is_named(copy: Path) -> None:
    victim = next((copy / "OUT" / "statements").glob("*.json"))
    victim.unlink()
    done = wattest("verify", "OUT", folder=copy)
    assert done.returncode == 1
    assert victim.name in done.stdout


def test_summary_for_people_ends_with_the_verdict(kept: tuple[Path, dict]) -> None:
    done = wattest("replay", "load.csv", "--headless", "--for", "2min", folder=kept[0])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["node", "import", "Wh"]
    assert lines[-1] == "PASS: every verdict is as the scenario expects"
    assert "100 %" in done.stderr


def test_interrupt_ends_with_130_and_keeps_what_was_logged(kept: tuple[Path, dict]) -> None:
    folder = kept[0]
    argv = [*REPLAY, "--speed", "30", "--out", "STOPPED"]
    command = [sys.executable, "-m", "wattest.cli.main", *argv]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        guard = threading.Timer(120, process.kill)
        guard.start()
        assert process.stderr is not None
        said = [process.stderr.readline()]
        while "%" not in said[-1] and said[-1]:
            said.append(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        said += process.stderr.readlines()
        guard.cancel()
        printed = process.stdout.read() if process.stdout else ""
    assert process.returncode == 130
    assert printed == ""
    assert said[-1] == "wattest: interrupted; what was logged is kept in STOPPED\n"
    assert "Traceback" not in "".join(said)
    audit = wattest("verify", "STOPPED", folder=folder)
    assert audit.returncode == 0, audit.stdout
    shown = json.loads(wattest("ledger", "show", "STOPPED", "--json", folder=folder).stdout)
    assert shown["entries"]["reading"] > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a limit on file sizes")
def test_full_disk_is_one_line_and_what_was_committed_stays(kept: tuple[Path, dict]) -> None:
    import resource

    folder = kept[0]
    done = subprocess.run(
        [sys.executable, "-m", "wattest.cli.main", *REPLAY, "--out", "FULL"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, FULL_BYTES)),
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("wattest: ")
    assert "FULL" in last
    assert "Traceback" not in done.stderr
    shown = wattest("ledger", "show", "FULL", "--json", folder=folder)
    assert shown.returncode == 0, shown.stderr


def test_load_from_elsewhere_is_metered_within_its_limit(tmp_path: Path) -> None:
    where = os.environ.get("WATTEST_TEST_DATA")
    if not where:
        pytest.skip("WATTEST_TEST_DATA is not set: no measured loads")
    path = Path(where) / "loads" / "solar_serf_east_1min_ac_power.csv"
    argv = ["replay", str(path), "--column", "ac_power__752", "--unit", "W"]
    argv += ["--positive", "export", "--interval", "60s", "--for", "30min", "--headless"]
    done = wattest(*argv, "--json", "--out", "OUT", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["load_import_wh"] > 0  # the inverter's standby, before sunrise
    assert abs(document["error_percent"]) <= document["error_limit_percent"]
    assert wattest("verify", "OUT", folder=tmp_path).returncode == 0


@pytest.mark.emulated
def test_demo_draws_its_own_screen(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    code = main(["demo", "--for", "2min", "--screenshot", str(picture), "--node", "roof"])
    assert code == 0
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "roof" in drawn
    assert "charger" in drawn


@pytest.mark.parametrize(
    ("key", "value"),
    [("total", "x"), ("nodes", 5), ("nodes", [5]), ("faults", [{"now_ms": [1]}]), ("reasons", {})],
)
def test_run_json_of_other_kinds_is_refused(key: str, value: object, copy: Path) -> None:
    run_json = copy / "OUT" / "run.json"
    run_json.write_text(json.dumps(json.loads(run_json.read_bytes()) | {key: value}))
    done = wattest("tui", "OUT", "--screenshot", "screen.svg", folder=copy)
    assert done.returncode == 2
    assert "run.json" in done.stderr
    assert len(done.stderr.splitlines()) == 1
