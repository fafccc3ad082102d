"""`wattest bundle` and `wattest verify FILE`: what they write, print, and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from evidence_bench import EPOCH_MS, MINUTE_MS, Bench, Meter
from mutants import CASES, FOLDER, apply
from scenes import (
    CONTRACT,
    PERIOD,
    PLAIN,
    opening_scene,
    plain_scene,
    session_scene,
    statement_scene,
)

from wattest.cli import main
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.store import SqliteStore

SERIAL = "demo-0001"


def kept(folder: Path, scene: Any) -> str:
    """Write a scene's ledger as a kept run; return its folder."""
    run = RunDir(folder)
    run.make(scenario="")
    with SqliteStore(run.ledger) as store:
        made = scene(store)
    bench = made if isinstance(made, Bench) else made.bench
    run.write_json({CHECKPOINT_KEY: bench.log})
    return str(folder)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a run with one signed, disputed and witnessed statement of two generations."""
    return kept(tmp_path_factory.mktemp("run") / "OUT", statement_scene)


def hours(store: SqliteStore) -> Bench:
    """Two contracts, the one with two periods."""
    bench = Bench(5, store)
    lamp = Meter(1, "lamp")
    text = (
        'contract = "{0}"\nseller = "lake"\nbuyer = "cabin"\nassets = ["lamp"]\n'
        'currency = "EUR"\nzone = "Europe/Berlin"\n[period]\nkind = "calendar"\nunit = "{1}"\n'
        '[[line]]\ntemplate = "SUBSCRIPTION"\ncode = "base"\namount = "1"\n'
    )
    bench.log_terms(text.format("daily", "day"))
    bench.log_terms(text.format("monthly", "month"))
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([0, 10]))
    day_ms = 24 * 60 * MINUTE_MS
    for number in range(2):
        start_ms = EPOCH_MS + number * day_ms - 60 * MINUTE_MS
        bench.settle("daily", start_ms, start_ms + day_ms)
    bench.settle("monthly", EPOCH_MS - 60 * MINUTE_MS, EPOCH_MS - 60 * MINUTE_MS + 31 * day_ms)
    return bench


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> str:
    return kept(tmp_path_factory.mktemp("run") / "OUT", hours)


def said(capsys: pytest.CaptureFixture[str], *command: str, code: int = 0) -> str:
    """Run a command; return what it printed, or its complaint."""
    assert main.main(list(command)) == code
    captured = capsys.readouterr()
    text = captured.out if code in {0, 1} and captured.out else captured.err
    assert "Traceback" not in captured.err
    return text


def test_bundle_is_written_verified_and_named(
    signed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "evidence.zip")
    made = json.loads(said(capsys, "bundle", signed, "-o", file, "--json"))
    assert made["form"] == "statement"
    assert made["bytes"] == Path(file).stat().st_size
    text = said(capsys, "verify", file, "--log-key", made["log"])
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[:11]] == [str(n) for n in range(1, 12)]
    assert all(" passed " in line for line in lines[:11])
    assert lines[-1] == f"holds: {file}: statement bundle {made['digest']}"
    verdict = json.loads(said(capsys, "verify", file, "--json"))
    assert (verdict["passed"], verdict["step"], verdict["rule"]) == (True, None, None)
    assert verdict["digest"] == made["digest"]
    assert [step["outcome"] for step in verdict["steps"]] == ["passed"] * 11
    assert any("nobody said which log" in note for note in verdict["notes"])


def test_same_ledger_gives_the_same_file_wherever_it_lies(
    signed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = kept(tmp_path / "elsewhere", statement_scene)
    files = [tmp_path / "1.zip", tmp_path / "2.zip", tmp_path / "3.zip"]
    for folder, file in zip((signed, signed, elsewhere), files, strict=True):
        said(capsys, "bundle", folder, "-o", str(file))
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


def test_session_and_reading_by_their_names(
    signed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "x.zip")
    text = said(capsys, "bundle", signed, "--reading", f"{SERIAL}/0/3", "-o", file)
    assert f"record {SERIAL}/0/3" in text
    assert "reading bundle" in said(capsys, "verify", file)
    folder = kept(tmp_path / "OUT", session_scene)
    said(capsys, "bundle", folder, "--session", "RFID-0042", "-o", file)
    assert "session bundle" in said(capsys, "verify", file)


@pytest.mark.parametrize(
    ("period", "begin"),
    [
        ("2026-01-01", "2025-12-31T23:00:00Z"),
        ("2026-01-02", "2026-01-01T23:00:00Z"),
        ("2026-01-01T22:59:59.999Z", "2025-12-31T23:00:00Z"),
        ("2026-01-01T23:00Z", "2026-01-01T23:00:00Z"),
        ("2026-01-02/2026-01-03", "2026-01-01T23:00:00Z"),
        ("2025-12-31T23:00Z/2026-01-01T23:00Z", "2025-12-31T23:00:00Z"),
    ],
)
def test_period_is_named_by_a_day_an_instant_or_both_ends(
    period: str, begin: str, calendar: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "x.zip")
    text = said(capsys, "bundle", calendar, "--contract", "daily", "--period", period, "-o", file)
    assert f"{begin}/" in text


def test_month_names_the_period_that_begins_in_it(
    calendar: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "x.zip")
    command = ("bundle", calendar, "--contract", "monthly", "--period", "2026-01", "-o", file)
    assert "2025-12-31T23:00:00Z/2026-01-31T23:00:00Z (2026-01-01)" in said(capsys, *command)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name a contract; there are: daily, monthly"),
        (["--contract", "heater"], "no statement of contract 'heater'; there are: daily, monthly"),
        (["--contract", "daily"], "more than one period"),
        (["--contract", "daily", "--period", "2026-01"], "more than one period 2026-01 of it"),
        (
            ["--contract", "daily", "--period", "2031-01"],
            "no period 2031-01 of it; there are: 202",
        ),
        (["--contract", "daily", "--period", "frog"], "got 'frog'"),
        (["--contract", "daily", "--period", "2026-13"], "got '2026-13'"),
        (["--contract", "daily", "--period", "2026-01-01/frog"], "begin/end expected"),
        (["--contract", "daily", "--session", "x"], "not two of them"),
        (["--session", "nobody"], "no session 'nobody' that ended; the ledger has none"),
        (["--reading", "demo-0001"], "KID/CTX/NUMBER expected"),
        (["--reading", "demo-0009/0/1"], "no key 'demo-0009' is enrolled; there are: "),
        (["--reading", "demo-0001/0/99"], "has no record ctx 0 number 99"),
        (["--reading", "demo-0001/0/-1"], "KID/CTX/NUMBER expected"),
    ],
)
def test_wrong_wish_is_one_line_that_says_what_there_is(
    options: list[str],
    message: str,
    calendar: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "x.zip"
    text = said(capsys, "bundle", calendar, *options, "-o", str(file), code=2)
    assert message in text
    assert len(text.splitlines()) == 1
    assert not file.exists()


def test_bundle_goes_only_where_a_file_can_go(
    signed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "bundle", signed, "-o", str(tmp_path / "no" / "x.zip"), code=3)
    assert "cannot be written" in text
    assert "no such folder" in said(capsys, "bundle", "nowhere", "-o", "x.zip", code=2)
    ledger = RunDir(Path(signed)).ledger
    before = ledger.read_bytes()
    assert "is no bundle" in said(capsys, "bundle", signed, "-o", str(ledger), code=2)
    assert ledger.read_bytes() == before
    assert "cannot be replaced" in said(capsys, "bundle", signed, "-o", str(tmp_path), code=2)
    for _ in range(2):
        said(capsys, "bundle", signed, "-o", str(tmp_path / "x.zip"))


def test_bundle_that_would_not_hold_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept(tmp_path / "OUT", plain_scene)
    file = tmp_path / "x.zip"
    with SqliteStore(RunDir(Path(folder)).ledger) as store:
        (entry,) = [e for e in store.entries() if e.index == 2]
    path = RunDir(Path(folder)).ledger
    content = path.read_bytes()
    assert content.count(entry.body) == 1
    path.write_bytes(content.replace(entry.body, entry.body[:-1] + bytes([entry.body[-1] ^ 1])))
    text = said(capsys, "bundle", folder, "-o", str(file), code=1)
    assert "the entries lead to size 12 root " in text
    assert "run `wattest verify`" in text
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a bundle"),
        (b"time,power\n", "not a bundle"),
        (b"PK\x03\x04 and then nothing at all", "cut off"),
        (b"SQLite format 3\0" + bytes(4096), "not a bundle"),
    ],
)
def test_foreign_file_is_one_line_and_stays_as_it_is(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "thing.zip"
    file.write_bytes(content)
    text = said(capsys, "verify", str(file), code=1)
    assert len(text.splitlines()) == 1
    assert message in text
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_truncated_and_future_bundles_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "thing.zip"
    whole = (FOLDER / "reading.zip").read_bytes()
    file.write_bytes(whole[:700])
    assert len(said(capsys, "verify", str(file), code=1).splitlines()) == 1
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    (future,) = [case for case in cases if case["name"] == "format of a newer version"]
    file.write_bytes(apply(future, whole))
    text = said(capsys, "verify", str(file), code=1)
    assert "a newer verifier is needed" in text
    assert len(text.splitlines()) == 1


def test_broken_rule_is_named_with_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    (case,) = [c for c in cases if c["name"] == "a record whose signature does not hold"]
    file = tmp_path / "x.zip"
    file.write_bytes(apply(case, (FOLDER / "reading.zip").read_bytes()))
    text = said(capsys, "verify", str(file), code=1)
    last = text.splitlines()[-1]
    assert last.startswith(f"DOES NOT HOLD: {file}: step 8, record-signature: entry 4 (reading 4")
    verdict = json.loads(said(capsys, "verify", str(file), "--json", code=1))
    assert (verdict["step"], verdict["rule"]) == (8, "record-signature")
    outcomes = [step["outcome"] for step in verdict["steps"]]
    assert outcomes == ["passed"] * 7 + ["failed"] + ["not reached"] * 3


def test_options_of_the_folder_and_of_the_file_are_kept_apart(
    signed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(FOLDER / "reading.zip")
    assert "not a bundle" in said(capsys, "verify", file, "--second-opinion", code=2)
    assert "--log-key is for a bundle" in said(capsys, "verify", signed, "--log-key", "x", code=2)
    assert "--log-key: note: verifier-key" in said(
        capsys, "verify", file, "--log-key", "x", code=2
    )
    other = "wattest/bench+bf085f19+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    text = said(capsys, "verify", file, "--log-key", other, code=1)
    assert "step 2, log-key" in text


def unfounded(store: SqliteStore) -> Bench:
    """A statement whose begin was frozen by nothing, so that a late record does not count."""
    bench = Bench(6, store)
    lamp = Meter(1, "lamp")
    bench.log_terms(PLAIN)
    bench.enrol(lamp.enrolment())
    early = [*lamp.readings([-50, -10])]
    lamp.import_milliwh += 300_000
    (late,) = lamp.readings([-1])
    bench.add(*early, *lamp.readings([20]))
    bound = bench.ledger.size
    bench.add(late, *lamp.readings([40, 70]))
    bench.settle(CONTRACT, *PERIOD, opening=bound)
    return bench


def test_begin_is_frozen_by_a_final_statement_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said_so = "final statement of the period before with cut-off 5 expected"
    for scene, wrong in ((opening_scene, False), (unfounded, True)):
        folder = kept(tmp_path / scene.__name__, scene)
        assert main.main(["verify", folder]) == int(wrong)
        assert (said_so in capsys.readouterr().out) is wrong
    file = tmp_path / "x.zip"
    text = said(capsys, "bundle", folder, "-o", str(file), code=1)
    assert "step 10, opening" in text
    assert said_so in text
    assert not file.exists()
