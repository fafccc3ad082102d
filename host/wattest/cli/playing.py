"""Runs a scenario for ``demo``, ``run`` and ``replay``: in the terminal interface or headless."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, cast

from wattest.cli.output import ProgressLine, has_terminal, print_json

if TYPE_CHECKING:
    from wattest.operations.control import RunControl
    from wattest.operations.events import RunEvent, RunFinished, RunStarted
    from wattest.operations.virtual.run import RunOptions
    from wattest.scenario import Scenario

_SPEED_LIVE = 60.0


def play(scenario: Scenario, args: argparse.Namespace) -> int:
    """Run ``scenario`` as the common options in ``args`` ask.

    Returns:
        0 if every verdict is as the scenario expects, else 1.

    Raises:
        KeyboardInterrupt: somebody stopped it; what was logged is durable.
    """
    from wattest.operations.control import RunControl
    from wattest.operations.virtual.run import run

    headless = is_headless(args)
    options = run_options(args, headless=headless)
    control = RunControl(speed=options.speed)
    if not headless:
        return _play_live(scenario, options, control)
    # Closing the generator on the way out leaves what was committed durable.
    events = cast("Generator[RunEvent]", run(scenario, options, control))
    with stopping_on_interrupt(control), closing(events):
        started, finished = follow(events)
    if control.stopped:
        kept = f"; what was logged is kept in {args.out}" if args.out else ""
        raise KeyboardInterrupt(f"interrupted{kept}")
    return present(started, finished, as_json=args.json)


def _play_live(scenario: Scenario, options: RunOptions, control: RunControl) -> int:
    from wattest.cli.summary import show_verdict
    from wattest.operations.virtual.run import run
    from wattest.tui import run_tui

    kept = "" if options.out is None else str(options.out)
    with ExitStack() as stack:
        if options.out is None:
            # The ledger's screen opens the file beside the run, so there has to be one.
            folder = stack.enter_context(TemporaryDirectory(prefix="wattest-"))
            options = replace(options, out=Path(folder) / "run")
        finished = run_tui(lambda: run(scenario, options, control), control)
    if finished is None:
        if kept:
            print(f"left before its end; kept in {kept}: wattest verify {kept}")
        return 0
    show_verdict(finished, out=kept)
    return 0 if finished.passed else 1


@contextmanager
def stopping_on_interrupt(control: RunControl) -> Iterator[None]:
    """Turn the first Ctrl-C into a request to stop; the second one interrupts as usual.

    An exception raised inside a callback of the emulator or of littlefs would be lost there, and
    with it the interrupt; between two slices of virtual time nothing is half done.
    """
    previous = signal.getsignal(signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        control.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def is_headless(args: argparse.Namespace) -> bool:
    """Tell whether there is a terminal to draw on and somebody who wants it."""
    return bool(args.headless or args.json or not has_terminal())


def run_options(args: argparse.Namespace, *, headless: bool) -> RunOptions:
    """Return the options of a run; without ``--speed`` a person gets a pace to look at."""
    from wattest.operations.virtual.run import RunOptions

    speed = args.speed
    if speed is False:
        speed = None if headless else _SPEED_LIVE
    return RunOptions(speed=speed, out=args.out, duration_s=args.duration_s, seed=args.seed)


def follow(
    events: Iterator[RunEvent], progress: ProgressLine | None = None
) -> tuple[RunStarted, RunFinished]:
    """Take a run's events to its end, with progress on stderr; return the first and the last."""
    from wattest.cli.watch import Watch

    watch = Watch(progress or ProgressLine())
    try:
        finished = watch.follow(events)
    finally:
        watch.progress.clear()
    assert watch.started is not None, "a run begins with RunStarted"
    assert finished is not None, "a run ends with RunFinished"
    return watch.started, finished


def present(started: RunStarted, finished: RunFinished, *, as_json: bool) -> int:
    """Print the summary of a run on stdout.

    Returns:
        0 if every verdict is as expected, else 1.
    """
    from wattest.cli import summary

    if as_json:
        print_json(summary.as_json(started, finished))
    else:
        summary.show(started, finished)
    return 0 if finished.passed else 1
