"""Fronts without a board behind them: who hears what, and when the board learns of a hang-up."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import serial
from port_harness import Served, serving

from wattest.emulator.fronts import PtyFront, SocketFront
from wattest.emulator.world import World
from wattest.errors import EmulatorError

needs_pty = pytest.mark.skipif(
    sys.platform == "win32", reason="this system has no pseudo terminals"
)


pyserial_warns = pytest.mark.filterwarnings(
    "ignore:set(Daemon|Name):DeprecationWarning"  # pyserial 3.5 itself
)


class Probe:
    """A board that writes down what it is told."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.log: list[tuple] = []
        self._subscribers: list[Callable[[int, bytes], None]] = []

    def feed(self, data: bytes, t_ns: int | None = None) -> None:
        if self.log and self.log[-1][0] == "fed":
            data = self.log.pop()[1] + data
        self.log.append(("fed", data))

    def on_output(self, subscriber: Callable[[int, bytes], None]) -> Callable[[], None]:
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        self.log.append(("lines", dtr, rts))

    def hang_up(self) -> None:
        self.log.append(("hung up",))

    def say(self, data: bytes) -> None:
        for subscriber in self._subscribers:
            subscriber(0, data)


def wait_for_log(port: Served, probe: Probe, log: list[tuple]) -> None:
    """Wait until the probe has been told this much; all of it must be as expected."""
    port.wait_until(lambda: len(probe.log) >= len(log), f"{log}, only {probe.log}")
    assert port.call(lambda: list(probe.log)) == log


def open_raw(address: str) -> int:
    return os.open(address, os.O_RDWR | os.O_NOCTTY)


def read_all(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(descriptor, size - len(data))
    return data


def client_of(port: Served) -> socket.socket:
    host, _, number = port.address.partition("://")[2].partition(":")
    return socket.create_connection((host, int(number)), timeout=20)


# ---- pseudo terminals --------------------------------------------------------------------------


@needs_pty
def test_what_was_said_before_a_tool_opened_the_terminal_is_still_there() -> None:
    probe = Probe()
    with serving(probe) as port:
        said = bytes(range(256)) * 20
        port.call(lambda: probe.say(said))
        terminal = open_raw(port.address)
        assert read_all(terminal, len(said)) == said
        os.write(terminal, said)
        os.close(terminal)
        wait_for_log(port, probe, [("fed", said), ("hung up",)])


@needs_pty
def test_bytes_written_just_before_closing_arrive_before_the_hang_up() -> None:
    probe = Probe()
    with serving(probe) as port:

        def write_and_leave() -> None:
            terminal = open_raw(port.address)
            os.write(terminal, b"last words")
            os.close(terminal)

        port.call(write_and_leave)
        wait_for_log(port, probe, [("fed", b"last words"), ("hung up",)])


@needs_pty
def test_terminal_that_is_closed_and_opened_again_at_once_was_hung_up() -> None:
    probe = Probe()
    with serving(probe) as port:
        first = open_raw(port.address)
        os.write(first, b"first")
        wait_for_log(port, probe, [("fed", b"first")])

        def hand_over() -> int:  # between two looks of the loop
            os.close(first)
            second = open_raw(port.address)
            os.write(second, b"second")
            return second

        second = port.call(hand_over)
        wait_for_log(port, probe, [("fed", b"first"), ("hung up",), ("fed", b"second")])
        os.close(second)
        port.wait_until(lambda: len(probe.log) == 4, "second hang-up")


@needs_pty
def test_terminal_is_hung_up_when_its_last_user_closes_it() -> None:
    probe = Probe()
    with serving(probe) as port:
        one = open_raw(port.address)
        os.write(one, b"1")
        wait_for_log(port, probe, [("fed", b"1")])
        other = open_raw(port.address)
        os.write(other, b"2")
        wait_for_log(port, probe, [("fed", b"12")])
        os.close(one)
        os.write(other, b"3")
        wait_for_log(port, probe, [("fed", b"123")])
        os.close(other)
        wait_for_log(port, probe, [("fed", b"123"), ("hung up",)])


@needs_pty
def test_link_to_a_terminal_is_made_and_taken_away(tmp_path: Path) -> None:
    link = tmp_path / "tty-node"
    link.symlink_to("nowhere")
    front = PtyFront(Probe(), link=link)
    assert front.address == str(link)
    assert str(link.readlink()).startswith("/dev/")
    front.close()
    assert not link.is_symlink()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(EmulatorError, match=r"cannot make the link .*file"):
        PtyFront(Probe(), link=tmp_path / "file")


@needs_pty
def test_board_is_not_held_up_by_a_terminal_that_nobody_reads() -> None:
    probe = Probe()
    with serving(probe) as port:
        for _ in range(100):
            port.call(lambda: probe.say(bytes(4096)))
        terminal = open_raw(port.address)
        assert len(read_all(terminal, 4096)) == 4096
        os.close(terminal)


# ---- sockets -----------------------------------------------------------------------------------


def test_socket_carries_bytes_both_ways_and_its_closing_is_a_hang_up() -> None:
    probe = Probe()
    every_byte = bytes(range(256))
    with serving(probe, "socket") as port:
        port.call(lambda: probe.say(b"nobody hears this"))
        with client_of(port) as client:
            client.sendall(every_byte)
            wait_for_log(port, probe, [("fed", every_byte)])
            port.call(lambda: probe.say(every_byte))
            assert client.recv(256, socket.MSG_WAITALL) == every_byte
        wait_for_log(port, probe, [("fed", every_byte), ("hung up",)])


def test_second_client_is_turned_away_and_welcome_when_the_first_has_left() -> None:
    probe = Probe()
    with serving(probe, "socket") as port:
        with client_of(port) as first:
            first.sendall(b"first")
            wait_for_log(port, probe, [("fed", b"first")])
            with client_of(port) as second:
                assert second.recv(1) == b""
            first.sendall(b" stays")
            wait_for_log(port, probe, [("fed", b"first stays")])
        with client_of(port) as third:
            third.sendall(b"third")
            wait_for_log(port, probe, [("fed", b"first stays"), ("hung up",), ("fed", b"third")])


def test_client_that_does_not_read_loses_bytes_and_not_the_board() -> None:
    probe = Probe()
    with serving(probe, "socket") as port, client_of(port) as client:
        client.sendall(b"here")
        wait_for_log(port, probe, [("fed", b"here")])
        for _ in range(300):
            port.call(lambda: probe.say(bytes(65_536)))
        assert len(client.recv(65_536, socket.MSG_WAITALL)) == 65_536
        client.sendall(b" still")
        wait_for_log(port, probe, [("fed", b"here still")])


def test_port_that_is_taken_is_refused_in_one_line() -> None:
    front = SocketFront(Probe())
    number = int(front.address.rpartition(":")[2])
    with pytest.raises(EmulatorError, match=rf"cannot listen on 127\.0\.0\.1:{number}: "):
        SocketFront(Probe(), port=number)
    front.close()


# ---- RFC 2217 ----------------------------------------------------------------------------------


@pyserial_warns
def test_rfc2217_carries_every_byte_both_ways_at_any_speed() -> None:
    probe = Probe()
    every_byte = bytes(range(256))
    with serving(probe, "rfc2217") as port:
        with serial.serial_for_url(port.address, baudrate=921_600, timeout=20) as line:
            line.write(every_byte)
            port.wait_until(lambda: ("fed", every_byte) in probe.log, "bytes")
            port.call(lambda: probe.say(every_byte))
            assert line.read(256) == every_byte
            line.baudrate = 115_200
        port.wait_until(lambda: probe.log[-1] == ("lines", False, False), "falling lines")
        assert ("hung up",) not in probe.log, "a port with lines is reset by its lines only"


@pyserial_warns
def test_rfc2217_brings_the_lines_of_a_reset_in_order() -> None:
    probe = Probe()
    with (
        serving(probe, "rfc2217") as port,
        serial.serial_for_url(port.address, timeout=20) as line,
    ):
        port.call(probe.log.clear)
        line.dtr = False
        line.rts = True
        line.dtr = True
        line.rts = False
        wait_for_log(
            port,
            probe,
            [
                ("lines", False, True),
                ("lines", False, True),
                ("lines", True, True),
                ("lines", True, False),
            ],
        )


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xf0",  # the end of an option that has not begun
        b"\xff\xfa\x2c\x03\x63\xff\xf0",  # an unknown parity
        b"\xff\xfa\x2c\x01\x00\xff\xf0",  # a speed of one byte
        b"\xff\xfa\x2c\x0b\xff\xf0",  # a mask that is not there
    ],
)
def test_client_that_breaks_the_protocol_is_dropped_and_the_next_is_served(
    nonsense: bytes,
) -> None:
    probe = Probe()
    with serving(probe, "rfc2217") as port:
        with client_of(port) as client:
            client.sendall(nonsense)
            while client.recv(4096):  # its greeting, then the end
                pass
        with client_of(port) as client:
            client.sendall(b"plain bytes")
            port.wait_until(lambda: ("fed", b"plain bytes") in probe.log, "bytes")
