"""A port that is pulled out and comes back: behind the same link, or by another name."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattest.errors import LinkError
from wattest.link import SerialPort
from wattest.operations.live.opener import PortOpener
from wattest.operations.live.reader import PortLost, PortOpened, PortRead, PortReader, Report

if sys.platform == "win32":
    pytest.skip("this system has no pseudo terminals", allow_module_level=True)

import tty

GIVE_UP_S = 20.0


class Plug:
    """A pseudo terminal in the place of a board's USB plug."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.ours)
        tty.setraw(self.theirs)
        self.address = os.ttyname(self.theirs)

    def say(self, data: bytes) -> None:
        os.write(self.ours, data)

    def pull(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


class Reading:
    """A reader at work, and what it reported."""

    def __init__(self, opener: PortOpener) -> None:
        self.inbox: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.reader = PortReader("turbine", opener.open(), reopen=opener.open, inbox=self.inbox)
        self.reader.start()

    def until(self, kind: type) -> Report:
        while not isinstance(report := self.inbox.get(timeout=GIVE_UP_S), kind):
            pass
        return report

    def bytes(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            report = self.until(PortRead)
            assert isinstance(report, PortRead)
            data += report.data
        return data


@pytest.fixture
def socket_link(tmp_path: Path) -> Path:
    """A link such as those of /dev/serial/by-id."""
    return tmp_path / "usb-board-if00"


@pytest.fixture
def first(socket_link: Path) -> Iterator[Plug]:
    plug = Plug()
    socket_link.symlink_to(plug.address)
    return plug


def test_port_behind_a_link_is_read_on_when_the_link_leads_somewhere_again(
    first: Plug, socket_link: Path
) -> None:
    reading = Reading(PortOpener(lambda: str(socket_link)))
    first.say(b"before")
    assert reading.bytes(6) == b"before"
    socket_link.unlink()
    first.pull()
    lost = reading.until(PortLost)
    assert isinstance(lost, PortLost)
    assert "the port vanished" in str(lost.error)
    second = Plug()
    second.say(b"said before anybody listened, ")
    socket_link.symlink_to(second.address)
    reading.until(PortOpened)
    second.say(b"and after")
    assert reading.bytes(39) == b"said before anybody listened, and after"
    reading.reader.stop()
    second.pull()


def test_chip_that_enumerates_anew_under_another_name_is_found_and_read_on(first: Plug) -> None:
    def plugged(plug: Plug, serial: str, pid: int) -> SerialPort:
        return SerialPort(
            address=plug.address,
            description="",
            vid=0x303A,
            pid=pid,
            serial=serial,
            location="1-4",
        )

    there = [plugged(first, "7C:DF:A1:00:00:01", 0x1001)]
    reading = Reading(PortOpener(lambda: first.address, lister=lambda: there))
    first.say(b"rom")
    assert reading.bytes(3) == b"rom"
    stranger, second = Plug(), Plug()
    there[:] = [plugged(stranger, "7C:DF:A1:00:00:02", 0x4001)]
    first.pull()
    reading.until(PortLost)
    stranger.say(b"not me")
    second.say(b"micropython")
    there.append(plugged(second, "7cdfa1000001", 0x4001))
    reading.until(PortOpened)
    assert reading.bytes(11) == b"micropython"
    reading.reader.stop()
    stranger.pull()
    second.pull()


def test_usb_address_that_is_not_there_is_refused_at_the_beginning() -> None:
    with pytest.raises(LinkError, match="usb:7cdfa1000001: nothing with this USB"):
        PortOpener(lambda: "usb:7cdfa1000001", lister=list).open()
