"""One thread a port: it opens the port, reads it, and opens it again when it comes back."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wattest.errors import LinkError, WattestError
from wattest.link import Port

RETRY_S_MIN = 0.25
RETRY_S_MAX = 5.0
REPORTS_AT_ONCE = 1000
_READ_BYTES = 4096
_SLICE_S = 0.2
_JOIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOpened:
    """The port of a lane is open."""

    lane: str
    port: Port


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRead:
    """Bytes came in."""

    lane: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLost:
    """The port is gone; it is looked for until it is back."""

    lane: str
    error: WattestError


Report = PortOpened | PortRead | PortLost


class Inbox:
    """What the readers report, in order; any thread may put."""

    def __init__(self) -> None:
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()

    def put(self, report: Report) -> None:
        """Add a report."""
        self._reports.put(report)

    def take(self, timeout_s: float) -> Iterator[Report]:
        """Yield what is there, waiting for the first.

        At most `REPORTS_AT_ONCE`: deadlines and people have their turn though a port floods us.
        """
        try:
            yield self._reports.get(timeout=timeout_s)
            for _ in range(REPORTS_AT_ONCE - 1):
                yield self._reports.get_nowait()
        except queue.Empty:
            return


class PortReader:
    """Keeps one port open and reads it.

    Args:
        lane: whose port, for the reports.
        port: open already.
        reopen: opens it again.
        inbox: takes the reports, in order.
    """

    def __init__(
        self,
        lane: str,
        port: Port,
        *,
        reopen: Callable[[], Port],
        inbox: Inbox,
    ) -> None:
        self._lane = lane
        self._port = port
        self._reopen = reopen
        self._inbox = inbox
        self._stopped = threading.Event()
        self._dropped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"port of {lane}", daemon=True)

    def start(self) -> None:
        """Begin; the first report is that the port is open."""
        self._thread.start()

    def drop(self) -> None:
        """Give the port up and look for it anew: writing to it failed."""
        self._dropped.set()

    def stop(self) -> None:
        """Close the port and end the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        port: Port | None = self._port
        while port is not None:
            with port:
                self._inbox.put(PortOpened(lane=self._lane, port=port))
                error = self._read(port)
            if error is not None:
                self._inbox.put(PortLost(lane=self._lane, error=error))
            port = self._come_back()

    def _read(self, port: Port) -> WattestError | None:
        """Read until the port is gone (why) or not wanted any more."""
        self._dropped.clear()
        while not self._stopped.is_set():
            if self._dropped.is_set():
                return LinkError(f"{port.address}: takes nothing any more")
            try:
                data = port.read(_READ_BYTES, time.monotonic() + _SLICE_S)
            except WattestError as error:  # a recorder's log may fail in other ways than a line
                return error
            if data:
                self._inbox.put(PortRead(lane=self._lane, data=data))
        return None

    def _come_back(self) -> Port | None:
        """Try to open the port, ever more rarely; None once stopped."""
        wait_s = RETRY_S_MIN
        while not self._stopped.wait(wait_s):
            try:
                return self._reopen()
            except WattestError:
                wait_s = min(2 * wait_s, RETRY_S_MAX)
        return None
