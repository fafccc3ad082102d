"""The file of ports: what a person may write in it, and what nobody may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from wattest.errors import ConfigError, LinkError
from wattest.operations.live.nodes import enrolment_of
from wattest.operations.live.ports import PortsFile, address_now, ports_document, read_ports
from wattest.verify import EnrolmentKind

REAL: dict[str, Any] = {
    "port": "/dev/ttyUSB0",
    "name": "heat-pump",
    "asset": "heat-pump",
    "serial": "HP-0001",
    "board": "esp32-devkitc",
    "kind": "real",
    "demo": False,
    "cfg": "00" * 16,
    "power_max_milliwatts": 5_000_000,
    "command_key_file": "heat-pump.key",
}
EMULATED = {
    **{key: value for key, value in REAL.items() if key != "command_key_file"},
    "name": "lamp",
    "serial": "DEMO-lamp",
    "kind": "emulated",
    "demo": True,
    "command_key": "11" * 32,
    "public_key": "22" * 64,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "heat-pump.key").write_text("33" * 32 + "\n")
    return tmp_path


def read(folder: Path, *boards: dict[str, Any], **top: Any) -> PortsFile:
    path = folder / "boards.json"
    path.write_text(json.dumps({"format": 1, "boards": boards, **top}))
    return read_ports(path)


def test_real_and_emulated_boards_are_read_as_what_they_are(folder: Path) -> None:
    file = read(folder, REAL, EMULATED, speed="5/2", started_ms=7)
    real, emulated = file.ports
    assert (real.expected.kind, real.expected.demo) == (EnrolmentKind.REAL, False)
    assert real.expected.command_key == b"\x33" * 32
    assert (emulated.expected.kind, emulated.expected.demo) == (EnrolmentKind.EMULATED, True)
    assert (file.speed, file.started_ms) == (Fraction(5, 2), 7)


def test_what_is_written_is_read_again(folder: Path) -> None:
    file = read(folder, EMULATED, pid=12, speed="10")
    path = folder / "again.json"
    path.write_text(json.dumps(ports_document(file)))
    assert read_ports(path) == replace(file, path=path)


def test_port_of_boards_that_are_gone_is_not_opened(folder: Path) -> None:
    """Its number may be the terminal of somebody else by now."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    file = read(folder, EMULATED, pid=gone.pid)
    with pytest.raises(LinkError, match=f"the boards' process {gone.pid} is gone"):
        address_now(file, file.ports[0])
    assert file.path is not None
    file.path.unlink()
    with pytest.raises(LinkError, match=r"is not up: .*no such file"):
        address_now(file, file.ports[0])


def test_port_is_where_it_is_announced_now(folder: Path) -> None:
    file = read(folder, EMULATED, pid=os.getpid())
    assert address_now(file, file.ports[0]) == EMULATED["port"]
    read(folder, {**EMULATED, "port": "/dev/pts/77"}, pid=os.getpid())
    assert address_now(file, file.ports[0]) == "/dev/pts/77"
    for other in ({"public_key": "33" * 64}, {"command_key": "33" * 32}, {"serial": "DEMO-2"}):
        read(folder, {**EMULATED, **other}, pid=os.getpid())
        with pytest.raises(LinkError, match="another board is announced"):
            address_now(file, file.ports[0])


def test_port_that_a_person_wrote_down_is_taken_at_their_word(folder: Path) -> None:
    file = read(folder, REAL)
    assert address_now(file, file.ports[0]) == REAL["port"]


def test_known_public_key_is_enrolled_as_its_board_is(folder: Path) -> None:
    real, emulated = read(folder, REAL, EMULATED).ports
    assert enrolment_of(real, enrolled_ms=1) is None, "it has to answer a challenge"
    enrolment = enrolment_of(emulated, enrolled_ms=1)
    assert enrolment is not None
    assert (enrolment.kind, enrolment.demo) == (EnrolmentKind.EMULATED, True)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "demo keys on a real board": ({**REAL, "demo": True}, r"boards\[0\]\.demo: .* false for real"),
    "emulated keys that are not called demo": ({**EMULATED, "demo": False}, "expected true"),
    "serial of demo keys on a real board": ({**REAL, "serial": "DEMO-1"}, "says that its keys"),
    "unknown kind": ({**REAL, "kind": "paper"}, "kind: expected one of real, emulated, bench"),
    "no kind": ({k: v for k, v in REAL.items() if k != "kind"}, "kind: expected str, got None"),
    "key of a real board in the open": (
        {k: v for k, v in REAL.items() if k != "command_key_file"} | {"command_key": "11" * 32},
        "command_key_file: expected str",
    ),
    "an asset no contract can name": ({**REAL, "asset": "heat pump"}, "a name of letters"),
    "no such key file": ({**REAL, "command_key_file": "no.key"}, "cannot be read"),
    "key of another size": ({**EMULATED, "command_key": "11"}, "expected 32 bytes in hex"),
    "cfg that is no hex": ({**REAL, "cfg": "x" * 32}, "cfg: expected 16 bytes in hex"),
    "public key of another size": ({**EMULATED, "public_key": "22"}, "public_key: expected 64"),
    "number in words": ({**REAL, "power_max_milliwatts": "5"}, "expected int, got '5'"),
    "truth for a number": ({**REAL, "power_max_milliwatts": True}, "expected int, got True"),
}


@pytest.mark.parametrize(("board", "said"), BAD.values(), ids=BAD)
def test_wrong_board_is_refused(folder: Path, board: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read(folder, board)
    assert "\n" not in caught.value.diagnostics()


def test_wrong_file_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_ports(folder / "none.json")
    (folder / "text.json").write_text("boards")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_ports(folder / "text.json")
    (folder / "list.json").write_text("[]")
    with pytest.raises(ConfigError, match="expected an object"):
        read_ports(folder / "list.json")
    with pytest.raises(ConfigError, match="at least one board"):
        read(folder)
    with pytest.raises(ConfigError, match="different names"):
        read(folder, REAL, REAL)
    with pytest.raises(ConfigError, match="format: expected 1"):
        read(folder, REAL, format=2)
    with pytest.raises(ConfigError, match="speed: expected a number above 0"):
        read(folder, REAL, speed="fast")
    with pytest.raises(ConfigError, match="speed: expected a number above 0"):
        read(folder, REAL, speed="0")
