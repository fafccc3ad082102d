"""What run.json and frames.bin state is compared with the ledger, whatever the digests say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_harness import Bench, Played

from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.rundir import RunDir

pytestmark = pytest.mark.emulated

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Played]:
    """Keep a run in which nothing happens but a bit that flips on the wire."""
    out = tmp_path_factory.mktemp("kept") / "OUT"
    faults = ['kind = "flip-bit"\nnode = "feeder"\nat = "25s"']
    played = Bench(duration="1m", faults=faults, contract=True).play(out=out)
    assert played.end.reasons == ()
    return out, played


@pytest.fixture
def out(kept: tuple[Path, Played], tmp_path: Path) -> Path:
    """Return a copy of the run, to be changed."""
    shutil.copytree(kept[0], tmp_path / "OUT")
    return tmp_path / "OUT"


def report(out: Path) -> AuditReport:
    *_, last = audit_run(out)
    assert isinstance(last, AuditReport)
    return last


def places(out: Path) -> set[str]:
    """Return where the audit finds something wrong."""
    return {problem.where for problem in report(out).problems}


def change(out: Path, how: Change) -> None:
    """Change run.json and make its digest fit."""
    values = json.loads((out / "run.json").read_bytes())
    how(values)
    (out / "run.json").write_text(json.dumps(values), "utf-8")
    RunDir(out).write_digests()


CHANGES: dict[str, tuple[Change, str]] = {
    "energy of a node": (
        lambda v: v["nodes"][0].update(metered_import_wh="9.000"),
        "run.json nodes[0].metered",
    ),
    "energy of all": (
        lambda v: v["total"].update(metered_import_wh="9.000"),
        "run.json total.metered_import_wh",
    ),
    "readings of a node": (
        lambda v: v["nodes"][0].update(readings=99),
        "run.json nodes[0].readings",
    ),
    "readings of all": (lambda v: v["total"].update(readings=99), "run.json total.readings"),
    "key of a node": (lambda v: v["nodes"][0].update(kid="00" * 8), "run.json nodes[0].kid"),
    "serial of a node": (lambda v: v["nodes"][0].update(serial="X"), "run.json nodes[0].serial"),
    "asset of a node": (lambda v: v["nodes"][0].update(asset="X"), "run.json nodes[0].asset"),
    "board of a node": (lambda v: v["nodes"][0].update(board="X"), "run.json nodes[0].board"),
    "nodes that are none": (lambda v: v.update(nodes=[5]), "run.json nodes"),
    "size of the ledger": (lambda v: v.update(entries=1), "run.json entries"),
    "demo keys denied": (lambda v: v.update(demo_keys=False), "run.json demo_keys"),
    "verdict": (lambda v: v.update(passed=False), "run.json passed"),
    "verdict against its reasons": (lambda v: v.update(reasons=["no"]), "run.json passed"),
    "fault that failed": (lambda v: v["faults"][0].update(passed=False), "run.json passed"),
    "reasons that are none": (lambda v: v.update(reasons=None), "run.json reasons and faults"),
    "findings that are none": (lambda v: v.update(findings=[]), "run.json findings"),
    "total that is none": (lambda v: v.update(total=0), "run.json total"),
    "end denied": (lambda v: v.update(finished=False), "run.json finished"),
    "called a live collection": (lambda v: v.update(live=True), "run.json live"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_statement_of_run_json_that_the_ledger_denies_is_named(what: str, out: Path) -> None:
    how, where = CHANGES[what]
    change(out, how)
    assert where in places(out)


def test_run_called_live_does_without_neither_digests_nor_statements(out: Path) -> None:
    change(out, lambda values: values.update(live=True))
    (out / "digests.txt").unlink()
    for file in (out / "statements").iterdir():
        file.unlink()
    assert places(out) == {"run.json live"}


def test_run_with_a_frame_lost_on_the_wire_holds(kept: tuple[Path, Played]) -> None:
    assert report(kept[0]).problems == ()


@pytest.mark.parametrize("name", ["frames.bin", "frames.csv"])
def test_received_bytes_without_a_logged_record_are_named(name: str, out: Path) -> None:
    data = (out / name).read_bytes()
    (out / name).write_bytes(data[: len(data) // 2])
    RunDir(out).write_digests()
    assert places(out) == {"frames.bin"}


def test_finding_about_a_logged_record_cannot_be_left_out(tmp_path: Path) -> None:
    faults = ['kind = "clone"\nnode = "feeder"\nat = "21s"\nfor = "30s"']
    Bench(duration="1m", faults=faults).play(out=tmp_path / "OUT")
    found = json.loads((tmp_path / "OUT" / "run.json").read_bytes())["findings"]
    assert found
    assert report(tmp_path / "OUT").problems == ()
    change(tmp_path / "OUT", lambda values: values.update(findings={}))
    assert any(where.startswith("run.json findings.") for where in places(tmp_path / "OUT"))
