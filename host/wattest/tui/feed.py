"""Carries a run's events from its own thread to the screen, through a queue with an end.

The run lives in one thread, and so do its store and its boards. When the screen is slow the run
waits; when the screen is gone the run comes to its end unseen, or is closed where it stands.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from wattest.operations.events import RunEvent, RunFinished

EVENTS_MAX = 2_000
_PUT_WAIT_S = 0.1


class Feed:
    """One run in one thread.

    Args:
        events_factory: begins the run; called in the thread.
        capacity: how many events may wait for the screen.

    Attributes:
        finished: how the run ended, once it has.
        error: what it raised, once it has.
    """

    def __init__(
        self, events_factory: Callable[[], Iterator[RunEvent]], *, capacity: int = EVENTS_MAX
    ) -> None:
        self._factory = events_factory
        self._queue: queue.Queue[RunEvent] = queue.Queue(maxsize=capacity)
        self._unseen = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._work, name="run")
        self.finished: RunFinished | None = None
        self.error: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether the run has ended and every event was taken."""
        return not self._thread.is_alive() and self._queue.empty()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def take(self, limit: int = EVENTS_MAX) -> list[RunEvent]:
        """Return what has happened since the last call, at most ``limit`` events; never waits."""
        taken: list[RunEvent] = []
        while len(taken) < limit:
            try:
                taken.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return taken

    def leave(self) -> None:
        """Nobody looks any more: let the run go on to its end, unseen."""
        self._unseen.set()

    def abandon(self) -> None:
        """Close the run at its next event; what is committed stays."""
        self._abandoned.set()
        self._unseen.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the run has ended and closed its files; say whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            events = self._factory()
            try:
                self._follow(events)
            finally:
                close = getattr(events, "close", None)
                if close is not None:
                    close()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error

    def _follow(self, events: Iterator[RunEvent]) -> None:
        for event in events:
            if isinstance(event, RunFinished):
                self.finished = event
            self._put(event)
            if self._abandoned.is_set():
                return

    def _put(self, event: RunEvent) -> None:
        while not self._unseen.is_set():
            try:
                self._queue.put(event, timeout=_PUT_WAIT_S)
            except queue.Full:
                continue
            return
