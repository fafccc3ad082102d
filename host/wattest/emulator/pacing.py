"""Real time for a world: people and attached tools see it run at a chosen speed.

The wall clock is passed in, and so is the function that waits; nothing here reads one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from wattest.emulator.world import World

LISTEN_NS = 10_000_000


class Pacer:
    """Runs a world at a multiple of real time.

    A world that cannot keep up is slow; it does not skip, and when it can again it does not
    hurry to catch up more than ``lag_ns_max`` of wall time. Slow or not, it listens: ``wait`` is
    called at least every ``LISTEN_NS`` of wall time, with 0 when there is no time to wait.

    Args:
        world: the world.
        speed: virtual seconds a second, > 0; None for as fast as possible.
        monotonic_ns: the wall clock.
        wait: called with nanoseconds of wall time to wait; may return early, when a tool sent
            something, after giving it to its board.
        lag_ns_max: wall time behind which the pacer starts to count anew.
    """

    def __init__(
        self,
        world: World,
        *,
        speed: Fraction | None,
        monotonic_ns: Callable[[], int],
        wait: Callable[[int], None],
        lag_ns_max: int = 250_000_000,
    ) -> None:
        self._world = world
        self._monotonic_ns = monotonic_ns
        self._wait = wait
        self._lag_ns_max = lag_ns_max
        self._speed = speed
        self._anchor()

    @property
    def speed(self) -> Fraction | None:
        """Virtual seconds a second; None for as fast as possible."""
        return self._speed

    @speed.setter
    def speed(self, speed: Fraction | None) -> None:
        self._speed = speed
        self._anchor()

    def run(self, until_ns: int, keep_going: Callable[[], bool]) -> None:
        """Run to virtual time ``until_ns``, or until ``keep_going`` says no.

        Returns also leave the world at a whole moment: no event is half done.
        """
        self._anchor()
        listened_ns = self._monotonic_ns()
        while self._world.now_ns < until_ns and keep_going():
            due = self._world.next_ns()
            target = until_ns if due is None else min(due, until_ns)
            if self._speed is None:
                self._world.run_until(target)
                continue
            reached = self._virtual_ns()
            if reached < target:
                self._wait(self._wall_ns(target) - self._monotonic_ns())
                listened_ns = self._monotonic_ns()
                # Time also passes for a world in which nothing is to be done.
                self._world.run_until(max(self._world.now_ns, min(self._virtual_ns(), target)))
            else:
                self._world.run_until(target)
                self._drop_lag()
                if self._monotonic_ns() - listened_ns > LISTEN_NS:
                    self._wait(0)
                    listened_ns = self._monotonic_ns()

    def _anchor(self) -> None:
        self._wall_start_ns = self._monotonic_ns()
        self._virtual_start_ns = self._world.now_ns

    def _virtual_ns(self) -> int:
        assert self._speed is not None
        elapsed = self._monotonic_ns() - self._wall_start_ns
        return self._virtual_start_ns + int(elapsed * self._speed)

    def _wall_ns(self, virtual_ns: int) -> int:
        assert self._speed is not None
        ahead = virtual_ns - self._virtual_start_ns
        return self._wall_start_ns + -int(-ahead // self._speed)

    def _drop_lag(self) -> None:
        if self._monotonic_ns() - self._wall_ns(self._world.now_ns) > self._lag_ns_max:
            self._anchor()
