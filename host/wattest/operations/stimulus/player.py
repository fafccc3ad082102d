"""Plays a load profile in time: a level each step, read back, energy summed as it truly was.

A step's level is the mean power of the load over that step, so the played energy is the load's own
whatever the step. A step that came too late is left out, never made up for; its energy is missing
from what was asked for, and the number of such steps is told.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TextIO

from wattest.errors import StoreError
from wattest.scenario import LoadProfile
from wattest.units import NS_PER_MS, format_decimal

_UW_NS_PER_WH = 3_600 * 10**15


class Flow(Protocol):
    """What a stimulus says really flows."""

    @property
    def voltage_uv(self) -> int:
        """µV at its terminals."""

    @property
    def current_ua(self) -> int:
        """µA through its terminals."""

    @property
    def power_uw(self) -> int:
        """µW, import positive."""


class Stimulus(Protocol):
    """Makes a power flow from now on, until told otherwise or let go."""

    def apply(self, power_uw: int) -> Flow | None:
        """Apply a level; return what flows, or None if this kind cannot measure it."""


class Clock(Protocol):
    """Time to play in: real, or of a world."""

    def now_ns(self) -> int:
        """Return the time, ns since any moment."""

    def wait_until(self, t_ns: int) -> None:
        """Return at ``t_ns``, or soon after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """The stimulus answered, and is ready to play.

    Args:
        identity: what it says it is.
        load: what is played, for people.
        duration_ns: how long.
    """

    identity: str
    load: str
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A level was applied.

    Args:
        t_ns: since the beginning, when it was asked for.
        asked_uw: µW.
        flow: read back, or None.
    """

    t_ns: int
    asked_uw: int
    flow: Flow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """All of it has been played, or somebody stopped it.

    Args:
        duration_ns: how long it played.
        asked_wh: energy asked for, each level held until the next.
        flowed_wh: the same of what was read back; None without read-back.
        levels: how many were applied.
        late: how many steps were left out because their time had passed.
        stopped: somebody stopped it before its end.
        resets: how often the stimulus was found to have started anew, and to play nothing.
    """

    duration_ns: int
    asked_wh: Fraction
    flowed_wh: Fraction | None
    levels: int
    late: int
    stopped: bool
    resets: int = 0


class Playhead:
    """Where a load stands while it is played: asked for each next level, told what was applied.

    Times are ns since playing began.

    Args:
        load: what is played, from its zero.
        duration_ns: how long, > 0.
        step_ns: between two levels, > 0.
    """

    def __init__(self, load: LoadProfile, *, duration_ns: int, step_ns: int) -> None:
        self._load = load
        self._duration_ns = duration_ns
        self._step_ns = step_ns
        self._steps = -(-duration_ns // step_ns)
        self._step = self._levels = self._late = 0
        self._asked, self._flowed = _Sum(), _Sum()
        self._measured = True

    @property
    def due_ns(self) -> int:
        """When something is to be done: the next level, or the end."""
        return min(self._step * self._step_ns, self._duration_ns)

    def level(self, t_ns: int) -> int | None:
        """Return the power of the step that runs at ``t_ns``, µW; None: all steps are over."""
        running = min(t_ns // self._step_ns, self._steps)
        self._late += max(running - self._step, 0)
        self._step = max(self._step, running)
        if self._step == self._steps:
            return None
        begin_ns = self._step * self._step_ns
        self._step += 1
        return self._load.power_mean_uw(begin_ns, min(begin_ns + self._step_ns, self._duration_ns))

    def applied(self, t_ns: int, power_uw: int, flow: Flow | None) -> Applied:
        """Note that a level flows since ``t_ns``."""
        self._asked.level(t_ns, power_uw)
        self._measured = self._measured and flow is not None
        self._flowed.level(t_ns, flow.power_uw if flow is not None else 0)
        self._levels += 1
        return Applied(t_ns=t_ns, asked_uw=power_uw, flow=flow)

    def end(self, t_ns: int) -> Played:
        """Sum up what was played until ``t_ns``."""
        measured = self._measured and self._levels
        return Played(
            duration_ns=t_ns,
            asked_wh=self._asked.watthours(t_ns),
            flowed_wh=self._flowed.watthours(t_ns) if measured else None,
            levels=self._levels,
            late=self._late,
            stopped=t_ns < self._duration_ns,
        )


def play(
    load: LoadProfile,
    stimulus: Stimulus,
    clock: Clock,
    *,
    duration_ns: int,
    step_ns: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Applied | Played]:
    """Play ``load`` from its zero.

    Yields:
        `Applied` each level, `Played` last.

    Raises:
        LinkError: the stimulus is gone, or refuses.
    """
    head = Playhead(load, duration_ns=duration_ns, step_ns=step_ns)
    begin_ns = clock.now_ns()
    while not stopped():
        clock.wait_until(begin_ns + head.due_ns)
        t_ns = clock.now_ns() - begin_ns
        power_uw = head.level(t_ns)
        if power_uw is None:
            break
        flow = stimulus.apply(power_uw)
        yield head.applied(t_ns, power_uw, flow)
    yield head.end(clock.now_ns() - begin_ns)


class _Sum:
    """Energy of levels that each hold until the next, exactly."""

    def __init__(self) -> None:
        self._at_ns = 0
        self._power_uw = 0
        self._uw_ns = 0

    def level(self, t_ns: int, power_uw: int) -> None:
        self._uw_ns += self._power_uw * (t_ns - self._at_ns)
        self._at_ns, self._power_uw = t_ns, power_uw

    def watthours(self, end_ns: int) -> Fraction:
        return Fraction(self._uw_ns + self._power_uw * (end_ns - self._at_ns), _UW_NS_PER_WH)


class PlayLog:
    """A CSV file with a line a level: time, asked, read back. Flushed line by line.

    Args:
        path: a new file.

    Raises:
        StoreError: it is there already, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = path.open("x", encoding="utf-8", newline="")
        except FileExistsError:
            raise StoreError(f"{path}: is there already", hint="name another folder") from None
        except OSError as exc:
            raise StoreError(f"{path}: cannot be written: {exc.strerror}") from exc
        self._rows = csv.writer(self._file)
        self._rows.writerow(("t_ms", "asked_w", "voltage_v", "current_a", "power_w"))

    def add(self, applied: Applied) -> None:
        """Write one level.

        Raises:
            StoreError: the disk is full, or gone.
        """
        flow = applied.flow
        values = (flow.voltage_uv, flow.current_ua, flow.power_uw) if flow is not None else ()
        cells = [_micro(value) for value in values] or ["", "", ""]
        try:
            self._rows.writerow((str(applied.t_ns // NS_PER_MS), _micro(applied.asked_uw), *cells))
            self._file.flush()
        except OSError as exc:
            raise StoreError(f"{self._path}: cannot be written: {exc.strerror}") from exc

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _micro(value: int) -> str:
    return format_decimal(Fraction(value, 10**6), 6)
