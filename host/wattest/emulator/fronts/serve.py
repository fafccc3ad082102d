"""Boards in real time, with tools attached to them.

Tools wait with wall clocks of their own, so while one may be attached the world runs at real
time, or at a chosen multiple of it.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

from wattest.emulator.fronts.front import Front
from wattest.emulator.pacing import Pacer
from wattest.emulator.world import World

_WAIT_S_MAX = 0.1
_FOREVER_NS = 1 << 62


def serve(
    world: World,
    fronts: Sequence[Front],
    *,
    keep_going: Callable[[], bool] = lambda: True,
    speed: Fraction | None = Fraction(1),
    until_ns: int = _FOREVER_NS,
) -> None:
    """Run a world for people and tools until ``keep_going`` says no or ``until_ns`` is reached.

    Args:
        world: the boards' world.
        fronts: the ways into them.
        keep_going: asked at least ten times a second.
        speed: virtual seconds a second; tools expect 1.
        until_ns: virtual time to stop at.
    """
    with selectors.DefaultSelector() as selector:
        for front in fronts:
            front.watch(selector)

        def wait(duration_ns: int) -> None:
            timeout_s = min(_WAIT_S_MAX, max(0, duration_ns) / 1e9)
            for key, _ in selector.select(timeout_s):
                key.data()
            for front in fronts:
                front.tick()

        pacer = Pacer(world, speed=speed, monotonic_ns=time.monotonic_ns, wait=wait)
        pacer.run(until_ns, keep_going)
