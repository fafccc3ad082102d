"""Runs a scenario on emulated boards: from power-on to logged statements, told as events.

pre-roll    boards boot, prove their keys, are enrolled and given the time
run         the load flows; faults and actions happen; records are verified, logged, mirrored
closing     every node answers a last challenge with fresh registers; open faults are judged
settlement  statements are drawn from the ledger and logged in it
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from wattest.emulator.pacing import Pacer
from wattest.operations.control import RunControl
from wattest.operations.events import Progressed, RunEvent
from wattest.operations.virtual.bench import PRE_ROLL_NS
from wattest.operations.virtual.rig import VirtualRig
from wattest.operations.virtual.run_summary import describe, finish
from wattest.scenario import Scenario, prepare
from wattest.system import monotonic_ns, wait_ns
from wattest.units import NS_PER_MS, NS_PER_S

CLOSING_LIMIT_MS = 600_000
_FRAME_NS = 100_000_000
_SLICES_PER_RUN = 400
_VIEWS_PER_RUN = 20
_PAUSE_NS = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run a scenario.

    Args:
        speed: virtual seconds per real second, or None for as fast as it goes.
        out: folder that keeps all of the run, or None: nothing is kept.
        duration_s: instead of the scenario's, or None.
        seed: instead of the scenario's, or None.
    """

    speed: float | None = None
    out: Path | None = None
    duration_s: int | None = None
    seed: int | None = None


def run(
    scenario: Scenario, options: RunOptions, control: RunControl | None = None
) -> Iterator[RunEvent]:
    """Run a scenario; yields events as they happen, `RunFinished` last.

    Closing the generator stops the run; what was committed stays durable.

    Args:
        scenario: what to run.
        options: how to run it.
        control: the hand of a person; speed and requests are read between slices.

    Raises:
        ConfigError: a load, board or output folder is wrong; nothing was started.
        EmulatorError: a board did not come up.
        StoreError: the ledger could not be written; nothing that was acknowledged is lost.
    """
    control = control or RunControl(speed=options.speed)
    if options.seed is not None:
        scenario = replace(scenario, seed=options.seed)
    if options.duration_s is not None:
        scenario = scenario.lasting(options.duration_s * NS_PER_S)
    prepared = prepare(scenario)
    told: deque[RunEvent] = deque()
    with ExitStack() as stack:
        rig = stack.enter_context(VirtualRig(prepared, out=options.out, emit=told.append))
        _describe(rig)
        rig.boot()
        _describe(rig)
        told.appendleft(rig.started())
        yield from _drain(told)
        drive = _Drive(rig, control, told)
        yield from drive.to(PRE_ROLL_NS + scenario.duration_ns)
        yield from drive.close()
        stopped = control.stopped
        yield from _settle(rig, told, stopped=stopped)
        told.append(finish(rig, stopped=stopped))
        yield from _drain(told)


def _describe(rig: VirtualRig) -> None:
    """Write what is known of the run, so that it can be audited wherever it ends."""
    if rig.run_dir is not None:
        rig.run_dir.write_json(describe(rig))


class _Drive:
    """Moves virtual time on in slices, and looks at the hand on the controls between them."""

    def __init__(self, rig: VirtualRig, control: RunControl, told: deque[RunEvent]) -> None:
        self._rig = rig
        self._control = control
        self._told = told
        self._pacer = Pacer(rig.world, speed=None, monotonic_ns=monotonic_ns, wait=wait_ns)
        self._next_view_ns = 0

    def to(self, end_ns: int) -> Iterator[RunEvent]:
        """Run to ``end_ns`` of the world, or until somebody stops it."""
        world = self._rig.world
        while world.now_ns < end_ns and not self._control.stopped:
            for request in self._control.requests():
                self._rig.conductor.ask(request)
            if self._control.paused:
                wait_ns(_PAUSE_NS)
                yield from _drain(self._told)
                continue
            self._slice(end_ns)
            self._look(end_ns)
            yield from _drain(self._told)

    def close(self) -> Iterator[RunEvent]:
        """Ask every node for a last reading; let open faults come to their verdict."""
        rig = self._rig
        limit_ns = rig.world.now_ns + CLOSING_LIMIT_MS * NS_PER_MS + rig.closing_extra_ns
        yield from self._until(rig.conductor.settled, limit_ns)
        rig.ask_closing_readings()
        yield from self._until(rig.closing_readings_in, limit_ns)
        rig.flush()
        yield from _drain(self._told)

    def _until(self, done: Callable[[], bool], limit_ns: int) -> Iterator[RunEvent]:
        world = self._rig.world
        while not done() and world.now_ns < limit_ns and not self._control.stopped:
            self._pacer.speed = None
            self._pacer.run(min(world.now_ns + NS_PER_S, limit_ns), lambda: True)
            yield from _drain(self._told)

    def _slice(self, end_ns: int) -> None:
        speed = self._control.speed
        world = self._rig.world
        exact = None if speed is None else Fraction(speed)
        if self._pacer.speed != exact:
            self._pacer.speed = exact
        if exact is None:
            step_ns = max(self._rig.duration_ns // _SLICES_PER_RUN, NS_PER_S)
        else:
            step_ns = max(int(_FRAME_NS * exact), NS_PER_MS)
        control = self._control
        self._pacer.run(
            min(world.now_ns + step_ns, end_ns),
            lambda: control.speed == speed and not control.stopped and not control.paused,
        )

    def _look(self, end_ns: int) -> None:
        """Draw the running statements, say how far we are."""
        rig = self._rig
        if rig.world.now_ns >= self._next_view_ns or self._control.speed is not None:
            self._next_view_ns = rig.world.now_ns + rig.duration_ns // _VIEWS_PER_RUN
            for drawn in rig.running_statements():
                self._told.append(drawn)
        self._told.append(
            Progressed(now_ms=rig.now_ms, end_ms=rig.ms_of(end_ns)),
        )


def _settle(rig: VirtualRig, told: deque[RunEvent], *, stopped: bool) -> Iterator[RunEvent]:
    rig.settle(stopped=stopped)
    yield from _drain(told)


def _drain(told: deque[RunEvent]) -> Iterator[RunEvent]:
    while told:
        yield told.popleft()
