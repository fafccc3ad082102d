"""One operation at one port, in a thread of its own; the screen takes what it tells."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from typing import Any

from wattest.errors import WattestError
from wattest.operations.commission.boot_record import Stopped
from wattest.operations.commission.provision_events import Candidate
from wattest.operations.control import RunControl
from wattest.tui.boards.words import Told, told

Begin = Callable[[RunControl, Callable[[Candidate], bool]], Generator[Any]]


class Outcome(Enum):
    """How a job ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class _Question:
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class _End:
    outcome: Outcome
    text: str


class Job:
    """Flashing or provisioning one board.

    Args:
        title: for people.
        port: address of the port.
        begin: begins the operation; called in the thread, with the hand on it and a way to ask.

    Attributes:
        lines: what was told so far.
        done, total: of the step that runs; ``total`` is 0 if it does not move by numbers.
        candidate: who waits for a yes or no, or None.
        outcome: how it ended, or None.
    """

    def __init__(self, title: str, port: str, begin: Begin) -> None:
        self.title = title
        self.port = port
        self.lines: list[Told] = []
        self.done = self.total = 0
        self.candidate: Candidate | None = None
        self.outcome: Outcome | None = None
        self._begin = begin
        self._control = RunControl()
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=title)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def take(self) -> bool:
        """Fold what was told since the last call; say whether there was anything. Never waits."""
        news = False
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return news
            news = True
            self._fold(event)

    def answer(self, yes: bool) -> None:
        """Answer the question that waits, if one does."""
        if self.candidate is not None:
            self.candidate = None
            self._answers.put(yes)

    def stop(self) -> None:
        """Ask it to end; it says in what state it leaves the board."""
        self._control.stopped = True
        self._answers.put(False)

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread.ident is not None:
            self._thread.join()

    def _fold(self, event: Any) -> None:
        match event:
            case _Question():
                self.candidate = event.candidate
            case _End():
                self.candidate = None
                self.done = self.total = 0
                self.outcome = event.outcome
                if event.text:
                    self.lines.append(Told(text=event.text, style=_STYLES[event.outcome]))
            case _:
                said = told(event)
                self.done, self.total = said.done, said.total
                if said.text:
                    self.lines.append(said)

    def _approve(self, candidate: Candidate) -> bool:
        self._events.put(_Question(candidate))
        return self._answers.get()

    def _work(self) -> None:
        try:
            last: Any = None
            with closing(self._begin(self._control, self._approve)) as events:
                for last in events:
                    self._events.put(last)
            ended = told(last).outcome if last is not None else "done"
            self._events.put(_End(Outcome(ended), ""))
        except Stopped:
            self._events.put(_End(Outcome.STOPPED, "stopped; the board is as it was"))
        except WattestError as exc:
            self._events.put(_End(Outcome.FAILED, exc.diagnostics()))
        except BaseException as exc:
            self._events.put(_End(Outcome.FAILED, f"a bug in wattest: {exc!r}"))
            raise


_STYLES = {Outcome.DONE: "green", Outcome.FAILED: "bold red", Outcome.STOPPED: "yellow"}
