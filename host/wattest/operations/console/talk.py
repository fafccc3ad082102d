"""What recorder and other programs say to each other: one JSON object a line.

    to the recorder     {"do": "watch"}                      then ticks, until it hangs up
                        {"do": "send", "data": base64}       bytes for the board
                        {"do": "reset"}                      reset the board
                        {"do": "lease", "holder": words}     let go of the port
                        {"do": "back"}                       take it back, as after hanging up
    from the recorder   {"ok": true, ...} or {"refused": why}, one for each request, in order
                        {"grown": true}                      the log has grown

Bytes of the board never travel here: they are in the log, and everybody reads the log.
"""

from __future__ import annotations

import json
import select
import socket
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from wattest.errors import LinkClosed, LinkTimeout

LINE_BYTES_MAX: Final = 64 * 1024
_READ_BYTES = 4096


class Talk:
    """The other programs' end of a conversation with a recorder.

    Args:
        line: connected.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._line.fileno()

    def send(self, **values: Any) -> None:
        """Say one thing.

        Raises:
            LinkClosed: the recorder is gone.
        """
        try:
            self._line.sendall(json.dumps(values).encode() + b"\n")
        except OSError as exc:
            raise LinkClosed("the recorder of the port is gone") from exc

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """Return what the recorder says next; None if that is nothing within the time.

        Raises:
            LinkClosed: the recorder is gone.
        """
        until_s = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            left_s = max(0.0, until_s - time.monotonic())
            readable, _, _ = select.select([self._line], [], [], left_s)
            if not readable:
                return None
            try:
                data = self._line.recv(_READ_BYTES)
            except OSError:
                data = b""
            if not data:
                raise LinkClosed("the recorder of the port is gone")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        values: dict[str, Any] = json.loads(line)
        return values

    def ask(self, timeout_s: float, **values: Any) -> dict[str, Any]:
        """Say one thing and return the answer to it; ticks in between are passed over.

        Raises:
            LinkClosed: the recorder is gone.
            LinkTimeout: it does not answer.
        """
        self.send(**values)
        until_s = time.monotonic() + timeout_s
        while (answer := self.receive(max(0.0, until_s - time.monotonic()))) is not None:
            if "grown" not in answer:
                return answer
        raise LinkTimeout(
            f"the recorder of the port does not answer {values.get('do')!r}",
            deadline_s=timeout_s,
            received_bytes=0,
        )

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._line.close()
