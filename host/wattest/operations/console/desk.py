"""The recorder's desk: watchers, senders and holders of leases, each behind a socket.

One thread, no buffers that grow: a watcher is only told that the log has grown, and one that has
not taken what it was told before is told nothing more until it has.
"""

from __future__ import annotations

import base64
import binascii
import json
import queue
import selectors
import socket
import threading
from contextlib import suppress
from typing import Any, Final, Protocol

from wattest.errors import StoreError
from wattest.operations.console.talk import LINE_BYTES_MAX

_READ_BYTES = 4096
_JOIN_S: Final = 5.0
_GREW: Final = b'{"grown": true}\n'


class Served(Protocol):
    """What the desk asks of the recorder behind it."""

    def standing(self) -> dict[str, Any]:
        """Return state, why and where the log ends."""
        ...

    def send(self, data: bytes) -> str:
        """Write to the board; return why not, or ``""``."""
        ...

    def reset(self) -> str:
        """Reset the board; return why not, or ``""``."""
        ...

    def lend(self, holder: str) -> str:
        """Let go of the port; return why not, or ``""``."""
        ...

    def take_back(self) -> None:
        """Take the port back."""
        ...


class _Client:
    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self.line = line
        self.rest = b""
        self.out = b""
        self.watches = False


class Desk:
    """Serves whoever connects.

    Args:
        server: listening; closed by `stop`.
        recorder: whose desk it is.
    """

    def __init__(self, server: socket.socket, recorder: Served) -> None:
        server.setblocking(False)
        self._server = server
        self._recorder = recorder
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(server, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}
        self._holder: _Client | None = None
        self._awaited = ""  # by that holder: that the port is closed
        self._lent_to: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everybody."""
        self._stopped.set()
        self.nudge()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        for client in list(self._clients.values()):
            client.line.close()
        self._selector.close()
        for line in (self._server, self._ear, self._bell):
            line.close()

    def nudge(self) -> None:
        """The log has grown: tell the watchers. Any thread may call this; it never waits."""
        with suppress(BlockingIOError, OSError):
            self._bell.send(b"!")

    def lent(self, holder: str) -> None:
        """The port is closed: ``holder`` may have it. Any thread may call this."""
        self._lent_to.put(holder)
        self.nudge()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for key, events in self._selector.select():
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is self._ear:
                    self._heard()
                else:
                    client = self._clients.get(key.fileobj)  # type: ignore[call-overload]
                    if client is not None:
                        self._serve(client, events)

    def _accept(self) -> None:
        with suppress(OSError):
            line, _ = self._server.accept()
            self._clients[line] = _Client(line)
            self._selector.register(line, selectors.EVENT_READ)

    def _heard(self) -> None:
        with suppress(BlockingIOError):
            self._ear.recv(_READ_BYTES)
        with suppress(queue.Empty):
            while holder := self._lent_to.get_nowait():
                # Who hung up before it got the port is not told, nor who came in its place.
                if self._holder is not None and holder == self._awaited:
                    self._awaited = ""
                    self._say(self._holder, _answer(ok=True))
        for client in list(self._clients.values()):
            if client.watches and not client.out:
                self._say(client, _GREW)

    def _serve(self, client: _Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(client)
        if not events & selectors.EVENT_READ:
            return
        try:
            data = client.line.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.rest += data
        if not data or len(client.rest) > LINE_BYTES_MAX:
            self._drop(client)
            return
        *lines, client.rest = client.rest.split(b"\n")
        for line in lines:
            answer = self._do(client, line)
            if answer:
                self._say(client, answer)

    def _do(self, client: _Client, line: bytes) -> bytes:
        """Do what a line asks; return the answer, or nothing when it comes later."""
        try:
            request = json.loads(line)
            what = request["do"]
            if what == "watch":
                client.watches = True
                return _answer(ok=True, **self._recorder.standing())
            if what == "send":
                data = base64.b64decode(request["data"], validate=True)
                return _outcome(self._recorder.send(data))
            if what == "reset":
                return _outcome(self._recorder.reset())
            if what == "lease":
                return self._lease(client, str(request["holder"]))
            if what == "back" and client is self._holder:
                self._holder = None
                self._recorder.take_back()
                return _answer(ok=True)
        except (ValueError, KeyError, TypeError, binascii.Error) as exc:
            return _answer(refused=f"not understood: {exc}")
        except StoreError as exc:
            return _answer(refused=str(exc))
        return _answer(refused=f"not understood: {what!r}")

    def _lease(self, client: _Client, holder: str) -> bytes:
        refused = self._recorder.lend(holder)
        if refused:
            return _answer(refused=refused)
        self._holder, self._awaited = client, holder
        return b""

    def _say(self, client: _Client, data: bytes) -> None:
        client.out += data
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            client.out = client.out[client.line.send(client.out) :]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
        self._selector.modify(client.line, events)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.line, None) is None:
            return
        self._selector.unregister(client.line)
        client.line.close()
        if client is self._holder:
            self._holder = None
            self._recorder.take_back()


def _answer(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _outcome(refused: str) -> bytes:
    return _answer(refused=refused) if refused else _answer(ok=True)
