"""Weather of a site: what the loads are made from and what the twin's plant models see.

Derived, not measured: seeded processes around published formulas, in integers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from wattest.scenario.chance import Chance, Drift
from wattest.scenario.piecewise import Outside, Piecewise
from wattest.units import NS_PER_MS, NS_PER_S

POINTS_MAX = 1_000_000
_PPM = 1_000_000
_DAY_S = 86_400
# sqrt(2 / pi): standard deviation of each component of a wind whose speed has mean 1.
_COMPONENT_PPM = 797_885


@dataclass(frozen=True, slots=True, kw_only=True)
class WindSpec:
    """Wind at hub height.

    Args:
        mean_mm_s: long-term mean speed, mm/s.
        tau_ns: how long the wind remembers.
        step_ns: distance of two values.
    """

    mean_mm_s: int
    tau_ns: int
    step_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SunSpec:
    """Global irradiance on the roof.

    Args:
        latitude_udeg: micro-degrees, north positive.
        longitude_udeg: micro-degrees, east positive.
        oktas: cloud cover at the start, 0 to 8; it wanders from there.
        step_ns: distance of two values.
    """

    latitude_udeg: int
    longitude_udeg: int
    oktas: int
    step_ns: int


WeatherSpec = WindSpec | SunSpec


def wind_series(spec: WindSpec, *, seed: int, name: str, duration_ns: int) -> Piecewise:
    """Return the wind speed over the run, µm/s, straight between its values.

    The speed is the length of a vector of two drifting components: its long-run distribution is
    Rayleigh's, the one wind sites are classed by.

    Source:
        IEC 61400-1:2019 6.3.2.1 (Rayleigh distribution of the mean wind speed).
    """
    deviation = spec.mean_mm_s * 1000 * _COMPONENT_PPM // _PPM
    east, north = (
        Drift(
            Chance(seed, "wind", name, axis),
            deviation=deviation,
            step_ns=spec.step_ns,
            tau_ns=spec.tau_ns,
        )
        for axis in ("east", "north")
    )
    times = _times(spec.step_ns, duration_ns)
    speeds = [isqrt(east.value**2 + north.value**2)]
    speeds += [isqrt(east.step() ** 2 + north.step() ** 2) for _ in times[1:]]
    return Piecewise.linear(times, speeds, outside=Outside.HOLD)


# 1 - 0.75 (N/8)^3.4 in millionths, for N = 0..8 eighths of the sky covered.
# Source: Kasten, Czeplak: Solar and terrestrial radiation dependent on the amount and type of
# cloud, Solar Energy 24 (1980), p. 177.
_CLOUD_PPM = (1_000_000, 999_362, 993_269, 973_284, 928_951, 848_276, 717_987, 523_691, 250_000)
_CLOUD_STEP_NS = 600 * NS_PER_S


def sun_series(
    spec: SunSpec, *, seed: int, name: str, epoch_ms: int, duration_ns: int
) -> Piecewise:
    """Return the global irradiance over the run, µW/m², straight between its values.

    Clear sky is 910 sin(h) - 30 W/m² for a sun at elevation h (Kasten and Czeplak 1980), clouds
    follow a seeded walk over the eighths of the sky. The equation of time is left out.
    """
    chance = Chance(seed, "clouds", name)
    oktas = spec.oktas
    next_clouds_ns = 0
    values = []
    times = _times(spec.step_ns, duration_ns)
    for t_ns in times:
        while t_ns >= next_clouds_ns:
            oktas = min(8, max(0, oktas + chance.between(-1, 1)))
            next_clouds_ns += _CLOUD_STEP_NS
        sine_ppm = _elevation_sine_ppm(spec, epoch_ms + t_ns // NS_PER_MS)
        clear_uw = max(0, 910 * sine_ppm - 30 * _PPM)
        # Moving cloud edges: up to 3 % an eighth of cover, gone under a clear or a closed sky.
        flicker = chance.below(30_000 * min(oktas, 8 - oktas) + 1)
        values.append(clear_uw * (_CLOUD_PPM[oktas] - flicker) // _PPM)
    return Piecewise.linear(times, values, outside=Outside.HOLD)


def _times(step_ns: int, duration_ns: int) -> list[int]:
    steps = -(-duration_ns // step_ns) + 1
    return [index * step_ns for index in range(max(steps, 2))]


def _elevation_sine_ppm(spec: SunSpec, time_ms: int) -> int:
    """Return the sine of the sun's elevation, millionths.

    Source:
        Cooper 1969: declination = 23.45 deg * sin(360 deg * (284 + day of year) / 365).
    """
    seconds = time_ms // 1000
    day = seconds // _DAY_S % 365
    declination = 23_450_000 * _sine_ppm((284 + day) * 360_000_000 // 365) // _PPM
    solar_s = seconds % _DAY_S + spec.longitude_udeg * _DAY_S // 360_000_000
    hour_angle = (solar_s - _DAY_S // 2) * 360_000_000 // _DAY_S
    upright = _sine_ppm(spec.latitude_udeg) * _sine_ppm(declination)
    turning = _cosine_ppm(spec.latitude_udeg) * _cosine_ppm(declination) // _PPM
    return (upright + turning * _cosine_ppm(hour_angle)) // _PPM


def _cosine_ppm(angle_udeg: int) -> int:
    return _sine_ppm(angle_udeg + 90_000_000)


def _sine_ppm(angle_udeg: int) -> int:
    """Return the sine of micro-degrees in millionths, at most 0.0017 off.

    Source:
        Bhaskara I, about 629: sin x = 4 x (180 - x) / (40500 - x (180 - x)), degrees.
    """
    angle = angle_udeg % 360_000_000
    sign = 1
    if angle >= 180_000_000:
        angle, sign = angle - 180_000_000, -1
    product = Fraction(angle * (180_000_000 - angle), 10**12)
    return sign * int(4 * product * _PPM / (40_500 - product))
