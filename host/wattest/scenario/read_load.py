"""Load and weather tables of a scenario file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from wattest.data import data_root
from wattest.scenario.csv_options import read_csv_options
from wattest.scenario.spec import (
    ConstantSpec,
    CsvSpec,
    EvSessionSpec,
    HouseholdSpec,
    LoadSpec,
    SolarSpec,
    StepsSpec,
    TurbineSpec,
)
from wattest.scenario.weather import SunSpec, WeatherSpec, WindSpec
from wattest.tables import Table, read_table
from wattest.units import NS_PER_S

_POWER_W_MAX = 10**7


def read_weather(table: Table) -> WeatherSpec:
    """Read one ``[weather.NAME]`` table.

    Raises:
        ConfigError: a key is wrong.
    """
    kind = table.choice("kind", ("wind", "sun"))
    step_ns = table.duration_ns("step", 60 * NS_PER_S, minimum_ns=NS_PER_S)
    weather: WeatherSpec
    if kind == "wind":
        mean = table.decimal("mean_m_s", minimum=0, maximum=50)
        tau_ns = table.duration_ns("memory", 6 * 3_600 * NS_PER_S, minimum_ns=2 * step_ns)
        weather = WindSpec(mean_mm_s=int(mean * 1000), tau_ns=tau_ns, step_ns=step_ns)
    else:
        weather = SunSpec(
            latitude_udeg=int(table.decimal("latitude", minimum=-90, maximum=90) * 10**6),
            longitude_udeg=int(table.decimal("longitude", minimum=-180, maximum=180) * 10**6),
            oktas=table.integer("oktas", 2, maximum=8),
            step_ns=step_ns,
        )
    table.finish()
    return weather


def read_load(table: Table, key: str, folder: Path) -> LoadSpec:
    """Read a node's ``load``: a table, or the name of a file in ``bench/loads``.

    Args:
        table: the node's table.
        key: its key that holds the load.
        folder: where relative paths start.

    Raises:
        ConfigError: a key is wrong.
    """
    if key in table and isinstance(table.raw(key), str):
        name = table.name(key)
        return _read(read_table(data_root() / "bench" / "loads" / f"{name}.toml"), folder)
    if key not in table:
        raise table.error(key, "a load expected, got nothing")
    return _read(table.table(key), folder)


def _read(table: Table, folder: Path) -> LoadSpec:
    kind = table.choice("kind", ("csv", *_READERS))
    load = _csv(table, folder) if kind == "csv" else _READERS[kind](table)
    table.finish()
    return load


def _csv(table: Table, folder: Path) -> LoadSpec:
    name = table.text("file", pattern=r"[^\x00]{1,1024}", expected="a path")
    return CsvSpec(path=folder / name, options=read_csv_options(table))


def _constant(table: Table) -> LoadSpec:
    return ConstantSpec(power_uw=_watts(table, "power_w") * 10**6, label=table.text("label", ""))


def _steps(table: Table) -> LoadSpec:
    raw = table.raw("steps")
    if not isinstance(raw, list) or not raw:
        raise table.error("steps", "at least one [time, watts] pair expected")
    steps: list[tuple[int, Fraction]] = []
    for number, pair in enumerate(raw):
        key = f"steps[{number}]"
        if not isinstance(pair, list) or len(pair) != 2:
            raise table.error(key, "a [time, watts] pair expected")
        entry = Table({"time": pair[0], "watts": pair[1]}, table.path, table.dotted(key))
        t_ns = entry.duration_ns("time")
        if t_ns <= steps[-1][0] if steps else t_ns != 0:
            raise table.error(key, "times from 0s on, each after the one before, expected")
        steps.append((t_ns, _watts(entry, "watts") * 10**6))
    return StepsSpec(steps=tuple(steps))


def _turbine(table: Table) -> LoadSpec:
    return TurbineSpec(
        weather=table.name("weather"),
        curve=table.name("curve"),
        scale=_scale(table),
        gust_permille=table.integer("gust_permille", 80, maximum=500),
        step_ns=table.duration_ns("step", 10 * NS_PER_S, minimum_ns=NS_PER_S),
    )


def _solar(table: Table) -> LoadSpec:
    peak_w = table.integer("peak_w", minimum=1, maximum=_POWER_W_MAX)
    return SolarSpec(
        weather=table.name("weather"),
        peak_w=peak_w,
        performance_percent=table.integer("performance_percent", 85, minimum=1, maximum=100),
        limit_w=table.integer("limit_w", peak_w, minimum=1, maximum=_POWER_W_MAX),
        standby_milliwatts=table.integer("standby_milliwatts", 2_700, maximum=10**6),
        scale=_scale(table),
        shade_permille=table.integer("shade_permille", 20, maximum=500),
        step_ns=table.duration_ns("step", 60 * NS_PER_S, minimum_ns=NS_PER_S),
    )


def _household(table: Table) -> LoadSpec:
    return HouseholdSpec(
        scale=_scale(table), base_w=table.integer("base_w", 90, minimum=1, maximum=10_000)
    )


def _ev_session(table: Table) -> LoadSpec:
    power_w = table.integer("power_w", minimum=1, maximum=_POWER_W_MAX)
    return EvSessionSpec(
        arrive_ns=table.duration_ns("arrive", 0),
        energy_wh=table.integer("energy_wh", minimum=1, maximum=10**9),
        power_w=power_w,
        taper_percent=table.integer("taper_percent", 80, minimum=1, maximum=100),
        final_w=table.integer("final_w", power_w // 8, minimum=1, maximum=power_w),
        standby_milliwatts=table.integer("standby_milliwatts", 5_000, maximum=10**6),
        scale=_scale(table),
    )


def _scale(table: Table) -> Fraction:
    return table.decimal("scale", 1, minimum=Fraction(1, 10**6), maximum=10**6)


def _watts(table: Table, key: str) -> Fraction:
    return table.decimal(key, minimum=-_POWER_W_MAX, maximum=_POWER_W_MAX)


_READERS: Mapping[str, Callable[[Table], LoadSpec]] = {
    "constant": _constant,
    "steps": _steps,
    "turbine": _turbine,
    "solar": _solar,
    "household": _household,
    "ev-session": _ev_session,
}
