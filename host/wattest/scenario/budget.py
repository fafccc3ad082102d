"""How far a node's registers may be from the truth, worked out from what was declared.

Worst case, line by line: declared chip errors, quantisation, and the edges of sampling. A run
whose error is beyond the sum has a fault that nobody declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

from wattest.boards import Ade7953Wiring, Board, EnergyWiring, Ina228Wiring, Pzem004tWiring
from wattest.scenario.load import LoadProfile
from wattest.scenario.model import ChipErrorSpec
from wattest.scenario.piecewise import Outside
from wattest.units import NANOJOULES_PER_MILLIWATTHOUR

_SHUNT_LSB_PV = (312_500, 78_125)
_BUS_LSB_PV = 195_312_500
_PPM = 1_000_000
_CALIBRATION = Fraction(1, 4_000_000)
"""AWGAIN is a whole number: half a step of its smallest value."""

_Lines: TypeAlias = tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """Contributions to the error of import plus export, nanojoules each, all >= 0."""

    lines: tuple[tuple[str, Fraction], ...]

    @property
    def total_nj(self) -> Fraction:
        """Sum of all lines: the largest error that is explained."""
        return sum((amount for _, amount in self.lines), Fraction(0))


def error_budget(
    load: LoadProfile, chip: ChipErrorSpec, board: Board, t0_ns: int, t1_ns: int
) -> ErrorBudget:
    """Return the budget of a node that metered ``[t0, t1)`` without interruption.

    The INA228's own clock does not count: the node integrates against its crystal, which the
    emulated board keeps exact; it only moves the edges of the averaging window.

    Args:
        load: the truth.
        chip: declared errors.
        board: sensor and sample period.
        t0_ns: begin.
        t1_ns: end, > ``t0_ns``.
    """
    samples = max(1, (t1_ns - t0_ns) // (board.meter.sample_period_ms * 10**6))
    if isinstance(board.sensor, Ina228Wiring):
        lines = _ina228_lines(load, chip, board.sensor, samples, (t0_ns, t1_ns))
    else:
        lines = _meter_lines(load, chip, board.sensor, t0_ns, t1_ns)
    return ErrorBudget(
        lines=(
            *lines,
            ("sampling", _edges_nj(load, board, t0_ns, t1_ns)),
            ("register steps", Fraction(4 * NANOJOULES_PER_MILLIWATTHOUR)),
        )
    )


def _ina228_lines(
    load: LoadProfile,
    chip: ChipErrorSpec,
    sensor: Ina228Wiring,
    samples: int,
    span_ns: tuple[int, int],
) -> _Lines:
    t0_ns, t1_ns = span_ns
    energy = load.energy_between(t0_ns, t1_ns)
    through_nj = energy.import_nj + energy.export_nj
    span_s = Fraction(t1_ns - t0_ns, 10**9)
    volts_max = load.voltage.maximum / 10**6
    volts_min = load.voltage.minimum / 10**6
    ohms = Fraction(sensor.shunt_uohm, 10**6)
    gain_i = Fraction(abs(chip.gain_current_ppm), _PPM)
    gain_v = Fraction(abs(chip.gain_voltage_ppm), _PPM)
    # Constant errors of the current weigh with the voltage and the time, those of the voltage
    # with the charge, which energy over the lowest voltage bounds.
    ampere_nj = volts_max * span_s * 10**9
    charge_nj = through_nj / volts_min
    shunt_lsb_v = Fraction(_SHUNT_LSB_PV[sensor.adc_range], 10**12)
    return (
        ("gain", (gain_i + gain_v + gain_i * gain_v) * through_nj),
        ("current offset", Fraction(abs(chip.offset_nv), 10**9) / ohms * ampere_nj),
        ("voltage offset", Fraction(abs(chip.offset_uv), 10**6) * charge_nj),
        (
            "quantisation",
            (shunt_lsb_v / 2 / ohms + sensor.current_lsb_a) * ampere_nj
            + Fraction(_BUS_LSB_PV, 2 * 10**12) * charge_nj
            + sensor.power_lsb_nw * span_s,
        ),
        (
            "noise",
            2
            * (
                Fraction(chip.noise_nv, 10**9) / ohms * ampere_nj
                + Fraction(chip.noise_uv, 10**6) * charge_nj
            )
            / isqrt(samples),
        ),
    )


def _meter_lines(
    load: LoadProfile, chip: ChipErrorSpec, sensor: EnergyWiring, t0_ns: int, t1_ns: int
) -> _Lines:
    """Lines of a sensor that integrates by itself and counts energy.

    Its own clock counts, other than the INA228's. A count may be missing at the begin, because
    the counter was in the middle of one, and another at the end; so it may at each boot.
    """
    energy = load.energy_between(t0_ns, t1_ns)
    through_nj = energy.import_nj + energy.export_nj
    gain_i = Fraction(abs(chip.gain_current_ppm), _PPM)
    gain_v = Fraction(abs(chip.gain_voltage_ppm), _PPM)
    clock = Fraction(abs(chip.oscillator_ppm), _PPM)
    count_nj = sensor.milliwatthours_per_count * NANOJOULES_PER_MILLIWATTHOUR
    threshold_uw = Fraction(0)
    if isinstance(sensor, Ade7953Wiring):
        threshold_uw = sensor.no_load_uw
    elif isinstance(sensor, Pzem004tWiring):
        threshold_uw = Fraction(sensor.starting_ma, 1000) * load.voltage.maximum
    return (
        ("gain", (gain_i + gain_v + gain_i * gain_v) * through_nj),
        ("clock", clock * through_nj),
        ("calibration", through_nj * _CALIBRATION),
        ("counts", 2 * count_nj),
        ("no load", _below_nj(load, threshold_uw, t0_ns, t1_ns)),
    )


def _below_nj(load: LoadProfile, threshold_uw: Fraction, t0_ns: int, t1_ns: int) -> Fraction:
    """Bound the energy that flows while the power is too small for the chip to count it."""
    power = load.power
    below_ns = 0
    for left, right, first, last in power.pieces():
        smallest = 0 if first * last < 0 else min(abs(first), abs(last))
        if smallest < threshold_uw * power.denominator and (first or last):
            if power.outside is not Outside.ZERO:  # held or repeated: it may be this all the time
                below_ns = t1_ns - t0_ns
                break
            below_ns += max(0, min(right, t1_ns) - max(left, t0_ns))
    return threshold_uw * 1000 * Fraction(below_ns, 10**9)


def _edges_nj(load: LoadProfile, board: Board, t0_ns: int, t1_ns: int) -> Fraction:
    """Bound what late samples move over the ends of the run and over changes of direction.

    A sample may be two periods behind (three with a sensor that answers the request before), so
    at each edge that much of the larger power may be missing, counted twice, or counted in the
    other direction.
    """
    periods = 3 if isinstance(board.sensor, Pzem004tWiring) else 2
    late_ns = periods * board.meter.sample_period_ms * 10**6
    peak, crossings = 0, Fraction(0)
    sign, behind = 0, Fraction(0)
    for left, right, first, last in load.power.pieces():
        if right <= t0_ns or left >= t1_ns or first == last == 0:
            continue
        peak = max(peak, abs(first), abs(last))
        # A straight line through zero is still small when the late sample is over.
        reach = Fraction(min(late_ns, right - left), right - left)
        ahead = Fraction(abs(first)) if first else abs(last) * reach
        if sign * (first or last) < 0:
            crossings += max(ahead, behind)
        sign = last or first
        behind = Fraction(abs(last)) if last else abs(first) * reach
    moved_uw = 2 * (peak + crossings) / load.power.denominator
    return moved_uw * 1000 * Fraction(late_ns, 10**9)
