"""Chance as a value: the same seed and label give the same numbers on every machine.

Only integers: no library random number, no logarithm, no cosine whose last bit could differ.
"""

from __future__ import annotations

import hashlib
from math import isqrt

_MASK = (1 << 64) - 1
NORMAL_UNIT = 1 << 17
"""One standard deviation of ``Chance.normal``."""


class Chance:
    """A stream of chance.

    Args:
        seed: the run's seed.
        label: what it is for, such as ``"wind", "site"``; streams of different labels are
            independent.

    Source:
        SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, *label: str) -> None:
        text = "\0".join((str(seed), *label)).encode()
        self._state = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")

    def bits(self) -> int:
        """Return 64 random bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        return mixed ^ mixed >> 31

    def below(self, bound: int) -> int:
        """Return a uniform integer in ``0 .. bound - 1``, without bias.

        Args:
            bound: 1 to 2**64.
        """
        limit = (1 << 64) - (1 << 64) % bound
        while True:
            value = self.bits()
            if value < limit:
                return value % bound

    def between(self, low: int, high: int) -> int:
        """Return a uniform integer in ``low .. high``, both included."""
        return low + self.below(high - low + 1)

    def normal(self) -> int:
        """Return a roughly normal integer, mean 0, standard deviation ``NORMAL_UNIT``.

        The sum of twelve uniform 16-bit numbers; never beyond six standard deviations.
        """
        total = 0
        for _ in range(3):
            bits = self.bits()
            total += (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        return 2 * total - 12 * 0xFFFF


class Drift:
    """A value that wanders around zero and forgets: a stationary process of first order.

    ``x' = x (tau - step) / tau + noise``, with the noise that keeps the deviation constant.

    Args:
        chance: its source.
        deviation: standard deviation, any integer unit, >= 0.
        step_ns: time between two values.
        tau_ns: time it takes to forget, > ``step_ns``.
    """

    __slots__ = ("_chance", "_deviation", "_keep", "_push", "_tau", "value")

    def __init__(self, chance: Chance, *, deviation: int, step_ns: int, tau_ns: int) -> None:
        if not 0 < step_ns < tau_ns:
            raise ValueError(f"0 < step < tau expected, got {step_ns} and {tau_ns} ns")
        self._chance = chance
        self._deviation = deviation
        self._tau = tau_ns
        self._keep = tau_ns - step_ns
        self._push = deviation * isqrt(tau_ns**2 - self._keep**2)
        self.value = chance.normal() * deviation // NORMAL_UNIT

    def step(self) -> int:
        """Advance by one step and return the value."""
        push = self._chance.normal() * self._push // NORMAL_UNIT
        self.value = (2 * (self.value * self._keep + push) + self._tau) // (2 * self._tau)
        return self.value
