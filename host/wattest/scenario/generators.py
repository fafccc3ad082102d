"""Loads made by rule from a seed: derived, and labelled so; same seed, same microwatts anywhere.

Every value is an integer of microwatts before it is used; straight lines join them.
"""

from __future__ import annotations

from fractions import Fraction

from wattest.scenario.chance import Chance, Drift
from wattest.scenario.curve import TurbineCurve
from wattest.scenario.load import LoadProfile, Origin
from wattest.scenario.piecewise import Outside, Piecewise
from wattest.scenario.spec import EvSessionSpec, SolarSpec, TurbineSpec
from wattest.units import NS_PER_S

_GUST_TAU_STEPS = 6
_SHADE_TAU_STEPS = 30
_FJ_PER_WATTHOUR = 3_600 * 10**15


def turbine_power(
    spec: TurbineSpec,
    curve: TurbineCurve,
    wind_um_s: Piecewise,
    *,
    seed: int,
    node: str,
    duration_ns: int,
) -> Piecewise:
    """Return the power at the turbine's terminals, µW, import positive.

    The wind at the rotor is the site's wind times one plus a gust of this turbine's own.
    """
    gust = Drift(
        Chance(seed, "gust", node),
        deviation=spec.gust_permille * 1000,
        step_ns=spec.step_ns,
        tau_ns=spec.step_ns * _GUST_TAU_STEPS,
    )
    times = step_times(spec.step_ns, duration_ns)
    powers = []
    for t_ns in times:
        site = wind_um_s.value(t_ns)
        rotor = int(site * (1_000_000 + gust.step()) / 1_000_000)
        powers.append(-curve.power_uw(max(0, rotor)))
    return Piecewise.linear(times, powers, outside=Outside.HOLD).scaled(spec.scale)


def expected_turbine_power(
    spec: TurbineSpec, curve: TurbineCurve, wind_um_s: Piecewise
) -> Piecewise:
    """Return what the curve says the site's wind should give, µW, import positive."""
    pieces = list(wind_um_s.pieces())
    times = [pieces[0][0], *(right for _, right, _, _ in pieces)]
    powers = [-curve.power_uw(int(wind_um_s.value(t_ns))) for t_ns in times]
    return Piecewise.linear(times, powers, outside=Outside.HOLD).scaled(spec.scale)


def solar_power(
    spec: SolarSpec, sun_uw_m2: Piecewise, *, seed: int, node: str, duration_ns: int
) -> Piecewise:
    """Return the power at the inverter's terminals, µW, import positive."""
    shade = Drift(
        Chance(seed, "shade", node),
        deviation=spec.shade_permille * 1000,
        step_ns=spec.step_ns,
        tau_ns=spec.step_ns * _SHADE_TAU_STEPS,
    )
    times = step_times(spec.step_ns, duration_ns)
    powers = [
        _inverter_uw(spec, sun_uw_m2.value(t_ns) * (1_000_000 + shade.step()) / 1_000_000)
        for t_ns in times
    ]
    return Piecewise.linear(times, powers, outside=Outside.HOLD).scaled(spec.scale)


def expected_solar_power(spec: SolarSpec, sun_uw_m2: Piecewise) -> Piecewise:
    """Return what the site's irradiance should give, µW, import positive."""
    pieces = list(sun_uw_m2.pieces())
    times = [pieces[0][0], *(right for _, right, _, _ in pieces)]
    powers = [_inverter_uw(spec, sun_uw_m2.value(t_ns)) for t_ns in times]
    return Piecewise.linear(times, powers, outside=Outside.HOLD).scaled(spec.scale)


def _inverter_uw(spec: SolarSpec, irradiance_uw_m2: Fraction) -> int:
    """Return µW drawn (positive) or delivered (negative) at an irradiance."""
    direct = irradiance_uw_m2 * spec.peak_w * spec.performance_percent / 100_000
    delivered = int(direct) - spec.standby_milliwatts * 1000
    return -min(delivered, spec.limit_w * 10**6)


def ev_power(spec: EvSessionSpec) -> Piecewise:
    """Return the power of a charging session, µW, import positive; the energy is exact.

    Source of the shape: constant power, then a constant-voltage taper, as in the AC and DC curves
    of the open-ev-data project; the taper is a straight line in time.
    """
    session = session_times(spec)
    standby = spec.standby_milliwatts * 1000
    full, final = spec.power_w * 10**6, spec.final_w * 10**6
    knots = [0]
    first: list[int] = []
    last: list[int] = []
    for end, a, b in (
        (spec.arrive_ns, standby, standby),
        (session[0], full, full),
        (session[1], full, final),
        (session[1] + NS_PER_S, standby, standby),
    ):
        if end > knots[-1]:
            knots.append(end)
            first.append(a)
            last.append(b)
    return Piecewise(knots, first, last, outside=Outside.HOLD).scaled(spec.scale)


def expected_ev_power(spec: EvSessionSpec) -> Piecewise:
    """Return what the booking says: the agreed power until the energy is in, then standby."""
    standby = spec.standby_milliwatts * 1000
    whole_ns = spec.energy_wh * _FJ_PER_WATTHOUR // (spec.power_w * 10**6)
    end = spec.arrive_ns + whole_ns
    times, values = [spec.arrive_ns, end], [spec.power_w * 10**6, standby]
    if spec.arrive_ns:
        times, values = [0, *times], [standby, *values]
    booked = Piecewise.hold(times, values, end + NS_PER_S, outside=Outside.HOLD)
    return booked.scaled(spec.scale)


def session_times(spec: EvSessionSpec) -> tuple[int, int]:
    """Return when the taper begins and when the session ends, ns, rounded to the nearest."""
    bulk_fj = spec.energy_wh * _FJ_PER_WATTHOUR * spec.taper_percent // 100
    rest_fj = spec.energy_wh * _FJ_PER_WATTHOUR - bulk_fj
    taper = spec.arrive_ns + round(Fraction(bulk_fj, spec.power_w * 10**6))
    mean_uw = Fraction((spec.power_w + spec.final_w) * 10**6, 2)
    return taper, taper + round(rest_fj / mean_uw)


def constant_power(power_uw: Fraction) -> Piecewise:
    """Return a power that never changes."""
    return Piecewise.hold([0], [power_uw], NS_PER_S, outside=Outside.HOLD)


def steps_power(steps: tuple[tuple[int, Fraction], ...]) -> Piecewise:
    """Return powers held from their times on."""
    times = [t_ns for t_ns, _ in steps]
    values = [power for _, power in steps]
    return Piecewise.hold(times, values, times[-1] + NS_PER_S, outside=Outside.HOLD)


def step_times(step_ns: int, duration_ns: int) -> list[int]:
    """Return 0, step, 2 step .. until the duration is covered."""
    return [index * step_ns for index in range(max(2, -(-duration_ns // step_ns) + 1))]


def derived(power: Piecewise, *, un_mv: int, label: str) -> LoadProfile:
    """Wrap a generated power at the nominal voltage."""
    return LoadProfile(
        power=power, voltage=Piecewise.constant(un_mv * 1000), label=label, origin=Origin.DERIVED
    )
