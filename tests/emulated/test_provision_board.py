"""A flashed board becomes a node: challenged, shown, enrolled, collected from; or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from provision_harness import BOARD, CHIP_ID, SERIAL, FlashedBoard, enrolments, provision, up

from wattest.errors import ConfigError, LinkError
from wattest.link import open_port
from wattest.operations.commission.home import Home
from wattest.operations.commission.provision_events import Candidate, Declined, Enrolled
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.live.collect import collect_live
from wattest.operations.live.ports import read_ports
from wattest.store import Passport
from wattest.wire import EnrolmentKind, kid_of

pytestmark = pytest.mark.emulated


def audited(folder: Path) -> AuditReport:
    *_, report = audit_run(folder)
    assert isinstance(report, AuditReport)
    return report


def test_flashed_board_is_provisioned_and_then_collected_from(tmp_path: Path) -> None:
    flashed = FlashedBoard(interval_ms=1000)
    shown: list[Candidate] = []
    home = Home(tmp_path / "home")
    with up(flashed) as served:
        ended, _ = provision(
            served.address,
            home.path,
            lambda candidate: shown.append(candidate) or True,
            name="kettle",
            asset="kitchen",
            calibration="certificate 4711",
        )
        assert isinstance(ended, Enrolled)
        (candidate,) = shown
        (enrolment,) = enrolments(home.collected)
        file = read_ports(home.ports)
        *_, finished = collect_live(file, home.collected, duration_s=5)
    assert (candidate.serial, candidate.chip_id, candidate.board) == (SERIAL, CHIP_ID, BOARD)
    assert (candidate.kind, candidate.kid) == (EnrolmentKind.EMULATED, flashed.kid)
    assert candidate.fingerprint.replace(" ", "")[:16] == flashed.kid.hex()
    assert candidate.cfg == flashed.cfg.hex()
    assert (enrolment.kid, enrolment.kind, enrolment.demo) == (
        flashed.kid,
        EnrolmentKind.EMULATED,
        True,
    )
    assert kid_of(enrolment.spki) == flashed.kid
    assert (enrolment.asset, enrolment.cfg) == ("kitchen", flashed.cfg)
    assert enrolment.ueid == b"\x02" + bytes.fromhex(CHIP_ID)
    assert enrolment.calibration is not None
    assert enrolment.calibration.reference == "certificate 4711"
    assert finished.passed
    assert finished.nodes[0].readings >= 3
    report = audited(home.collected)
    assert report.passed, report.problems
    assert enrolments(home.collected) == [enrolment]
    with Passport(home.passport, read_only=True) as passport:
        kinds = [event.kind for event in passport.events(CHIP_ID)]
    assert kinds == ["provisioned", "calibrated"]


def test_secrets_stay_with_their_owner_and_on_the_board(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    home = Home(tmp_path / "home")
    with up(flashed) as served:
        provision(served.address, home.path)
        kept = served.call(lambda: flashed.nvs("cmdkey"))
    key_file = home.keys / f"{CHIP_ID}.key"
    assert key_file.read_text() == f"{kept.hex()}\n"
    assert key_file.stat().st_mode & 0o077 == 0
    assert home.ports.stat().st_mode & 0o077 == 0
    assert kept.hex() not in home.ports.read_text()


def test_provisioning_again_changes_nothing_and_asks_nobody(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    home = Home(tmp_path / "home")

    def nobody(_candidate: Candidate) -> bool:
        raise AssertionError("asked again")

    with up(flashed) as served:
        first, _ = provision(served.address, home.path, name="kettle")
        before = json.loads(home.ports.read_bytes())
        again, _ = provision(served.address, home.path, nobody)
    assert isinstance(first, Enrolled)
    assert isinstance(again, Enrolled)
    assert (first.index, again.index) == (0, None)
    assert again.candidate.name == "kettle"
    assert json.loads(home.ports.read_bytes()) == before
    assert len(enrolments(home.collected)) == 1
    assert audited(home.collected).passed


def test_no_leaves_the_board_metering_and_the_ledger_without_it(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    home = Home(tmp_path / "home")
    stranger = b"\x07" * 32
    with up(flashed) as served:
        other, _ = provision(served.address, tmp_path / "other", lambda _: False)
        first = served.call(lambda: flashed.nvs("cmdkey"))
        ended, _ = provision(served.address, home.path, lambda _: False)
        kept = served.call(lambda: flashed.nvs("cmdkey"))
        count = len(flashed.hellos)
        served.wait_until(lambda: len(flashed.hellos) >= count, "the node to go on")
    assert isinstance(other, Declined)
    assert isinstance(ended, Declined)
    assert kept == first != stranger
    assert enrolments(home.collected) == []
    assert not home.ports.exists()
    assert not home.passport.exists()


def test_board_of_another_kind_is_refused_and_meters_on(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    with up(flashed) as served:
        with pytest.raises(ConfigError, match=r"--board esp32-devkitc: .* flashed for emulated"):
            provision(served.address, tmp_path, board="esp32-devkitc")
        served.wait_until(lambda: len(flashed.hellos) >= 1, "hello after the refusal")
        assert served.call(lambda: flashed.nvs("cmdkey")) is None


def test_board_without_firmware_is_told_what_to_do(tmp_path: Path) -> None:
    with (
        up(FlashedBoard(blank=True)) as served,
        pytest.raises(ConfigError, match="no wattest firmware on the board") as caught,
    ):
        provision(served.address, tmp_path)
    assert "wattest flash" in caught.value.hint


def test_port_in_use_is_refused(tmp_path: Path) -> None:
    flashed = FlashedBoard()
    with (
        up(flashed) as served,
        open_port(served.address),
        pytest.raises(LinkError, match="in use by another program"),
    ):
        provision(served.address, tmp_path)


def test_folder_of_another_kind_is_refused_before_the_board_is_touched(tmp_path: Path) -> None:
    out = tmp_path / "OUT"
    out.mkdir()
    (out / "run.json").write_text('{"format": 1}')
    flashed = FlashedBoard()
    with (
        up(flashed) as served,
        pytest.raises(ConfigError, match="holds a run that is no live collection"),
    ):
        provision(served.address, tmp_path / "home", out=out)
    assert len(flashed.hellos) <= 1


def test_plant_limit_changed_in_boards_json_keeps_chip_and_calibration(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with up(FlashedBoard()) as served:
        provision(served.address, home.path, calibration="certificate 4711")
        changed = json.loads(home.ports.read_bytes())
        changed["boards"][0]["power_max_milliwatts"] = 1_000_000
        home.ports.write_text(json.dumps(changed))
        *_, finished = collect_live(read_ports(home.ports), home.collected, duration_s=2)
    first, second = enrolments(home.collected)
    assert finished.passed
    assert second.power_max_milliwatts == 1_000_000
    assert (second.ueid, second.calibration) == (first.ueid, first.calibration)
