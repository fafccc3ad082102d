"""A run that does not come to its end leaves what it logged, and no more is claimed of it.

Stopped by a person, left by its caller, or out of disk: everything acknowledged is in the ledger,
the ledger is sound as far as it goes, and the audit says that the run is not finished.
"""

from __future__ import annotations

import errno
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest
from run_harness import AFTER_CLONE, Bench, play

from wattest.errors import ConfigError, StoreError
from wattest.ledger import EntryKind
from wattest.operations import collector as collector_module
from wattest.operations import rundir as rundir_module
from wattest.operations.control import RunControl
from wattest.operations.events import (
    CheckpointSigned,
    Progressed,
    RecordLogged,
    RunEvent,
    RunFinished,
    RunStarted,
)
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.kept.statements import statements_of
from wattest.operations.rundir import RunDir
from wattest.operations.virtual import rig as rig_module
from wattest.operations.virtual.run import RunOptions, run
from wattest.session import Session
from wattest.store import SqliteStore

pytestmark = pytest.mark.emulated

CLONED = f'kind = "clone"\nnode = "feeder"\nat = "21s"\nfor = "60s"\n{AFTER_CLONE}'


def report(out: Path) -> AuditReport:
    *_, last = audit_run(out)
    assert isinstance(last, AuditReport)
    return last


def logged(events: list[RunEvent]) -> set[bytes]:
    found = [e.verdict.record for e in events if isinstance(e, RecordLogged)]
    return {record.encoded for record in found if record is not None}


def kept(out: Path) -> set[bytes]:
    with open_view(out) as view:
        return {e.body for e in view.entries() if e.kind in {EntryKind.READING, EntryKind.EVENT}}


def is_past(event: RunEvent, scenario_start_ms: int, seconds: int) -> bool:
    """Whether so much of the load has flowed."""
    return isinstance(event, Progressed) and event.now_ms >= scenario_start_ms + 1000 * seconds


@pytest.mark.parametrize("faults", [[], [CLONED]], ids=["nothing else", "while a clone is alive"])
def test_stopped_run_is_sound_and_claims_nothing_final(faults: list[str], tmp_path: Path) -> None:
    control = RunControl()
    scenario = Bench(contract=True, faults=faults).scenario()
    events = []
    for event in run(scenario, RunOptions(out=tmp_path / "OUT"), control):
        events.append(event)
        control.stopped |= is_past(event, scenario.epoch_ms, 45)
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert not end.passed
    assert end.reasons == ("stopped before its end",)
    assert [drawn.statement.state.value for drawn in end.statements] == ["provisional"]
    found = report(tmp_path / "OUT")
    assert (found.passed, found.finished, found.problems) == (True, False, ())
    assert kept(tmp_path / "OUT") == logged(events)
    assert len(statements_of(tmp_path / "OUT")) == 1


@pytest.mark.parametrize("seconds", [-1, 0, 45, 119])
def test_run_that_is_left_is_sound_as_far_as_it_goes(seconds: int, tmp_path: Path) -> None:
    scenario = Bench(contract=True).scenario()
    events: list[RunEvent] = []
    told = run(scenario, RunOptions(out=tmp_path / "OUT"))
    with closing(told):  # type: ignore[type-var]
        for event in told:
            events.append(event)
            if seconds < 0 or is_past(event, scenario.epoch_ms, seconds):
                break
    assert isinstance(events[-1], RunStarted if seconds < 0 else Progressed)
    found = report(tmp_path / "OUT")
    assert (found.passed, found.finished, found.problems) == (True, False, ())
    assert kept(tmp_path / "OUT") >= logged(events)
    assert RunDir(tmp_path / "OUT").read_json()["finished"] is False
    assert found.statements == 0


def test_folder_of_a_left_run_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    scenario = Bench().scenario()
    told = run(scenario, RunOptions(out=tmp_path / "OUT"))
    next(told)
    told.close()  # type: ignore[attr-defined]
    before = kept(tmp_path / "OUT")
    with pytest.raises(ConfigError, match="already holds a run"):
        next(run(scenario, RunOptions(out=tmp_path / "OUT")))
    assert kept(tmp_path / "OUT") == before


def test_paused_run_can_be_stopped(tmp_path: Path) -> None:
    control = RunControl()
    control.paused = control.stopped = True
    played = play(Bench().scenario(), control=control, out=tmp_path / "OUT")
    assert played.end.reasons == ("stopped before its end",)
    assert float(played.end.total.load_import_wh) == 0


class SmallStore(SqliteStore):
    """A ledger on a disk that is full after so many pages."""

    pages = 24

    def __init__(self, path: Path | str, *, create: bool = True) -> None:
        super().__init__(path, create=create)
        (pages,) = self._connection.execute(f"PRAGMA max_page_count = {self.pages}").fetchone()
        assert pages == self.pages


def test_full_ledger_ends_the_run_in_one_line_and_nothing_acknowledged_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[bytes] = []
    true_acknowledge = Session.acknowledge

    def acknowledge(session: Session, position: int, digest: bytes, prev: bytes) -> None:
        acknowledged.append(digest)
        true_acknowledge(session, position, digest, prev)

    monkeypatch.setattr(collector_module.Session, "acknowledge", acknowledge)
    monkeypatch.setattr(rig_module, "SqliteStore", SmallStore)
    events: list[RunEvent] = []
    with pytest.raises(StoreError, match=r"the disk is full .*appending") as caught:
        events.extend(run(Bench(duration="20m").scenario(), RunOptions(out=tmp_path / "OUT")))
    line = caught.value.diagnostics()
    assert "\n" not in line
    assert line.endswith("free some space, then try again")
    assert "OUT/ledger.sqlite" in line
    assert len(set(acknowledged)) > 10
    assert {sha256(body).digest() for body in kept(tmp_path / "OUT")} >= set(acknowledged)
    found = report(tmp_path / "OUT")
    assert (found.passed, found.finished, found.problems) == (True, False, ())


def test_full_disk_under_the_frames_ends_the_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_append = rundir_module.FrameLog.append

    def append(log: rundir_module.FrameLog, t_ns: int, node: str, data: bytes) -> None:
        if t_ns > 60 * 10**9:
            log._bytes = FullFile(log._bytes)  # type: ignore[assignment]
        true_append(log, t_ns, node, data)

    class FullFile:
        def __init__(self, file: BinaryIO) -> None:
            self.close = file.close

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rundir_module.FrameLog, "append", append)
    with pytest.raises(StoreError, match="received bytes cannot be kept: No space left") as caught:
        list(run(Bench().scenario(), RunOptions(out=tmp_path / "OUT")))
    assert "free some space" in caught.value.diagnostics()
    found = report(tmp_path / "OUT")
    assert (found.passed, found.finished) == (True, False)
    assert found.records > 5


def test_readings_are_durable_before_they_are_told(tmp_path: Path) -> None:
    """Whoever sees a reading may rely on it: another reader of the file finds it at once."""
    scenario = Bench().scenario()
    seen = 0
    for event in run(scenario, RunOptions(out=tmp_path / "OUT")):
        if isinstance(event, RecordLogged) and event.index % 5 == 0:
            with open_view(tmp_path / "OUT") as view:
                record = event.verdict.record
                assert record is not None
                assert view.entry(event.index).body == record.encoded
                seen += 1
        if isinstance(event, CheckpointSigned):
            assert event.note.startswith("wattest/short\n")
    assert seen >= 3
