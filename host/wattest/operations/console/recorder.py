"""The permanent recorder of one port: reads it, keeps what it says, lends it, takes it back.

One thread reads the port and appends to the log, and never waits for anybody else. Another, the
desk, serves other programs. A watcher that is slow or stuck costs nothing: it reads the log.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from wattest import __version__
from wattest.errors import LinkClosed, LinkError, StoreError, WattestError
from wattest.link import Port, Whereabouts, open_port
from wattest.operations.console.chunk import ChunkKind
from wattest.operations.console.desk import Desk
from wattest.operations.console.guard import BootGuard, FlapGuard
from wattest.operations.console.log_file import LogWriter, Position
from wattest.operations.console.places import (
    Announcement,
    find_recorder,
    listen,
    plain_address,
    withdraw,
)
from wattest.system import monotonic_ns, utc_ms
from wattest.units import NS_PER_MS

_READ_BYTES = 4096
_SLICE_S: Final = 0.1
_RETRY_S: Final = 0.1
_RETRY_REMOTE_S: Final = 1.0
_JOIN_S: Final = 5.0
_DRAIN_S: Final = 0.3


class Recorder:
    """Records one port until it is stopped; a context manager.

    Args:
        address: of the port.
        folder: of the log.
        wait: begin even if the port is not there yet: what the board says first is then kept.
        opener: opens the port; for tests.

    Raises:
        LinkError: the port cannot be opened, or another recorder has it.
        StoreError: the log or the socket cannot be made.
    """

    def __init__(
        self,
        address: str,
        folder: Path,
        *,
        wait: bool = False,
        opener: Callable[[], Port] | None = None,
    ) -> None:
        self.announcement = Announcement(
            address=plain_address(address), pid=os.getpid(), log=str(folder.absolute())
        )
        self.address = address
        self.error: WattestError | None = None
        place = Whereabouts(address)
        self._open = opener or (lambda: open_port(place.now(), keep_input=True))
        self._retry_s = _RETRY_REMOTE_S if "://" in address else _RETRY_S
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._nudged = threading.Event()
        self._wants_reset = False
        self._holder = ""
        self._is_given = False  # the port, to that holder
        self._lent_ns = 0
        self._state = "lost"
        self._why = "it has not been there yet"
        self._guard = BootGuard()
        self._flaps = FlapGuard()
        _refuse_second(address)
        self._port = self._first(wait)
        with ExitStack() as undo:
            if self._port is not None:
                undo.callback(self._port.close)
            self._log = LogWriter(folder)
            undo.callback(self._log.close)
            self._desk = Desk(listen(self.announcement), self)
            undo.pop_all()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._note("started", port=self.announcement.address, pid=os.getpid(), by=__version__)
        self._desk.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and the log; watchers are told."""
        withdraw(self.announcement)  # before the next one may announce itself in its place
        self._stopped.set()
        self._nudged.set()
        self._thread.join(_JOIN_S)
        self._desk.stop()
        self._log.close()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the recorder to end by itself: true if it has, see `error`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # ---- for the desk ------------------------------------------------------------------------

    def standing(self) -> dict[str, Any]:
        """Return how things are: state, why, and where the log ends."""
        with self._lock:
            at = self._log.position
            return {"state": self._state, "why": self._why, "at": [at.segment, at.offset]}

    def send(self, data: bytes) -> str:
        """Write bytes to the board; return why not, or ``""``."""
        with self._lock:
            port = self._port if self._state == "open" else None
            if port is None:
                return self._why
            self._append(ChunkKind.SENT, data)
        try:
            port.write(data)
        except LinkError as exc:
            return str(exc)
        return ""

    def reset(self) -> str:
        """Reset the board, at once or as soon as the port is open; return why not, or ``""``."""
        with self._lock:
            port = self._port if self._state == "open" else None
            self._wants_reset = port is None
        if port is None:
            return ""
        try:
            port.reset()
        except LinkError as exc:
            return str(exc)
        self._note("reset")
        return ""

    def lend(self, holder: str) -> str:
        """Let go of the port as soon as possible; return why not, or ``""``."""
        with self._lock:
            if self._holder:
                seconds = (monotonic_ns() - self._lent_ns) // 1_000_000_000
                return f"has been lent to {self._holder} for {seconds} s"
            self._holder, self._is_given = holder, False
            self._lent_ns = monotonic_ns()
        self._nudged.set()
        return ""

    def take_back(self) -> None:
        """The holder needs the port no more, or is gone."""
        with self._lock:
            holder, self._holder = self._holder, ""
            was_given, self._is_given = self._is_given, False
        try:
            if holder and was_given:  # else it is still open
                lent_ms = (monotonic_ns() - self._lent_ns) // NS_PER_MS
                self._note("back", holder=holder, lent_ms=lent_ms, why="is being opened again")
        except StoreError as exc:  # the recorder's own thread meets it too, and ends
            self.error = exc
        self._nudged.set()

    # ---- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                if self._holder:
                    self._lend()
                elif self._port is None:
                    self._reopen()
                else:
                    self._read(self._port)
        except WattestError as exc:
            self.error = exc
        finally:
            self._end()

    def _end(self) -> None:
        port, self._port = self._port, None
        try:
            if port is not None:
                self._drain(port)
            self._note("stopped", why="its recorder has ended")
        except WattestError as exc:
            self.error = self.error or exc
        finally:
            if port is not None:
                port.close()
        self._desk.nudge()

    def _first(self, wait: bool) -> Port | None:
        try:
            return self._open()
        except LinkError:
            if not wait:
                raise
            return None

    def _reopen(self) -> None:
        try:
            port = self._open()
        except LinkError as exc:
            if self._state == "back":
                self._lost(exc)
            self._pause(self._retry_s)
            return
        self._port = port

    def _read(self, port: Port) -> None:
        """Read until the port is gone, lent or not wanted any more."""
        if self._state != "open":
            self._note("opened", why="", quiet=self._flaps.told)
        if self._wants_reset and (refused := self.reset()):
            self._note("not-reset", error=refused)
        try:
            while not self._stopped.is_set() and not self._holder:
                self._keep(port.read(_READ_BYTES, time.monotonic() + _SLICE_S))
        except LinkError as exc:
            self._port = None
            port.close()
            self._lost(exc)

    def _lend(self) -> None:
        """Read what is there, close, and wait for the port to come back."""
        with self._lock:
            holder, was_given = self._holder, self._is_given
            self._is_given = bool(holder)
        if not holder:
            return
        if not was_given:
            port, self._port = self._port, None
            if port is not None:
                self._drain(port)
                port.close()
            self._note("lent", holder=holder, why=f"is lent to {holder}")
            self._desk.lent(holder)
        self._pause(_SLICE_S)

    def _drain(self, port: Port) -> None:
        """Read what has arrived; a board that never stops talking gets no more than a moment."""
        until_s = time.monotonic() + _DRAIN_S
        try:
            while time.monotonic() < until_s and (data := port.read(_READ_BYTES, 0.0)):
                self._keep(data)
        except LinkClosed:
            return

    def _pause(self, timeout_s: float) -> None:
        self._nudged.wait(timeout_s)
        self._nudged.clear()

    def _lost(self, error: LinkError) -> None:
        self._note("lost", why=str(error), quiet=self._flaps.told)
        note = self._flaps.lost(monotonic_ns())
        if note is not None:
            self._tell(note)

    # ---- the log -----------------------------------------------------------------------------

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        with self._lock:
            self._append(ChunkKind.RECEIVED, data)
        self._desk.nudge()
        for note in self._guard.take(data, monotonic_ns()):
            self._tell(note)

    def _note(self, event: str, **values: Any) -> None:
        """Log what happens to the port, which is also the state it is in from then on."""
        self._tell({"event": event, **values})

    def _tell(self, note: Mapping[str, Any]) -> None:
        with self._lock:
            if "why" in note:
                self._state = "open" if note["event"] == "opened" else str(note["event"])
                self._why = str(note["why"])
            self._append(ChunkKind.NOTE, json.dumps(note, ensure_ascii=False).encode())
        self._desk.nudge()

    def _append(self, kind: ChunkKind, data: bytes) -> None:
        self._log.append(kind, data, utc_ms=utc_ms(), mono_ns=monotonic_ns())

    @property
    def position(self) -> Position:
        """The end of the log."""
        return self._log.position


def _refuse_second(address: str) -> None:
    found = find_recorder(address)
    if found is not None:
        announcement, talk = found
        talk.close()
        raise LinkError(
            f"{address}: is recorded by process {announcement.pid}",
            hint="`wattest console` watches it there",
        )
