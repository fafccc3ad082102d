"""A kept run told again: verified anew, in order, and honest about what it cannot tell."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from pathlib import Path

import pytest
from scripted import MINUTES, NAMES, keep

from ledger_samples import EPOCH_MS, INTERVAL_MS
from wattest.errors import ConfigError, VerificationError
from wattest.operations.events import (
    CheckpointSigned,
    FaultJudged,
    Progressed,
    RecordLogged,
    RecordRefused,
    RunFinished,
    RunStarted,
    StatementDrawn,
)
from wattest.operations.kept.stored import stored_events
from wattest.tui.model import RunView


def edit(folder: Path, **changes: object) -> None:
    file = folder / "run.json"
    values = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def test_every_logged_record_statement_and_checkpoint_is_told_once(tmp_path: Path) -> None:
    keep(tmp_path / "out")
    events = list(stored_events(tmp_path / "out"))
    logged = [event for event in events if isinstance(event, RecordLogged)]
    assert [event.index for event in logged] == list(range(4, 4 + 3 * MINUTES))
    assert all(not event.verdict.findings for event in logged)
    (drawn,) = [event for event in events if isinstance(event, StatementDrawn)]
    assert (drawn.index, drawn.statement.total) == (94, "8.70")
    checkpoints = [event for event in events if isinstance(event, CheckpointSigned)]
    assert [event.size for event in checkpoints] == [4, *range(5, 95), 95]
    assert isinstance(events[0], RunStarted)
    assert tuple(node.name for node in events[0].nodes) == NAMES
    assert isinstance(events[-1], RunFinished)
    assert events[-1].passed


def test_time_comes_from_the_records_and_never_runs_back(tmp_path: Path) -> None:
    keep(tmp_path / "out")
    times = [e.now_ms for e in stored_events(tmp_path / "out") if isinstance(e, Progressed)]
    assert times == sorted(times)
    assert times[0] == EPOCH_MS + INTERVAL_MS
    assert times[-1] == EPOCH_MS + MINUTES * INTERVAL_MS


def test_a_conflict_is_told_as_evidence_that_is_not_counted(tmp_path: Path) -> None:
    keep(tmp_path / "out", clone=True)
    events = list(stored_events(tmp_path / "out"))
    (refused,) = [event for event in events if isinstance(event, RecordRefused)]
    assert [finding.code.value for finding in refused.verdict.findings] == ["fork"]
    assert refused.node == "pump"
    (judged,) = [event for event in events if isinstance(event, FaultJudged)]
    assert (judged.kind, judged.passed) == ("clone", True)


def test_a_run_that_was_killed_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    keep(tmp_path / "out", finished=False)
    events = list(stored_events(tmp_path / "out"))
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert not finished.passed
    assert finished.reasons == ("the run did not come to its end",)
    assert len([event for event in events if isinstance(event, RecordLogged)]) == 3 * MINUTES
    assert isinstance(events[0], RunStarted)
    assert len(events[0].nodes) == 3


def test_a_record_that_was_changed_in_the_file_is_shown_as_refused(tmp_path: Path) -> None:
    keep(tmp_path / "out")
    with sqlite3.connect(tmp_path / "out" / "ledger.sqlite") as database:
        (body,) = database.execute("SELECT body FROM entry WHERE idx = 61").fetchone()
        changed = body[:-1] + bytes([body[-1] ^ 1])
        database.execute("UPDATE entry SET body = ? WHERE idx = 61", (changed,))
    database.close()
    view = RunView()
    events = stored_events(tmp_path / "out")
    with pytest.raises(VerificationError, match="recomputed statement differs"):
        deque(map(view.apply, events), maxlen=0)
    refused = [a for node in view.nodes for a in node.arrivals if a.index is None]
    assert [str(arrival.mark) for arrival in refused] == ["✗ refused: bad-signature"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"epoch_ms": "noon"}, "run.json: epoch_ms: a whole number expected, got 'noon'"),
        ({"interval_ms": None}, "run.json: interval_ms: a whole number expected, got None"),
        ({"faults": [{"kind": "clone"}]}, "run.json: faults: .*missing"),
        ({"total": {"node": "all"}}, "run.json: nodes: .*missing"),
        ({"format": 99}, "expected format 1"),
    ],
)
def test_a_run_json_that_is_not_ours_is_one_clear_line(
    tmp_path: Path, changes: dict[str, object], match: str
) -> None:
    keep(tmp_path / "out")
    edit(tmp_path / "out", **changes)
    with pytest.raises(ConfigError, match=match):
        list(stored_events(tmp_path / "out"))


def test_a_folder_without_a_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no run\.json"):
        list(stored_events(tmp_path))
