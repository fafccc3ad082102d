"""One job at a port at a time, whatever name the port was given by."""

from __future__ import annotations

from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from wattest.errors import LinkError
from wattest.operations.commission.home import Home
from wattest.operations.commission.turn import port_turn


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A USB port with the serial number 0123456789 in the socket 1-4.2."""
    port = tmp_path / "ttyUSB0"
    port.touch()
    info = ListPortInfo(str(port), skip_link_detection=True)
    info.vid, info.pid, info.serial_number, info.location = 0x10C4, 0xEA60, "0123456789", "1-4.2"
    monkeypatch.setattr(list_ports, "comports", lambda: [info])
    return port


@pytest.mark.parametrize("name", ["PORT", "LINK", "usb:0123456789", "usb:1-4.2"])
def test_a_port_is_one_port_under_all_its_names(plugged: Path, tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "home")
    link = tmp_path / "by-id"
    link.symlink_to(plugged)
    other = {"PORT": str(plugged), "LINK": str(link)}.get(name, name)
    with (
        port_turn(home, str(plugged)),
        pytest.raises(LinkError, match="another job is at this port"),
        port_turn(home, other),
    ):
        pass
    with port_turn(home, other):
        pass  # it is free again


def test_a_plug_that_is_not_there_is_said_at_once(plugged: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(LinkError, match="nothing with this USB serial number or place"),
        port_turn(Home(tmp_path), "usb:999"),
    ):
        pass
