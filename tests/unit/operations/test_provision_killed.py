"""Provisioning killed at any point: the same command goes on, and nothing is there twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from talking_node import COMMAND_KEY
from test_provision_lies import CHIP_ID, FACTS, ShowingNode, Wire

from wattest.errors import ConfigError
from wattest.ledger import EntryKind
from wattest.link import Port
from wattest.operations.commission import provision as provision_module
from wattest.operations.commission import retire as retire_module
from wattest.operations.commission import roster as roster_module
from wattest.operations.commission.home import Home
from wattest.operations.commission.ledger_desk import LedgerDesk
from wattest.operations.commission.provision import provision_board
from wattest.operations.commission.provision_events import (
    Enrolled,
    PortTaken,
    ProvisionOptions,
)
from wattest.operations.commission.retire import retire_node
from wattest.operations.commission.roster import Roster
from wattest.operations.commission.scan import scan_ports
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.live.ports import read_ports
from wattest.store import Passport
from wattest.wire import Enrolment, parse_enrolment

KILLED = 9


class FakeBoard:
    """A real board's REPL and node, as far as provisioning sees them; its NVS is a file."""

    def __init__(self, folder: Path) -> None:
        self._nvs = folder / "nvs"
        self.node = ShowingNode()

    @contextmanager
    def interrupted(self, _port: Port) -> Iterator[FakeBoard]:
        yield self

    def ask(self, _repl: object, _address: str) -> Any:
        key = self._nvs.read_bytes() if self._nvs.exists() else None
        return replace(FACTS, command_key=key)

    def write_command_key(self, _repl: object, key: bytes) -> None:
        self._nvs.write_bytes(key)

    def open_port(self, address: str) -> Port:
        return Port(address, Wire(ShowingNode(serial=self.node.serial)))


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    fake = FakeBoard(tmp_path)
    for name, value in {
        "open_port": fake.open_port,
        "interrupted": fake.interrupted,
        "ask_board": fake.ask,
        "write_command_key": fake.write_command_key,
    }.items():
        monkeypatch.setattr(provision_module, name, value)
    return fake


def provision(home: Home, **changes: Any) -> Enrolled:
    options = ProvisionOptions(
        **{"port": "PORT", "home": home, "name": "pump", "cfg": bytes(16), **changes}
    )
    *_, ended = provision_board(options, lambda _candidate: True)
    assert isinstance(ended, Enrolled)
    return ended


def killed_in(owner: Any, name: str, when: str, work: Callable[[], object]) -> None:
    """Do something in a process of its own that dies before or after a call, uncleanly."""
    true = getattr(owner, name)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            true(*args, **kwargs)
        os._exit(KILLED)

    child = os.fork()
    if child == 0:
        setattr(owner, name, deadly)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == KILLED, f"{name} was never called"


def enrolments(folder: Path) -> list[Enrolment]:
    with open_view(folder) as view:
        entries = list(view.entries())
    return [parse_enrolment(e.body) for e in entries if e.kind == EntryKind.ENROLMENT]


def passport_kinds(home: Home) -> list[str]:
    with Passport(home.passport, read_only=True) as passport:
        return [event.kind for event in passport.events(CHIP_ID)]


def is_sound(folder: Path) -> bool:
    *_, report = audit_run(folder)
    assert isinstance(report, AuditReport)
    return report.passed


STEPS: dict[str, tuple[Any, str]] = {
    "the file with the command key": (roster_module, "write_private"),
    "the command key on the board": (provision_module, "write_command_key"),
    "the entry of the ledger": (LedgerDesk, "log"),
    "boards.json": (Roster, "put"),
    "the passport": (Passport, "note"),
    "the end of the folder": (LedgerDesk, "_close"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_provisioning_that_was_killed_is_completed_by_the_same_command(
    step: str, when: str, tmp_path: Path, board: FakeBoard
) -> None:
    home = Home(tmp_path / "home")
    owner, name = STEPS[step]
    killed_in(owner, name, when, lambda: provision(home))
    ended = provision(home)
    assert ended.candidate.kid == board.node.kid
    (enrolment,) = enrolments(home.collected)
    assert enrolment.kid == board.node.kid
    (entry,) = json.loads(home.ports.read_bytes())["boards"]
    assert (entry["name"], entry["chip_id"]) == ("pump", CHIP_ID)
    assert passport_kinds(home) == ["provisioned"]
    assert is_sound(home.collected)


RETIRING: dict[str, tuple[Any, str]] = {
    "the entry of the ledger": (LedgerDesk, "log"),
    "boards.json": (Roster, "remove"),
    "the passport": (retire_module, "_note"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", RETIRING)
@pytest.mark.usefixtures("board")
def test_retiring_that_was_killed_is_completed_by_the_same_command(
    step: str, when: str, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    provision(home)
    serial = enrolments(home.collected)[0].serial
    owner, name = RETIRING[step]
    killed_in(owner, name, when, lambda: retire_node(home, serial))
    retire_node(home, serial)
    assert [int(e.action) for e in enrolments(home.collected)] == [0, 2]
    assert not home.ports.exists()
    assert passport_kinds(home) == ["provisioned", "retired"]
    assert is_sound(home.collected)


@pytest.mark.usefixtures("board")
def test_certificate_is_named_by_its_digest_and_kept_when_nothing_else_is_said(
    tmp_path: Path,
) -> None:
    from datetime import date
    from hashlib import sha256

    home = Home(tmp_path / "home")
    certificate = tmp_path / "certificate.pdf"
    certificate.write_bytes(b"%PDF")
    provision(home, calibration=str(certificate), due=date(2027, 6, 30))
    assert provision(home).index is None
    (enrolment,) = enrolments(home.collected)
    calibration = enrolment.calibration
    assert calibration is not None
    assert calibration.reference == "certificate.pdf"
    assert calibration.digest == sha256(b"%PDF").digest()
    assert calibration.due_ms == 1_814_313_600_000
    again = provision(home, calibration="certificate 2")
    assert again.index == 1
    assert passport_kinds(home) == ["provisioned", "calibrated", "provisioned", "calibrated"]


@pytest.mark.usefixtures("board")
def test_asset_of_a_key_cannot_be_changed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    provision(home, asset="heat-pump")
    with pytest.raises(ConfigError, match=r"is enrolled as .* for heat-pump \(real\)"):
        provision(home, asset="boiler")
    assert len(enrolments(home.collected)) == 1
    assert is_sound(home.collected)


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("option", ["name", "asset"])
def test_asset_that_no_contract_could_name_is_not_enrolled(tmp_path: Path, option: str) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigError, match=f"--{option}: a name of letters.*got 'heat pump'"):
        provision(home, **{option: "heat pump"})
    assert enrolments(home.collected) == []


@pytest.mark.usefixtures("board")
def test_serial_of_another_chip_and_name_of_another_board_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    provision(home)
    other = "240ac4999999"

    def ask(_repl: object, _address: str) -> Any:
        return replace(FACTS, chip_id=other, command_key=COMMAND_KEY)

    def open_port(address: str) -> Port:
        node = ShowingNode(2, serial="demo-0001")
        node.ueid = b"\x02" + bytes.fromhex(other)
        return Port(address, Wire(node))

    monkeypatch.setattr(provision_module, "ask_board", ask)
    monkeypatch.setattr(provision_module, "open_port", open_port)
    with pytest.raises(ConfigError, match="--name pump: is the name of the board with serial"):
        provision(home)
    with pytest.raises(
        ConfigError, match="serial demo-0001 is enrolled for the chip 240ac4123456"
    ):
        provision(home, name="other")
    assert len(enrolments(home.collected)) == 1


@pytest.mark.usefixtures("board")
def test_lost_command_key_is_drawn_anew_and_everything_else_stays(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    provision(home)
    (home.keys / f"{CHIP_ID}.key").unlink()
    assert provision(home).index is None
    assert read_ports(home.ports).ports[0].expected.name == "pump"
    assert len(enrolments(home.collected)) == 1


@pytest.mark.usefixtures("board")
def test_due_date_without_a_calibration_is_refused(tmp_path: Path) -> None:
    from datetime import date

    with pytest.raises(ConfigError, match="--due: says until when a calibration holds"):
        provision(Home(tmp_path), due=date(2027, 1, 1))


@pytest.mark.parametrize(
    ("name", "said"), [("certificate.pdf", "no such file"), ("papers", "is a folder")]
)
def test_mistyped_path_of_a_certificate_is_not_logged_as_its_words(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "papers").mkdir()
    with pytest.raises(ConfigError, match=f"--calibration .*{name}: {said}"):
        provision(Home(tmp_path), calibration=str(tmp_path / name))


@pytest.mark.usefixtures("board")
def test_board_that_takes_anothers_port_takes_it_out_of_the_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: boards provisioned in turn on one cable are not mistaken for each other."""
    home = Home(tmp_path / "home")
    provision(home)
    other = ShowingNode(2, serial="WT-2")
    other.ueid = b"\x02" + bytes.fromhex("240ac4999999")
    monkeypatch.setattr(provision_module, "open_port", lambda name: Port(name, Wire(other)))
    facts = replace(FACTS, chip_id="240ac4999999", command_key=COMMAND_KEY)
    with monkeypatch.context() as patch:
        patch.setattr(provision_module, "ask_board", lambda _repl, _address: facts)
        options = ProvisionOptions(port="PORT", home=home, name="fan", cfg=bytes(16))
        *_, taken, ended = provision_board(options, lambda _candidate: True)
    assert taken == PortTaken(names=("pump",))
    assert isinstance(ended, Enrolled)
    assert [port.expected.name for port in read_ports(home.ports).ports] == ["fan"]
    with pytest.raises(ConfigError, match="--name pump: is the name of the board"):
        Roster(home).check_name("pump", "240ac4999999")
    retired = retire_node(home, "pump")
    assert retired.serial == ended.candidate.serial.replace("WT-2", "demo-0001")
    assert [port.expected.name for port in read_ports(home.ports).ports] == ["fan"]


@pytest.mark.usefixtures("board")
def test_board_that_is_found_again_keeps_its_name(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    provision(home)
    roster = Roster(home)
    enrolment = enrolments(home.collected)[0]
    late = Roster(home)
    roster.command_key("f" * 12)
    gone = roster.put(enrolment, name="fan", port="PORT", chip_id="f" * 12, interval_ms=1000)
    assert gone == ["pump"]
    again = late.put(enrolment, name="pump", port="OTHER", chip_id=CHIP_ID, interval_ms=1000)
    assert again == []
    names = [port.expected.name for port in read_ports(home.ports).ports]
    assert names == ["fan", "pump"], "what was written since it was read is kept"
    assert "elsewhere" not in json.loads(home.ports.read_bytes())


@pytest.mark.usefixtures("board")
def test_bench_whose_last_board_is_retired_has_no_list_of_boards(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    provision(home)
    retire_node(home, "pump")
    assert not home.ports.exists()
    assert scan_ports(home, lister=list).remarks == ()


@pytest.mark.usefixtures("board")
def test_words_that_are_no_text_are_no_trouble_after_the_ledger_has_its_entry(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigError, match="--calibration: expected a file, or 1 to 64 printable"):
        provision(home, calibration="\udcff")
    provision(home)
    retire_node(home, "pump", reason="gone \udcff")
    assert passport_kinds(home) == ["provisioned", "retired"]
