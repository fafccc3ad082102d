"""The collector's clock goes forwards only, whatever is done to the machine's."""

from __future__ import annotations

import random
from fractions import Fraction

from wattest.operations.live.clock import SteadyClock

NOON_MS = 1_767_268_800_000


class Machine:
    """A machine whose UTC somebody sets."""

    def __init__(self) -> None:
        self.ms = NOON_MS
        self.ns = 5_000_000_000

    def utc_ms(self) -> int:
        return self.ms

    def monotonic_ns(self) -> int:
        return self.ns

    def let_pass(self, elapsed_ms: int) -> None:
        self.ms += elapsed_ms
        self.ns += elapsed_ms * 1_000_000


def clock_of(machine: Machine, **more: object) -> SteadyClock:
    return SteadyClock(utc_ms=machine.utc_ms, monotonic_ns=machine.monotonic_ns, **more)


def test_clock_follows_time() -> None:
    machine = Machine()
    clock = clock_of(machine)
    for _ in range(10):
        machine.let_pass(123)
        assert clock.now_ms() == machine.ms


def test_clock_that_is_set_forwards_is_followed_at_once() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.ms += 3_600_000
    assert clock.now_ms() == machine.ms


def test_clock_that_is_set_back_is_approached_without_going_back() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.ms -= 60_000
    before = clock.now_ms()
    assert before == NOON_MS
    for _ in range(601):
        machine.let_pass(1000)
        now = clock.now_ms()
        assert now - before in {900, 1000}
        before = now
    assert before == machine.ms


def test_clock_never_goes_back() -> None:
    rng = random.Random(1)
    machine = Machine()
    clock = clock_of(machine)
    before = clock.now_ms()
    for _ in range(2000):
        machine.let_pass(rng.randrange(500))
        if rng.random() < 0.1:
            machine.ms += rng.randrange(-10_000, 10_000)
        assert clock.now_ms() >= before
        before = clock.now_ms()


def test_accelerated_boards_share_one_time_across_collectors() -> None:
    machine = Machine()
    first = clock_of(machine, anchor_ms=NOON_MS - 1000, speed=Fraction(10))
    assert first.now_ms() == NOON_MS - 1000 + 10_000
    machine.let_pass(2000)
    second = clock_of(machine, anchor_ms=NOON_MS - 1000, speed=Fraction(10))
    assert first.now_ms() == second.now_ms() == NOON_MS - 1000 + 30_000
