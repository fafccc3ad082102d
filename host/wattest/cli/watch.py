"""Follows a headless run: what a person sees on standard error while it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from wattest.cli.output import ProgressLine
from wattest.operations import events
from wattest.operations.events import RunEvent, RunFinished, RunStarted
from wattest.system import monotonic_ns

_REDRAW_NS = 100_000_000
_NODES_NAMED = 6
_STATES_TOLD = {"running", "off", "unplugged", "crashed"}


class Watch:
    """Counts what a run reports and draws its progress.

    Args:
        progress: where to draw.
    """

    def __init__(self, progress: ProgressLine) -> None:
        self.progress = progress
        self.started: RunStarted | None = None
        self.readings = 0
        self.refused = 0
        self.lost = 0
        self._drawn_ns = 0

    def follow(self, run: Iterator[RunEvent]) -> RunFinished | None:
        """Take every event; return the last one when the run came to its end."""
        for event in run:
            finished = self._take(event)
            if finished is not None:
                return finished
        return None

    def _take(self, event: RunEvent) -> RunFinished | None:
        match event:
            case events.RunStarted():
                self._start(event)
            case events.Progressed():
                self._draw(event.now_ms, event.end_ms)
            case events.RecordLogged():
                self.readings += 1
            case events.RecordRefused():
                self.refused += 1
            case events.FrameLost():
                self.lost += 1
            case events.FaultApplied():
                detail = f": {event.detail}" if event.detail else ""
                self._say(event.now_ms, event.node, f"{event.kind}{detail}")
            case events.FaultJudged():
                mark = "as expected" if event.passed else f"expected {event.expected}"
                self._say(event.now_ms, event.node, f"{event.kind}: {event.got}, {mark}")
            case events.NodeChanged():
                if event.state in _STATES_TOLD:
                    self._say(event.now_ms, event.node, f"now {event.state}")
            case events.ConsolePrinted() | events.CheckpointSigned() | events.StatementDrawn():
                pass
            case events.RunFinished():
                return event
            case _:
                assert_never(event)
        return None

    def _start(self, event: RunStarted) -> None:
        self.started = event
        names = ", ".join(node.name for node in event.nodes[:_NODES_NAMED])
        more = len(event.nodes) - _NODES_NAMED
        tail = f" and {more} more" if more > 0 else ""
        self.progress.say(f"{event.scenario}, seed {event.seed}: {names}{tail}")

    def _draw(self, now_ms: int, end_ms: int) -> None:
        now_ns = monotonic_ns()
        if now_ns - self._drawn_ns < _REDRAW_NS and now_ms < end_ms:
            return
        self._drawn_ns = now_ns
        assert self.started is not None, "a run starts with RunStarted"
        start_ms = self.started.start_ms
        text = f"{_clock(now_ms - start_ms)} of {_clock(end_ms - start_ms)}, "
        text += f"{self.readings} records"
        for count, what in ((self.refused, "refused"), (self.lost, "damaged frames")):
            text += f", {count} {what}" if count else ""
        self.progress.update(now_ms - start_ms, end_ms - start_ms, text)

    def _say(self, now_ms: int, node: str, text: str) -> None:
        start_ms = self.started.start_ms if self.started else now_ms
        self.progress.say(f"{_clock(now_ms - start_ms)} {node}: {text}")


def _clock(elapsed_ms: int) -> str:
    minutes, seconds = divmod(abs(elapsed_ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    # Before the load begins the boards boot and are enrolled: less than nothing has elapsed.
    return f"{'-' if elapsed_ms < 0 else ''}{hours:02d}:{minutes:02d}:{seconds:02d}"
