"""A household by the hour: base load, a refrigerator, and appliances that chance switches on."""

from __future__ import annotations

from dataclasses import dataclass

from wattest.scenario.chance import Chance
from wattest.scenario.piecewise import Outside, Piecewise
from wattest.scenario.spec import HouseholdSpec
from wattest.units import NS_PER_MS, NS_PER_S

_HOUR_NS = 3_600 * NS_PER_S
_MINUTE_NS = 60 * NS_PER_S
_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """Something that runs at constant power for a while.

    Args:
        name: what it is.
        power_w: while it runs.
        minutes: shortest and longest run.
        percent: chance of a start in each hour of the day, UTC, from 0 h; at most one an hour.
    """

    name: str
    power_w: int
    minutes: tuple[int, int]
    percent: tuple[int, ...]


def _day(**hours: int) -> tuple[int, ...]:
    """Spell 24 percentages: ``h7=60`` is 60 % from 7 to 8 o'clock."""
    return tuple(hours.get(f"h{hour}", 0) for hour in range(_HOURS))


# Ratings are nameplate values of common appliances, habits are this project's own.
APPLIANCES = (
    Appliance(
        name="kettle",
        power_w=1800,
        minutes=(2, 4),
        percent=_day(h6=40, h7=70, h8=20, h13=20, h16=30, h19=30, h21=20),
    ),
    Appliance(name="stove", power_w=1400, minutes=(15, 45), percent=_day(h11=20, h12=40, h18=70)),
    Appliance(name="washer", power_w=450, minutes=(50, 80), percent=_day(h9=15, h10=20, h17=10)),
    Appliance(
        name="television",
        power_w=110,
        minutes=(40, 60),
        percent=_day(h18=30, h19=70, h20=90, h21=90, h22=40),
    ),
    Appliance(
        name="lights",
        power_w=60,
        minutes=(30, 60),
        percent=_day(h5=30, h6=80, h7=50, h17=50, h18=80, h19=95, h20=95, h21=95, h22=60),
    ),
)
_FRIDGE_W = 85
_FRIDGE_ON_MIN = (10, 18)
_FRIDGE_OFF_MIN = (25, 45)


def household_power(
    spec: HouseholdSpec, *, seed: int, node: str, epoch_ms: int, duration_ns: int
) -> Piecewise:
    """Return the power of the household, µW, always import."""
    steps: dict[int, int] = {0: spec.base_w}
    for start, end, watts in _runs(seed, node, epoch_ms, duration_ns):
        steps[start] = steps.get(start, 0) + watts
        steps[end] = steps.get(end, 0) - watts
    times = sorted(steps)
    powers = []
    total = 0
    for t_ns in times:
        total += steps[t_ns]
        powers.append(total * 10**6)
    end_ns = max(duration_ns, times[-1]) + NS_PER_S
    return Piecewise.hold(times, powers, end_ns, outside=Outside.HOLD).scaled(spec.scale)


def _runs(seed: int, node: str, epoch_ms: int, duration_ns: int) -> list[tuple[int, int, int]]:
    """Return (start ns, end ns, watts) of everything that runs."""
    runs = _fridge(Chance(seed, "fridge", node), duration_ns)
    into_hour_ns = epoch_ms % 3_600_000 * NS_PER_MS
    first_hour = epoch_ms // 3_600_000
    hours = -(-(duration_ns + into_hour_ns) // _HOUR_NS)
    for appliance in APPLIANCES:
        chance = Chance(seed, "appliance", node, appliance.name)
        busy_until = 0
        for number in range(hours):
            percent = appliance.percent[(first_hour + number) % _HOURS]
            happens = chance.below(100) < percent
            start = number * _HOUR_NS - into_hour_ns + chance.below(3600) * NS_PER_S
            end = start + chance.between(*appliance.minutes) * _MINUTE_NS
            if happens and start >= busy_until:
                runs.append((start, end, appliance.power_w))
                busy_until = end
    return runs


def _fridge(chance: Chance, duration_ns: int) -> list[tuple[int, int, int]]:
    runs = []
    t_ns = chance.between(1, _FRIDGE_OFF_MIN[1]) * _MINUTE_NS
    while t_ns < duration_ns:
        end = t_ns + chance.between(*_FRIDGE_ON_MIN) * _MINUTE_NS
        runs.append((t_ns, end, _FRIDGE_W))
        t_ns = end + chance.between(*_FRIDGE_OFF_MIN) * _MINUTE_NS
    return runs
