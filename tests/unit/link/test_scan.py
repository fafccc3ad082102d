"""Ports found by what is plugged in, not by the name the system gave it."""

from __future__ import annotations

import pytest

from wattest.errors import LinkError
from wattest.link import SerialPort, Whereabouts, find_usb, serial_ports


def usb(
    address: str, serial: str | None, location: str, vid: int = 0x303A, pid: int = 0x1001
) -> SerialPort:
    return SerialPort(
        address=address, description="", vid=vid, pid=pid, serial=serial, location=location
    )


C3 = usb("/dev/ttyACM0", "7C:DF:A1:00:00:01", "1-4.2")
BRIDGE = usb("/dev/ttyUSB0", "0001", "1-4.3", 0x10C4, 0xEA60)
OTHER_BRIDGE = usb("/dev/ttyUSB1", "0001", "1-4.4", 0x10C4, 0xEA60)
CH340 = usb("/dev/ttyUSB2", None, "1-5", 0x1A86, 0x7523)
TTY = SerialPort(address="/dev/ttyS0", description="")


def test_ports_of_this_machine_can_be_listed() -> None:
    assert all(port.address for port in serial_ports())


def test_chip_with_a_usb_port_of_its_own_says_its_chip_id() -> None:
    assert C3.chip_id == "7cdfa1000001"
    assert C3.usb == "303a:1001"
    assert [port.chip_id for port in (BRIDGE, CH340, TTY)] == [None, None, None]
    assert TTY.usb is None


@pytest.mark.parametrize(
    "address", ["usb:7C:DF:A1:00:00:01", "usb:7cdfa1000001", "usb:7CDFA1000001", "usb:1-4.2"]
)
def test_usb_address_names_a_plug_or_a_socket(address: str) -> None:
    assert find_usb(address, lister=lambda: [BRIDGE, C3, TTY]) == "/dev/ttyACM0"


def test_any_other_address_is_left_as_it_is() -> None:
    for address in ("/dev/ttyUSB7", "COM3", "socket://[::1]:1", "rfc2217://host:1"):
        assert find_usb(address, lister=list) == address


@pytest.mark.parametrize("address", ["usb:", "usb:0001", "usb:1-9", "usb:-", "usb:ffffffffffff"])
def test_usb_address_of_nothing_is_one_clear_line(address: str) -> None:
    with pytest.raises(LinkError, match=f"^{address}: nothing with this USB") as caught:
        find_usb(address, lister=lambda: [C3, BRIDGE, OTHER_BRIDGE, CH340, TTY])
    assert "wattest boards scan" in caught.value.diagnostics()


def test_serial_number_that_two_plugs_share_is_refused_with_their_places() -> None:
    twin = usb("/dev/ttyACM1", C3.serial, "1-9")
    with pytest.raises(LinkError, match="2 ports have this serial number") as caught:
        find_usb("usb:7cdfa1000001", lister=lambda: [C3, twin])
    assert "usb:1-4.2, usb:1-9" in caught.value.diagnostics()


def test_board_that_comes_back_by_another_name_is_found_by_its_serial_number() -> None:
    there = [C3, BRIDGE]
    whereabouts = Whereabouts("/dev/ttyACM0", lister=lambda: there)
    assert whereabouts.now() == "/dev/ttyACM0"
    # In MicroPython the same chip writes its MAC another way and has another product number.
    there[0] = usb("/dev/ttyACM3", "7cdfa1000001", "2-1", pid=0x4001)
    assert whereabouts.now() == "/dev/ttyACM3"


def test_another_board_under_the_old_name_is_not_taken_for_the_one_that_left() -> None:
    there = [C3]
    whereabouts = Whereabouts("/dev/ttyACM0", lister=lambda: there)
    there[0] = usb("/dev/ttyACM0", "7C:DF:A1:00:00:02", "1-4.2")
    with pytest.raises(
        LinkError, match=r"ttyACM0: 303a:1001, serial number 7C.*is not plugged in"
    ):
        whereabouts.now()
    there.append(usb("/dev/ttyACM1", C3.serial, "1-7"))
    assert whereabouts.now() == "/dev/ttyACM1"


@pytest.mark.parametrize("plug", [BRIDGE, CH340], ids=["0001", "no serial number"])
def test_plug_whose_serial_number_tells_nothing_is_found_by_its_socket(plug: SerialPort) -> None:
    there = [plug, OTHER_BRIDGE]
    whereabouts = Whereabouts(plug.address, lister=lambda: there)
    there[:] = [
        usb("/dev/ttyUSB5", plug.serial, plug.location or "", plug.vid or 0, plug.pid or 0),
        OTHER_BRIDGE,
    ]
    assert whereabouts.now() == "/dev/ttyUSB5"
    del there[0]
    with pytest.raises(LinkError, match="is not plugged in"):
        whereabouts.now()


def test_of_two_plugs_with_one_serial_number_the_one_in_the_old_socket_is_meant() -> None:
    twin = usb("/dev/ttyACM1", C3.serial, "1-9")
    whereabouts = Whereabouts("/dev/ttyACM1", lister=lambda: [C3, twin])
    assert whereabouts.now() == "/dev/ttyACM1"


def test_board_that_is_plugged_in_later_is_known_from_then_on() -> None:
    there: list[SerialPort] = []
    whereabouts = Whereabouts("/dev/ttyACM0", lister=lambda: there)
    assert whereabouts.now() == "/dev/ttyACM0"
    there.append(C3)
    assert whereabouts.now() == "/dev/ttyACM0"
    there[0] = usb("/dev/ttyACM8", C3.serial, "3-1")
    assert whereabouts.now() == "/dev/ttyACM8"


@pytest.mark.parametrize("address", ["/dev/ttyS0", "/dev/pts/4", "socket://host:1"])
def test_what_is_no_usb_port_stays_where_it_was(address: str) -> None:
    assert Whereabouts(address, lister=lambda: [TTY, C3]).now() == address


def test_socket_that_was_asked_for_is_looked_up_anew_each_time() -> None:
    there = [C3]
    whereabouts = Whereabouts("usb:1-4.2", lister=lambda: there)
    assert whereabouts.now() == "/dev/ttyACM0"
    there[0] = usb("/dev/ttyACM4", "7C:DF:A1:00:00:09", "1-4.2")
    assert whereabouts.now() == "/dev/ttyACM4"
