"""Ports: what arrives, what leaves, and what is said when they are not there any more."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import serial
import serial.rfc2217

from wattest.errors import LinkClosed, LinkError
from wattest.link import Port, open_port

if sys.platform == "win32":
    pytest.skip("this system has no pseudo terminals", allow_module_level=True)

import tty

SOON_S = 5.0


class Terminal:
    """A pseudo terminal: our end, and the address of the other."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.ours)
        tty.setraw(self.theirs)
        self.address = os.ttyname(self.theirs)
        self.gone = False

    def vanish(self) -> None:
        if not self.gone:
            os.close(self.ours)
            os.close(self.theirs)
        self.gone = True


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.vanish()


@pytest.fixture
def port(terminal: Terminal) -> Iterator[Port]:
    with open_port(terminal.address) as port:
        yield port


def soon() -> float:
    return time.monotonic() + SOON_S


def read_all(port: Port, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = port.read(size - len(data), soon())
        assert piece, f"only {data!r} arrived"
        data += piece
    return data


def test_read_returns_what_is_there_and_no_more_than_asked(terminal: Terminal, port: Port) -> None:
    os.write(terminal.ours, b"hello \x00\x03\xff")
    assert read_all(port, 3) == b"hel"
    assert read_all(port, 6) == b"lo \x00\x03\xff"


def test_read_returns_nothing_at_its_deadline(port: Port) -> None:
    assert port.read(1, time.monotonic()) == b""


def test_what_is_written_arrives(terminal: Terminal, port: Port) -> None:
    port.write(b"\x00\x03\r\n")
    assert os.read(terminal.ours, 100) == b"\x00\x03\r\n"


def test_reading_from_a_port_that_vanishes_says_so(terminal: Terminal, port: Port) -> None:
    terminal.vanish()
    with pytest.raises(LinkClosed, match=f"^{terminal.address}: the port vanished: "):
        port.read(1, soon())


def test_writing_to_a_port_that_vanished_says_so(terminal: Terminal, port: Port) -> None:
    terminal.vanish()
    with pytest.raises(LinkClosed, match="the port vanished"):
        port.write(b"x")
    port.close()


def test_second_opener_is_refused_and_the_first_goes_on(terminal: Terminal, port: Port) -> None:
    with pytest.raises(LinkError, match="in use by another program") as caught:
        open_port(terminal.address)
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.diagnostics()
    port.write(b"still here")
    assert os.read(terminal.ours, 100) == b"still here"


def test_closed_port_can_be_opened_again(terminal: Terminal) -> None:
    open_port(terminal.address).close()
    open_port(terminal.address).close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/dev/no-such-port", "no such port; is the board plugged in"),
        ("/dev/null", "not a serial port"),
        ("/", "is a directory"),
        ("carrier-pigeon://loft", "invalid URL"),
        ("socket://127.0.0.1", "cannot be opened"),
    ],
)
def test_address_that_leads_nowhere_is_one_clear_line(address: str, said: str) -> None:
    with pytest.raises(LinkError, match=f"^{address}: ") as caught:
        open_port(address)
    assert said in caught.value.diagnostics()


def test_nobody_listening_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(LinkError, match="connection refused"):
        open_port(f"socket://127.0.0.1:{number}")


def test_socket_carries_bytes_both_ways_until_it_hangs_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        open_port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port,
    ):
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"abc")
            assert read_all(port, 3) == b"abc"
            port.write(b"xyz")
            assert peer.recv(10) == b"xyz"
        with pytest.raises(LinkClosed, match="hung up"):
            port.read(1, soon())


class Rfc2217Server:
    """A serial port behind a network server; its line is a loop, so all of it comes back."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        self._peer.sendall(data)

    def _serve(self) -> None:
        self._peer, _ = self._server.accept()
        line = serial.serial_for_url("loop://", timeout=0)
        manager = serial.rfc2217.PortManager(line, self)
        with self._peer, line:
            while data := self._peer.recv(1024):
                line.write(b"".join(manager.filter(data)))
                if back := line.read(line.in_waiting):
                    self.write(b"".join(manager.escape(back)))

    def close(self) -> None:
        self._thread.join(SOON_S)
        self._server.close()
        assert not self._thread.is_alive()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial 3.5 itself
def test_rfc2217_carries_every_byte_both_ways() -> None:
    server = Rfc2217Server()
    try:
        everything = bytes(range(256))
        with open_port(server.address) as port:
            port.write(everything)
            assert read_all(port, 256) == everything
    finally:
        server.close()
