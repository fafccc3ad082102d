"""New keys, updates, retirement of a board that meters; readings stay valid through all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from provision_harness import CHIP_ID, SERIAL, FlashedBoard, enrolments, provision, up

from wattest.errors import ConfigError, UsageError, VerificationError
from wattest.ledger import EntryKind
from wattest.operations.commission.home import Home
from wattest.operations.commission.provision_events import Candidate, Collected, Declined, Enrolled
from wattest.operations.commission.retire import retire_node
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.live.collect import collect_live
from wattest.operations.live.ports import read_ports
from wattest.store import Passport
from wattest.wire import EnrolmentAction, EventKind, Record, parse_record

pytestmark = pytest.mark.emulated

COMMANDED = 2


def audited(folder: Path) -> AuditReport:
    *_, report = audit_run(folder)
    assert isinstance(report, AuditReport)
    return report


def logged(folder: Path) -> list[Record]:
    with open_view(folder) as view:
        entries = list(view.entries())
    records = (EntryKind.READING, EntryKind.EVENT)
    return [parse_record(entry.body) for entry in entries if entry.kind in records]


def test_new_key_is_an_enrolment_behind_everything_the_old_one_signed(tmp_path: Path) -> None:
    flashed = FlashedBoard(interval_ms=1000)
    home = Home(tmp_path / "home")
    asked: list[Candidate] = []
    with up(flashed) as served:
        provision(served.address, home.path, name="kettle")
        old = flashed.kid
        served.wait_until(lambda: flashed.hellos[-1].kid == old, "the old key")
        ended, events = provision(
            served.address,
            home.path,
            lambda candidate: asked.append(candidate) or True,
            new_key=True,
        )
        new = flashed.kid
        file = read_ports(home.ports)
        *_, finished = collect_live(file, home.collected, duration_s=4)
    assert isinstance(ended, Enrolled)
    assert new != old
    assert [(c.kid, c.throw_away) for c in asked] == [(old, True), (new, False)]
    assert asked[0].backlog == 0, "all was collected before"
    (collected,) = [event for event in events if isinstance(event, Collected)]
    assert collected.records >= 3
    first, second = enrolments(home.collected)
    assert (first.kid, first.action) == (old, EnrolmentAction.ENROL)
    assert (second.kid, second.action, second.replaces) == (new, EnrolmentAction.REKEY, old)
    records = logged(home.collected)
    kids = [record.kid for record in records]
    assert kids == sorted(kids, key=[old, new].index)
    begun = kids.index(new)
    assert begun >= collected.records
    event = records[begun].event
    assert event is not None
    assert (event.kind, event.fields[2]) == (EventKind.KEY, COMMANDED)
    before = records[begun - 1].import_milliwatthours
    assert records[begun].import_milliwatthours >= before
    assert finished.passed, finished.reasons
    report = audited(home.collected)
    assert report.passed, report.problems
    with Passport(home.passport, read_only=True) as passport:
        kinds = [event.kind for event in passport.events(CHIP_ID)]
    assert kinds == ["provisioned", "rekeyed"]


def test_no_to_a_new_key_keeps_the_old_one(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    home = Home(tmp_path / "home")
    with up(flashed) as served:
        provision(served.address, home.path)
        old = flashed.kid
        ended, _ = provision(served.address, home.path, lambda c: not c.throw_away, new_key=True)
        assert isinstance(ended, Declined)
        again, _ = provision(served.address, home.path)
    assert isinstance(again, Enrolled)
    assert again.candidate.kid == old
    assert len(enrolments(home.collected)) == 1


def test_board_whose_key_changed_by_itself_is_enrolled_in_the_place_of_the_old_one(
    tmp_path: Path,
) -> None:
    """Its flash was erased and it was flashed anew: same chip, same serial, another key."""
    home = Home(tmp_path / "home")
    with up(FlashedBoard()) as served:
        provision(served.address, home.path, name="kettle")
    with up(FlashedBoard(seed=12)) as served:
        ended, _ = provision(served.address, home.path)
    first, second = enrolments(home.collected)
    assert second.kid != first.kid
    assert (second.action, second.replaces) == (EnrolmentAction.REKEY, first.kid)
    assert ended.candidate.name == "kettle"
    assert audited(home.collected).passed


def test_changed_configuration_is_refused_by_name_and_accepted_by_its_digest(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    flashed = FlashedBoard(interval_ms=1000)
    with up(flashed) as served:
        provision(served.address, home.path)
    flashed.board.power_off()
    config = flashed.board.disk().read_file("/node.json")
    config = config.replace(b'"sync_valid_s":', b'"sync_valid_s":1')
    flashed.board.install({"node.json": config})
    with up(flashed) as served:
        with pytest.raises(VerificationError, match=r"node.json differs in sync_valid_s") as said:
            provision(served.address, home.path)
        digest = said.value.hint.split("--cfg ")[1].split()[0]
        ended, _ = provision(served.address, home.path, cfg=bytes.fromhex(digest))
        assert isinstance(ended, Enrolled)
        *_, finished = collect_live(read_ports(home.ports), home.collected, duration_s=3)
    first, second = enrolments(home.collected)
    assert (first.kid, second.kid) == (flashed.kid, flashed.kid)
    assert second.cfg.hex() == digest
    assert {record.cfg for record in logged(home.collected)} == {first.cfg, second.cfg}
    assert finished.passed, finished.reasons
    assert audited(home.collected).passed


def test_retired_node_is_refused_and_what_it_signed_before_stays(tmp_path: Path) -> None:
    flashed = FlashedBoard(interval_ms=1000)
    home = Home(tmp_path / "home")
    with up(flashed) as served:
        provision(served.address, home.path, name="kettle")
        file = read_ports(home.ports)
        *_, before = collect_live(file, home.collected, duration_s=3)
        retired = retire_node(home, "kettle", reason="scrapped")
        assert retired.kids == (flashed.kid.hex(),)
        assert retire_node(home, SERIAL).kids == ()
        with pytest.raises(ConfigError, match=r"kettle: key .* was retired: nothing more of it"):
            list(collect_live(file, home.collected, duration_s=1))
        with pytest.raises(VerificationError, match="was retired: it cannot be enrolled again"):
            provision(served.address, home.path)
    assert before.passed
    last = enrolments(home.collected)[-1]
    assert (last.kid, last.action) == (flashed.kid, EnrolmentAction.RETIRE)
    assert not home.ports.exists()
    report = audited(home.collected)
    assert report.passed, report.problems
    with Passport(home.passport, read_only=True) as passport:
        facts = passport.facts(CHIP_ID)
    assert facts.state == "retired"


def test_name_that_nobody_has_is_refused_to_retire(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(UsageError, match="no such folder"):
        retire_node(home, "nobody")
    with up(FlashedBoard()) as served:
        provision(served.address, home.path)
    with pytest.raises(UsageError, match="--name nobody: no node of this name"):
        retire_node(home, "nobody")
