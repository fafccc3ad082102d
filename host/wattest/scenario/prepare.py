"""Scenario to exact loads: files read, weather made, ranges checked, before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from wattest.boards import Board, load_board
from wattest.errors import ConfigError
from wattest.scenario.csv_load import CsvLoad, parse_csv_load
from wattest.scenario.csv_options import End
from wattest.scenario.curve import load_curve
from wattest.scenario.fault import FaultKind
from wattest.scenario.generators import (
    constant_power,
    ev_power,
    solar_power,
    steps_power,
    turbine_power,
)
from wattest.scenario.household import household_power
from wattest.scenario.load import LoadProfile, Origin
from wattest.scenario.model import NodeSpec, Scenario
from wattest.scenario.piecewise import Piecewise
from wattest.scenario.sensor_fit import check_sensor_fits
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
from wattest.scenario.weather import POINTS_MAX, WindSpec, sun_series, wind_series
from wattest.tables import read_text
from wattest.units import format_duration

_CSV_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedNode:
    """A node whose load is known exactly.

    Args:
        spec: as written.
        board: its hardware.
        load: the truth.
        start_ms: instant of the load file's first row, or None.
        notes: what was filled or dropped on reading, one line each.
    """

    spec: NodeSpec
    board: Board
    load: LoadProfile
    start_ms: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedScenario:
    """A scenario ready to run: ``weather`` holds µm/s of wind and µW/m² of sun by name."""

    scenario: Scenario
    weather: Mapping[str, Piecewise]
    nodes: tuple[PreparedNode, ...]


def prepare(scenario: Scenario) -> PreparedScenario:
    """Build all weather and loads; the same scenario gives the same numbers on every machine.

    Raises:
        ConfigError: a file is wrong, a load is out of its board's range or shorter than the run.
    """
    weather = {name: _weather(scenario, name) for name in scenario.weather}
    builder = _Builder(scenario, weather)
    nodes = tuple(builder.node(number) for number in range(len(scenario.nodes)))
    return PreparedScenario(scenario=scenario, weather=weather, nodes=nodes)


def _weather(scenario: Scenario, name: str) -> Piecewise:
    spec = scenario.weather[name]
    _check_points(scenario, spec.step_ns, f"weather.{name}.step")
    if isinstance(spec, WindSpec):
        return wind_series(spec, seed=scenario.seed, name=name, duration_ns=scenario.duration_ns)
    return sun_series(
        spec,
        seed=scenario.seed,
        name=name,
        epoch_ms=scenario.epoch_ms,
        duration_ns=scenario.duration_ns,
    )


def _check_points(scenario: Scenario, step_ns: int, key: str) -> None:
    if scenario.duration_ns > step_ns * POINTS_MAX:
        shortest = -(-scenario.duration_ns // POINTS_MAX)
        raise ConfigError(
            f"at most {POINTS_MAX} steps in the run expected, got {format_duration(step_ns)} each",
            path=scenario.path,
            key=key,
            hint=f"make it {format_duration(-(-shortest // 10**9) * 10**9)} or longer",
        )


class _Builder:
    """Builds the loads of one scenario; files are read once."""

    def __init__(self, scenario: Scenario, weather: Mapping[str, Piecewise]) -> None:
        self._scenario = scenario
        self._weather = weather
        self._files: dict[tuple[CsvSpec, int], CsvLoad] = {}
        self._boards: dict[str, Board] = {}

    def node(self, number: int) -> PreparedNode:
        spec = self._scenario.nodes[number]
        key = f"node[{number}].load"
        if spec.board not in self._boards:
            self._boards[spec.board] = load_board(spec.board)
        board = self._boards[spec.board]
        if self._scenario.interval_ms % board.meter.sample_period_ms:
            raise ConfigError(
                f"a multiple of the sample period of {board.meter.sample_period_ms} ms expected, "
                f"got {self._scenario.interval_ms} ms",
                path=self._scenario.path,
                key="interval",
            )
        start_ms: int | None = None
        notes: tuple[str, ...] = ()
        if isinstance(spec.load, CsvSpec):
            file = self._csv(spec.load, board.meter.un_mv)
            self._check_length(spec.load, file)
            profile, start_ms, notes = file.profile, file.start_ms, file.notes
        else:
            profile = self._generated(spec, spec.load, board.meter.un_mv, key)
        where = str(spec.load.path) if isinstance(spec.load, CsvSpec) else self._scenario.path
        profile.check_range(
            un_mv=board.meter.un_mv,
            imax_ma=board.meter.imax_ma,
            path=where,
            key=key,
            voltage_max_mv=board.sensor.voltage_max_mv,
        )
        check_sensor_fits(self._scenario, number, board, profile)
        return PreparedNode(
            spec=spec,
            board=board,
            load=self._overloaded(profile, spec, key),
            start_ms=start_ms,
            notes=notes,
        )

    def _csv(self, spec: CsvSpec, un_mv: int) -> CsvLoad:
        if (spec, un_mv) not in self._files:
            text = read_text(spec.path, bytes_max=_CSV_BYTES_MAX)
            self._files[spec, un_mv] = parse_csv_load(
                text, spec.options, path=str(spec.path), un_mv=un_mv
            )
        return self._files[spec, un_mv]

    def _check_length(self, spec: CsvSpec, file: CsvLoad) -> None:
        run_ns = self._scenario.duration_ns
        if spec.options.end is End.REFUSE and file.duration_ns < run_ns:
            raise ConfigError(
                f"a load of at least {format_duration(run_ns)} (the run) expected, "
                f"got {format_duration(file.duration_ns)}",
                path=str(spec.path),
                hint="shorten the run, or set end = 'repeat', 'hold' or 'zero'",
            )

    def _generated(self, spec: NodeSpec, load: LoadSpec, un_mv: int, key: str) -> LoadProfile:
        scenario = self._scenario
        seed, span = scenario.seed, scenario.duration_ns
        origin = Origin.DERIVED
        if isinstance(load, TurbineSpec):
            _check_points(scenario, load.step_ns, f"{key}.step")
            curve = load_curve(load.curve)
            wind = self._weather[load.weather]
            power = turbine_power(load, curve, wind, seed=seed, node=spec.name, duration_ns=span)
            label = f"{curve.title} in derived wind{_scaled(load.scale)}"
        elif isinstance(load, SolarSpec):
            _check_points(scenario, load.step_ns, f"{key}.step")
            sun = self._weather[load.weather]
            power = solar_power(load, sun, seed=seed, node=spec.name, duration_ns=span)
            label = f"solar roof of {load.peak_w} W under derived sun{_scaled(load.scale)}"
        elif isinstance(load, HouseholdSpec):
            power = household_power(
                load, seed=seed, node=spec.name, epoch_ms=scenario.epoch_ms, duration_ns=span
            )
            label = f"household{_scaled(load.scale)}"
        elif isinstance(load, EvSessionSpec):
            power = ev_power(load)
            label = f"charging session of {load.energy_wh} Wh{_scaled(load.scale)}"
        else:
            origin = Origin.STATED
            power, label = _stated(load)
        return LoadProfile(
            power=power, voltage=Piecewise.constant(un_mv * 1000), label=label, origin=origin
        )

    def _overloaded(self, profile: LoadProfile, spec: NodeSpec, key: str) -> LoadProfile:
        """Lay the plan's overloads over the load; only they may leave the board's range."""
        for fault in self._scenario.faults:
            if fault.kind is not FaultKind.OVERLOAD or fault.node != spec.name:
                continue
            assert fault.for_ns is not None
            assert fault.power_uw is not None
            try:
                power = profile.power.replaced(
                    fault.at_ns, fault.at_ns + fault.for_ns, fault.power_uw
                )
            except ValueError:
                raise ConfigError(
                    "an overload needs a load that does not repeat",
                    path=self._scenario.path,
                    key=key,
                ) from None
            profile = LoadProfile(
                power=power, voltage=profile.voltage, label=profile.label, origin=profile.origin
            )
        return profile


def _stated(load: LoadSpec) -> tuple[Piecewise, str]:
    if isinstance(load, ConstantSpec):
        return constant_power(load.power_uw), load.label or "constant power"
    assert isinstance(load, StepsSpec)
    return steps_power(load.steps), f"{len(load.steps)} stated powers"


def _scaled(scale: Fraction) -> str:
    return "" if scale == 1 else f", scaled by {scale}"
