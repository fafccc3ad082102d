"""What a scan says of ports without opening them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from wattest.link import Holder, Holders, SerialPort
from wattest.operations.commission.home import Home
from wattest.operations.commission.scan import FoundPort, Scan, scan_ports, slot_of
from wattest.store import Passport

S3 = SerialPort(
    address="/dev/ttyACM0",
    description="USB JTAG/serial debug unit",
    vid=0x303A,
    pid=0x1001,
    serial="7C:DF:A1:00:00:01",
    location="1-4.2",
)
BRIDGE = SerialPort(
    address="/dev/ttyUSB0",
    description="CP2102N USB to UART Bridge Controller",
    vid=0x10C4,
    pid=0xEA60,
    serial="0001",
    location="1-4.3",
)
MODEM = SerialPort(address="/dev/ttyACM9", description="modem", vid=0x1199, pid=0x68A2)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def nobody(addresses: list[str]) -> Mapping[str, Holders]:
    return dict.fromkeys(addresses, Holders())


def scan(home: Home, *ports: SerialPort, announced: tuple[Path, ...] = ()) -> Scan:
    return scan_ports(home, announced, lister=lambda: ports, lookup=nobody)


def only(scan: Scan) -> FoundPort:
    (port,) = scan.ports
    return port


def boards_file(path: Path, *, pid: int, port: str, serial: str, kind: str) -> Path:
    board = {
        "port": port,
        "name": "heat-pump",
        "asset": "heat-pump",
        "serial": serial,
        "board": "esp32-devkitc",
        "kind": kind,
        "demo": kind != "real",
        "cfg": "00" * 16,
        "power_max_milliwatts": 1,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "real":
        (path.parent / "heat-pump.key").write_text("00" * 32)
        board["command_key_file"] = "heat-pump.key"
    else:
        board["command_key"] = "00" * 32
    path.write_text(json.dumps({"format": 1, "pid": pid, "boards": [board]}))
    return path


def test_usb_identity_names_the_boards_that_fit(home: Home) -> None:
    found = only(scan(home, BRIDGE))
    assert "esp32-devkitc" in found.boards
    assert "esp32-s3-devkitc-1" in found.boards
    assert (found.slot, found.usb, found.chip_id) == ("1-4.3", "10c4:ea60", None)
    assert only(scan(home, MODEM)).boards == ()


def test_chip_that_says_its_mac_is_known_by_its_passport(home: Home) -> None:
    assert only(scan(home, S3)).chip_id == "7cdfa1000001"
    with Passport(home.passport) as passport:
        detail = {"board": "esp32-s3-devkitc-1", "serial": "WT-7CDFA1000001"}
        passport.note("7cdfa1000001", "seen", detail, at_ms=1, slot="1-9")
    found = only(scan(home, S3))
    assert found.boards == ("esp32-s3-devkitc-1",)
    assert found.node == "WT-7CDFA1000001"
    assert found.last_here is None


def test_board_that_was_in_a_socket_last_is_named_but_not_taken_for_granted(home: Home) -> None:
    with Passport(home.passport) as passport:
        passport.note("246f28aabbcc", "seen", {"board": "esp32-devkitc"}, at_ms=1, slot="1-4.3")
    found = only(scan(home, BRIDGE))
    assert found.last_here == "246f28aabbcc"
    assert found.chip_id is None
    assert len(found.boards) > 1


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "usb:1-4.3"])
def test_node_that_was_provisioned_behind_a_port_is_named(home: Home, port: str) -> None:
    boards_file(home.ports, pid=0, port=port, serial="HP-0001", kind="real")
    with Passport(home.passport) as passport:
        passport.note("246f28aabbcc", "provisioned", {"serial": "HP-0001"}, at_ms=1)
    found = only(scan(home, BRIDGE))
    assert (found.node, found.boards) == ("HP-0001", ("esp32-devkitc",))
    assert found.chip_id == "246f28aabbcc"


def test_emulated_boards_that_are_up_are_ports_too(home: Home, tmp_path: Path) -> None:
    path = boards_file(
        tmp_path / "boards.json",
        pid=os.getpid(),
        port="/dev/pts/77",
        serial="DEMO-1",
        kind="emulated",
    )
    found = only(scan(home, announced=(path, path)))
    assert (found.address, found.node, found.served_by) == ("/dev/pts/77", "DEMO-1", os.getpid())
    assert found.boards == ("esp32-devkitc",)


def test_announcement_of_boards_whose_program_is_gone_counts_for_nothing(
    home: Home, tmp_path: Path
) -> None:
    path = boards_file(
        tmp_path / "boards.json", pid=2**22 + 1, port="/dev/pts/77", serial="D", kind="emulated"
    )
    assert scan(home, announced=(path,)).ports == ()


def test_broken_announcement_is_a_remark_and_the_rest_is_still_shown(
    home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "boards.json"
    path.write_text("{")
    found = scan(home, BRIDGE, announced=(path,))
    assert len(found.ports) == 1
    assert found.remarks[0].startswith(f"passed over: {path}: cannot be read")


def test_holders_are_named_but_not_the_program_that_embodies_a_board(
    home: Home, tmp_path: Path
) -> None:
    pid = os.getpid()
    path = boards_file(
        tmp_path / "boards.json", pid=pid, port="/dev/pts/7", serial="D", kind="emulated"
    )
    tool = Holder(pid=1, name="mpremote")
    held = Holders(found=(Holder(pid=pid, name="wattest"), tool), hidden=3)
    found = scan_ports(
        home, [path], lister=list, lookup=lambda addresses: dict.fromkeys(addresses, held)
    )
    assert only(found).holders.found == (tool,)
    assert found.remarks == (
        "3 processes of other users hide what they hold: a port that looks free may be theirs",
    )


def test_system_that_cannot_tell_who_holds_a_port_says_so(home: Home) -> None:
    found = scan_ports(
        home,
        lister=lambda: [BRIDGE],
        lookup=lambda addresses: dict.fromkeys(addresses, Holders(can_tell=False)),
    )
    assert not only(found).holders.can_tell
    assert found.remarks == ("this system does not tell which program holds a port",)


def test_slot_of_an_address_is_its_usb_socket(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyUSB0")
    for address in ("/dev/ttyUSB0", str(link), "usb:1-4.3"):
        assert slot_of(address, lister=lambda: [S3, BRIDGE]) == "1-4.3"
    for address in ("/dev/pts/3", "socket://host:1", "usb:9-9"):
        assert slot_of(address, lister=lambda: [S3, BRIDGE]) is None
