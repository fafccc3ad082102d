"""The tick counter of a node under CPython: it wraps, and the test moves it."""

TICKS_PERIOD = 1 << 30


def ticks_diff(left: int, right: int) -> int:
    half = TICKS_PERIOD // 2
    return (left - right + half) % TICKS_PERIOD - half


def ticks_add(ticks: int, delta: int) -> int:
    return (ticks + delta) % TICKS_PERIOD


class Ticks:
    """The node's tick counter, moved by the test."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms % TICKS_PERIOD
