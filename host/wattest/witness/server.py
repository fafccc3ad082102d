"""The witness on HTTP: add-checkpoint, and the newest cosigned note of each log for reading.

    POST /add-checkpoint                        c2sp.org/tlog-witness
    GET  /SHA-256-OF-ORIGIN/checkpoint          newest note it cosigned; not in that protocol
    GET  /                                      who it is

Nothing a client sends ends it: bodies are bounded, silence is cut off, errors are answers.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wattest import __version__
from wattest.errors import ConfigError, StoreError
from wattest.ledger.witness import REQUEST_BYTES_MAX, TEXT_TYPE
from wattest.system import utc_ms
from wattest.witness.keeper import Handled, Keeper

CLIENTS_MAX = 32
SILENCE_S = 15

_NEWEST = re.compile(r"/([0-9a-f]{64})/checkpoint")


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness; `serve_forever` until `shutdown` is called from another thread.

    Args:
        keeper: the witness.
        host: address to listen on.
        port: 0 for a free one.
        tell: is told of every request that asked for a cosignature, from any thread.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self, keeper: Keeper, host: str, port: int, *, tell: Callable[[Handled], None]
    ) -> None:
        self.keeper = keeper
        self.tell = tell
        self._room = threading.BoundedSemaphore(CLIENTS_MAX)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise ConfigError(
                f"cannot be listened on: {reason}",
                path=f"--listen {host}:{port}",
                hint="choose another address or port",
            ) from error

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, if there is room; else close it at once."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread to be had
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and give its room back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Drop a connection that broke off; the witness goes on."""


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version = f"wattest/{__version__}"
    sys_version = ""
    timeout = SILENCE_S

    def do_POST(self) -> None:
        """Answer add-checkpoint."""
        body = self._body()
        if body is None:
            return
        if self.path != "/add-checkpoint":
            self._say(HTTPStatus.NOT_FOUND, b"expected /add-checkpoint\n")
            return
        try:
            answer, handled = self.server.keeper.answer(body, time_s=lambda: utc_ms() // 1000)
        except StoreError as error:
            line = error.diagnostics()
            self.server.tell(Handled(status=500, origin="", size=None, message=line))
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, b"the witness cannot write its state\n")
            return
        self.server.tell(handled)
        self._say(answer.status, answer.body, answer.content_type)

    def do_GET(self) -> None:
        """Answer who this is, or what it has cosigned."""
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # its body, which is not read, is no request of its own
        keeper = self.server.keeper
        if self.path == "/":
            text = f"wattest witness\n{keeper.key.to_text()}\n"
            self._say(HTTPStatus.OK, text.encode())
            return
        match = _NEWEST.fullmatch(self.path)
        note = keeper.newest(match[1]) if match else None
        if note is None:
            self._say(HTTPStatus.NOT_FOUND, b"nothing there\n")
        else:
            self._say(HTTPStatus.OK, note)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: whoever serves is told of requests in `tell`."""

    def _body(self) -> bytes | None:
        """Read the body; None if the answer was given already."""
        self.close_connection = True  # until all that was announced has been read
        lengths = self.headers.get_all("Content-Length", [])
        length = lengths[0] if len(lengths) == 1 else ""
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"[0-9]{1,9}", length):
            self._say(HTTPStatus.LENGTH_REQUIRED, b"expected Content-Length\n")
            return None
        if int(length) > REQUEST_BYTES_MAX:
            line = f"expected at most {REQUEST_BYTES_MAX} bytes\n"
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, line.encode())
            return None
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            return None  # it left in the middle: nobody is there to be answered
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        return body

    def _say(self, status: int, body: bytes, content_type: str = TEXT_TYPE) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
