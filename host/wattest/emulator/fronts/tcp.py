"""A board's serial port as a TCP port: raw bytes, one client at a time (``socket://``)."""

from __future__ import annotations

import contextlib
import selectors
import socket

from wattest.emulator.fronts.front import ServedBoard
from wattest.errors import EmulatorError

LOOPBACK = "127.0.0.1"
_READ_BYTES = 16_384
_UNREAD_BYTES_MAX = 1 << 20  # a flashing stub sends 64 blocks of 4096 bytes ahead of the tool
_PORT_MAX = 65_535


class SocketFront:
    """One board behind one TCP port.

    Nobody is asked who they are: whoever reaches the port owns the board. What the board sends
    while no client is there is lost. A second client is turned away.

    Args:
        board: the board.
        host: interface to listen on.
        port: TCP port; 0 for one that is free.

    Attributes:
        address: what a tool opens, ``socket://host:port``.

    Raises:
        EmulatorError: the port cannot be had.
    """

    SCHEME = "socket"

    def __init__(self, board: ServedBoard, *, host: str = LOOPBACK, port: int = 0) -> None:
        try:
            self._listener = _listen(host, port)
        except OSError as exc:
            raise EmulatorError(
                f"cannot listen on {host}:{port}: {_reason(exc)}",
                hint="give another address, or port 0 for one that is free",
            ) from exc
        self._listener.setblocking(False)
        self._board = board
        self._client: socket.socket | None = None
        self._unread = bytearray()
        self._selector: selectors.BaseSelector | None = None
        self.address = f"{self.SCHEME}://{host}:{self._listener.getsockname()[1]}"
        self._unsubscribe = board.on_output(self._send)

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register what to wait on."""
        self._selector = selector
        selector.register(self._listener, selectors.EVENT_READ, self._accept)
        if self._client is not None:
            selector.register(self._client, selectors.EVENT_READ, self._receive)

    def tick(self) -> None:
        """Send on what the client had no room for."""
        if self._unread:
            self._flush()

    def close(self) -> None:
        """Turn the client away and stop listening; the board goes on."""
        self._unsubscribe()
        if self._client is not None:
            self._client.close()
        self._listener.close()

    # ---- what differs on other kinds of TCP port -----------------------------------------------

    def _begin(self) -> None:
        """A client has come."""

    def _end(self) -> None:
        """The client has gone."""
        self._board.hang_up()

    def _decode(self, data: bytes) -> bytes:
        """Return what the bytes of a client carry for the board."""
        return data

    def _encode(self, data: bytes) -> bytes:
        """Return what carries bytes of the board to a client."""
        return data

    def _write(self, data: bytes) -> None:
        """Send bytes to the client as they are."""
        if self._client is None or len(self._unread) > _UNREAD_BYTES_MAX:
            return
        self._unread += data
        self._flush()

    # ---- inside --------------------------------------------------------------------------------

    def _accept(self) -> None:
        self._receive()  # a client that has left makes room for the next
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if self._client is not None:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._unread.clear()
        assert self._selector is not None
        self._selector.register(client, selectors.EVENT_READ, self._receive)
        self._begin()

    def _receive(self) -> None:
        while self._client is not None:
            try:
                data = self._client.recv(_READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._drop()
                return
            carried = self._decode(data)
            if carried:
                self._board.feed(carried)

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if self._selector is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(client)
        client.close()
        self._end()

    def _send(self, _t_ns: int, data: bytes) -> None:
        self._write(self._encode(data))

    def _flush(self) -> None:
        while self._client is not None and self._unread:
            try:
                sent = self._client.send(self._unread)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # the client is gone; reading finds out
                self._unread.clear()
                return
            del self._unread[:sent]


def _reason(exc: OSError) -> str:
    """Return why nobody can listen there, without the address that Python puts behind it."""
    return (exc.strerror or str(exc)).partition(" (while")[0].lower()


def _listen(host: str, port: int) -> socket.socket:
    if port > _PORT_MAX:
        raise OSError(f"expected a port up to {_PORT_MAX}")
    return socket.create_server((host, port))
