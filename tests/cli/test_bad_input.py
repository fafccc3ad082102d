"""Every wrong input ends with one clear line on standard error and a code that is not 0.

The table is the specification: what a person did, what the line must say. Nothing that was there
before is changed or lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from kept_run import make_kept_run

from wattest.cli import main
from wattest.data import data_root

LOAD = "time,power\n2026-01-01T00:00:00Z,1200\n2026-01-01T00:01:00Z,800\n"
MINIMAL = (data_root() / "bench" / "scenarios" / "minimal.toml").read_text(encoding="utf-8")
REPLAY = ["replay", "load.csv", "--headless"]
RUN = ["run", "bench.toml", "--headless"]
LIVE = ["tui", "--live", "--headless", "--out", "LIVE", "--ports"]
PORT = {
    "port": "/dev/no-such-port",
    "name": "roof",
    "asset": "roof",
    "serial": "DEMO-roof",
    "board": "emulated-esp32",
    "kind": "emulated",
    "demo": True,
    "cfg": "00" * 16,
    "power_max_milliwatts": 5_000_000,
    "command_key": "00" * 32,
}
PORTS = {"format": 1, "speed": "1", "started_ms": 0, "pid": 0, "boards": [PORT]}

Change = Callable[[str], str]


def put(old: str, new: str) -> Change:
    """Return a change of a text that really changes it."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


CSV = {
    "no such file": (["replay", "other.csv"], None, "other.csv"),
    "a folder instead of a file": (["replay", "folder"], None, "folder"),
    "empty file": (REPLAY, lambda _: "", "load.csv"),
    "header only": (REPLAY, lambda _: "time,power\n", "load.csv"),
    "missing column": ([*REPLAY, "--column", "ac_power"], None, "ac_power"),
    "column missing in a row": (REPLAY, put("Z,800", "Z"), "load.csv"),
    "NaN": (REPLAY, put("800", "NaN"), "load.csv"),
    "infinite": (REPLAY, put("800", "inf"), "load.csv"),
    "word instead of a number": (REPLAY, put("800", "much"), "much"),
    "empty cell": (REPLAY, put("Z,800", "Z,"), "load.csv"),
    "time that runs back": (REPLAY, put("00:01:00Z", "00:00:00Z"), "load.csv"),
    "negative elapsed time": (
        [*REPLAY, "--time-format", "elapsed"],
        lambda _: "time,power\n-60,1\n0,1\n60,1\n",
        "load.csv",
    ),
    "time that is none": (REPLAY, put("2026-01-01T00:01:00Z", "noon"), "noon"),
    "not text": (REPLAY, lambda _: "time,power\n\udcff\udcfe,1\n", "load.csv"),
    "unknown unit": ([*REPLAY, "--unit", "horse"], None, "--unit horse: expected one of"),
    "unknown delimiter": ([*REPLAY, "--delimiter", "x"], None, "--delimiter x: expected"),
    "beyond the board's range": ([*REPLAY, "--unit", "MW"], None, "load.csv"),
    "longer than the file": ([*REPLAY, "--for", "9h"], None, "load.csv"),
    "interval that no node takes": ([*REPLAY, "--interval", "2h"], None, "expected 1s to 1h"),
}

TOML = {
    "no such scenario": (["run", "other.toml"], None, "other.toml"),
    "scenario that is a folder": (["run", "folder"], None, "folder"),
    "broken TOML": (RUN, put('name = "minimal"', "name = "), "bench.toml"),
    "not text": (RUN, lambda _: "\udcff\udcfe", "bench.toml"),
    "unknown key": (RUN, put("seed = 1", "seed = 1\nsede = 2"), "sede"),
    "wrong type": (RUN, put("seed = 1", 'seed = "one"'), "seed"),
    "negative time": (RUN, put('"10m"', '"-10m"'), "duration"),
    "interval that no node takes": (
        RUN,
        put('interval = "60s"', 'interval = "2h"'),
        "interval",
    ),
    "interval between samples": (RUN, put('interval = "60s"', 'interval = "1500ms"'), "interval"),
    "no duration": (RUN, put('duration = "10m"', ""), "duration"),
    "unknown kind of load": (RUN, put('"steps", steps', '"stairs", steps'), "stairs"),
    "no node": (RUN, lambda text: text[: text.index("[[node]]")], "node"),
    "two nodes of one name": (
        RUN,
        lambda text: (
            text + '[[node]]\nname = "feeder"\nload = { kind = "constant", power_w = 1 }\n'
        ),
        "feeder",
    ),
    "unknown board": (
        RUN,
        put('name = "feeder"', 'name = "feeder"\nboard = "no-board"'),
        "no-board",
    ),
    "NaN in TOML": (RUN, put("1000]", "nan]"), "bench.toml"),
    "contract of an unknown asset": (RUN, put('["feeder"]', '["boiler"]'), "boiler"),
    "price that is no number": (RUN, put('"0.30"', '"cheap"'), "price"),
    "fault on an unknown node": (
        RUN,
        lambda text: text + '[[fault]]\nkind = "replay"\nnode = "boiler"\nat = "1m"\n',
        "boiler",
    ),
}

FILE = ["ledger", "show", "OUT/ledger.sqlite"]
MIGRATE = ["ledger", "migrate", "OUT"]

RUNS = {
    "verify no folder": (["verify", "nowhere"], "nowhere"),
    "verify an empty folder": (["verify", "folder"], "holds no run.json"),
    "ledger of no folder": (["ledger", "show", "nowhere"], "nowhere: no such folder"),
    "ledger of an empty folder": (["ledger", "entries", "folder"], "holds no run.json"),
    "ledger file without its key": (["ledger", "show", "OUT/ledger.sqlite"], "--key: is needed"),
    "ledger file with a wrong key": ([*FILE, "--key", "x"], "--key: "),
    "key for a run": (["ledger", "show", "OUT", "--key", "x"], "--key: is for a file"),
    "migrate onto itself": ([*MIGRATE, "OUT"], "holds a ledger of 4 entries"),
    "migrate what is no ledger": (["ledger", "migrate", "load.csv", "x"], "not a ledger file"),
    "migrate into a load": ([*MIGRATE, "load.csv"], "not a ledger file"),
    "migrate to no folder": ([*MIGRATE, "nowhere/x"], "expected a folder"),
    "migrate to another database": ([*MIGRATE, "mysql://u:secret@h/x"], "mysql://...: no ledger"),
    "migrate to no server": ([*MIGRATE, "postgresql://u@127.0.0.1:1/x"], "no connection"),
    "statement of no run": (["statement", "folder"], "holds no run.json"),
    "proof of an entry beyond": (["ledger", "prove", "OUT", "99"], "99"),
    "decode nothing": (["decode", "no-such-file"], "neither a file nor"),
    "decode odd hex": (["decode", "abc"], "neither a file nor"),
    "decode broken CBOR": (["decode", "a1"], "cbor: truncated at byte 0"),
    "no such board": (["board", "up", "--board", "no-board"], "no-board"),
    "no boards": (["board", "up", "--count", "0"], "--count: expected a whole number"),
    "no terminal": (["tui", "OUT"], "needs a terminal"),
    "no ports file": ([*LIVE, "nowhere.json"], "nowhere.json: no such file"),
    "ports file that is none": ([*LIVE, "load.csv"], "load.csv: cannot be read"),
    "port that is not there": ([*LIVE, "ports.json"], "/dev/no-such-port: no such port"),
    "out is a file": ([*REPLAY, "--out", "load.csv"], "load.csv: is a file, expected a folder"),
    "out holds a run": ([*REPLAY, "--out", "OUT"], "OUT: already holds a run"),
    "out below a file": ([*REPLAY, "--out", "load.csv/OUT"], "load.csv"),
    "speed zero": ([*REPLAY, "--speed", "0"], "--speed: expected max"),
    "seed negative": ([*REPLAY, "--seed=-1"], "--seed: expected a whole number"),
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a load, a scenario, a kept run and an empty folder."""
    (tmp_path / "load.csv").write_text(LOAD, encoding="utf-8")
    (tmp_path / "bench.toml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "ports.json").write_text(json.dumps(PORTS), encoding="utf-8")
    (tmp_path / "folder").mkdir()
    make_kept_run(tmp_path / "OUT")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    """Return SHA-256 of every file but those that SQLite keeps beside an open database."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    files = (path for path in found if not path.name.endswith(("-wal", "-shm")))
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


def assert_refused(
    argv: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(folder)
    code = main.main(argv)
    out, err = capsys.readouterr()
    assert code in {1, 2, 3}, err
    assert err.startswith("wattest: ")
    assert err.count("\n") == 1, err
    assert len(err) < 400
    assert says in err
    assert out == ""
    assert digests(folder) == before


@pytest.mark.parametrize("case", CSV)
def test_wrong_load_file_is_refused(
    case: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, change, says = CSV[case]
    if change is not None:
        text = change(LOAD).encode("utf-8", "surrogateescape")
        (bench / "load.csv").write_bytes(text)
    assert_refused([*argv, "--out", "NEW"], says, bench, capsys)
    assert not (bench / "NEW").exists()


@pytest.mark.parametrize("case", TOML)
def test_wrong_scenario_is_refused(
    case: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, change, says = TOML[case]
    if change is not None:
        text = change(MINIMAL).encode("utf-8", "surrogateescape")
        (bench / "bench.toml").write_bytes(text)
    assert_refused([*argv, "--out", "NEW"], says, bench, capsys)
    assert not (bench / "NEW").exists()


@pytest.mark.parametrize("case", RUNS)
def test_wrong_folder_or_value_is_refused(
    case: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, says = RUNS[case]
    assert_refused(argv, says, bench, capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write and read everything")
def test_folder_that_may_not_be_written_is_refused(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench / "folder").chmod(0o500)
    assert_refused([*REPLAY, "--out", "folder/NEW"], "folder/NEW", bench, capsys)
