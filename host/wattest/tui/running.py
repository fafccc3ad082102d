"""Runs the interface over a run: begins it, leaves it in order, hands on how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wattest.operations.control import RunControl
from wattest.operations.events import RunEvent, RunFinished
from wattest.tui.app import BenchApp
from wattest.tui.feed import Feed
from wattest.tui.model import RunView


def run_tui(
    events_factory: Callable[[], Iterator[RunEvent]],
    control: RunControl,
    *,
    kept: bool = False,
    live: bool = False,
) -> RunFinished | None:
    """Show a run until the person leaves.

    The run goes in a thread of its own. Who leaves early stops it: it comes to its end unseen, so
    what it keeps is complete. Ctrl-C while that takes long closes it where it stands.

    Args:
        events_factory: begins the run.
        control: the hand on it.
        kept: the run is over and only told again; it cannot be attacked.
        live: it is collected from ports; nor can that be attacked, or its time be changed.

    Returns:
        How the run ended; None when the person left before.

    Raises:
        WattestError: what the run raised.
        KeyboardInterrupt: the person would not wait for the run's end.
    """
    feed = Feed(events_factory)
    view = RunView(first_state="kept" if kept else "running", live=live)
    app = BenchApp(view, control, feed=feed, kept=kept)
    left_early = True
    try:
        app.run()
        left_early = feed.finished is None
    finally:
        _close(feed, control, kept=kept)
    if feed.error is not None:
        raise feed.error
    return None if left_early else feed.finished


def _close(feed: Feed, control: RunControl, *, kept: bool) -> None:
    """Let the run come to its end and wait for it."""
    control.stopped = True
    control.paused = False
    if kept:
        feed.abandon()
    else:
        feed.leave()
    try:
        feed.join()
    except KeyboardInterrupt:
        feed.abandon()
        feed.join()
        raise
