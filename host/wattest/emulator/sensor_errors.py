"""Declared errors of a chip that is a whole meter."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterErrors:
    """How one meter chip deviates from an ideal one; all of it belongs into the budget.

    Args:
        gain_current_ppm: of its current channel, transformer or shunt included.
        gain_voltage_ppm: of its voltage channel.
        oscillator_ppm: positive: the chip's clock is fast, so it counts too much energy.
    """

    gain_current_ppm: int = 0
    gain_voltage_ppm: int = 0
    oscillator_ppm: int = 0

    @property
    def power_gain(self) -> Fraction:
        """Power shown over true power."""
        return Fraction(
            (1_000_000 + self.gain_current_ppm) * (1_000_000 + self.gain_voltage_ppm), 10**12
        )


def own_seconds(duration_ns: int, oscillator_ppm: int) -> Fraction:
    """Return how long a true duration is by an oscillator that is off, s."""
    return Fraction(duration_ns * (1_000_000 + oscillator_ppm), 10**15)
