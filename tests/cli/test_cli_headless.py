"""A headless run: progress on stderr, one summary on stdout, 0 only if all is as expected."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kept_run import KID, NOON_MS, statement_of_kettle

from wattest.cli.output import ProgressLine
from wattest.cli.playing import follow, present
from wattest.ledger import CheckpointSigner
from wattest.operations.events import (
    FaultApplied,
    FaultJudged,
    FrameLost,
    NodeChanged,
    NodeInfo,
    NodeTotals,
    Progressed,
    RunEvent,
    RunFinished,
    RunStarted,
    StatementDrawn,
)
from wattest.verify import Finding, FindingCode, Severity

HOUR_MS = 3_600_000
NODE = NodeInfo(
    name="kettle", asset="kettle", board="emulated-esp32", serial="DEMO-1", kid=KID, load="steps"
)
TOTALS = NodeTotals(
    node="kettle",
    load_import_wh="2000.000125",
    load_export_wh="0",
    metered_import_wh="1999.5",
    metered_export_wh="0",
    error_percent="-0.025",
    error_limit_percent="0.2",
    readings=60,
)
GAP = Finding(
    code=FindingCode.GAP,
    severity=Severity.WARNING,
    kid=KID,
    ctx=0,
    seq=9,
    message="sequence expected 7, got 9",
    evidence=(("expected", "7"),),
)
JUDGED = FaultJudged(
    now_ms=NOON_MS, node="kettle", kind="replay", expected="replay", got="replay", passed=True
)


def started() -> RunStarted:
    return RunStarted(
        scenario="kettle",
        seed=7,
        start_ms=NOON_MS,
        end_ms=NOON_MS + HOUR_MS,
        nodes=(NODE,),
        out="OUT",
    )


def finished() -> RunFinished:
    statement = statement_of_kettle()
    note = CheckpointSigner("wattest/kettle", bytes(32)).sign(64, bytes(32)).note.decode()
    return RunFinished(
        now_ms=NOON_MS + HOUR_MS,
        passed=True,
        nodes=(TOTALS,),
        total=TOTALS,
        findings=(GAP,),
        faults=(JUDGED,),
        statements=(
            StatementDrawn(
                now_ms=NOON_MS + HOUR_MS, contract="kettle", statement=statement, index=63
            ),
        ),
        checkpoint=note,
        entries=64,
    )


def story(end: RunFinished) -> Iterator[RunEvent]:
    yield started()
    for minute in range(61):
        yield Progressed(now_ms=NOON_MS + 60_000 * minute, end_ms=NOON_MS + HOUR_MS)
    yield FrameLost(node="kettle", now_ms=NOON_MS, rule="crc", data=b"\x01")
    yield FaultApplied(
        now_ms=NOON_MS + 90_000,
        node="kettle",
        kind="replay",
        detail="an old frame again",
        expected="replay",
    )
    yield JUDGED
    yield NodeChanged(node="kettle", now_ms=NOON_MS, state="off")
    yield end


def told(end: RunFinished, *, as_json: bool, progress: ProgressLine | None = None) -> int:
    """Follow the story to ``end`` and present it."""
    return present(*follow(story(end), progress), as_json=as_json)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_summary_names_truth_metered_error_findings_faults_and_owed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told(finished(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "2000.000125" in out
    assert "kettle: gap: sequence expected 7, got 9" in out
    assert "fault: kettle: replay was answered with replay: as expected" in out
    assert "statement: kettle: 0.60 EUR" in out
    assert "entry 63 TEST" in out
    assert "checkpoint size 64" in out
    assert "wattest verify OUT" in out
    assert out.splitlines()[-1] == "PASS: every verdict is as the scenario expects"


def test_verdict_that_is_not_expected_ends_with_1_and_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = replace(finished(), passed=False, reasons=("kettle: a record is missing",))
    assert told(end, as_json=False) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "FAIL: kettle: a record is missing"
    assert "PASS" not in out


def test_fault_with_another_answer_says_what_was_expected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = replace(JUDGED, got="nothing", passed=False)
    told(replace(finished(), faults=(wrong,), passed=False), as_json=False)
    out = capsys.readouterr().out
    assert "answered with nothing: expected replay" in out
    assert out.splitlines()[-1] == "FAIL: a verdict is not as the scenario expects"


def test_json_has_the_promised_keys_and_nothing_else_is_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told(finished(), as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["load_import_wh"] == 2000.000125
    assert document["metered_import_wh"] == 1999.5
    assert document["load_export_wh"] == document["metered_export_wh"] == 0
    assert document["error_percent"] == -0.025
    assert document["readings"] == 60
    assert document["findings"][0]["code"] == "gap"
    assert document["findings"][0]["severity"] == "warning"
    settled = document["settled"]
    assert (settled["amount"], settled["currency"], settled["test"]) == ("0.60", "EUR", True)
    assert document["checkpoint"].startswith("wattest/kettle\n64\n")
    assert document["statements"][0]["index"] == 63


def test_progress_is_sparse_where_lines_cannot_be_updated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(finished(), as_json=True)
    lines = capsys.readouterr().err.splitlines()
    percents = [line for line in lines if "%" in line]
    assert len(percents) <= 10
    assert percents[-1].startswith("100 %")
    assert "00:01:30 kettle: replay: an old frame again" in lines
    assert "\x1b" not in "".join(lines)


def test_progress_is_one_line_that_updates_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    told(finished(), as_json=True, progress=ProgressLine(stream))
    text = stream.getvalue()
    assert "\r\x1b[K100 %  01:00:00 of 01:00:00" in text
    assert text.count("\n") == 4  # start, two of the fault, the node that went off
    assert text.endswith("\n")


def test_progress_is_taken_away_when_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[RunEvent]:
        yield started()
        yield Progressed(now_ms=NOON_MS, end_ms=NOON_MS)
        raise KeyboardInterrupt

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt):
        follow(broken(), ProgressLine(stream))
    assert stream.getvalue().endswith("\r\x1b[K")


def test_colour_is_for_terminals_whose_owner_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from wattest.cli.output import wants_colour

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())
