"""A scenario written out whole: a file that plays the same run again, wherever it came from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from wattest.scenario.csv_options import CsvOptions
from wattest.scenario.deed import PAYMENTS, Deed, DeedKind
from wattest.scenario.fault import Action, ActionKind, Fault, FaultKind
from wattest.scenario.model import ChipErrorSpec, NodeSpec, Scenario
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
from wattest.scenario.weather import WeatherSpec, WindSpec
from wattest.settlement.terms_form import terms_to_map
from wattest.units import NS_PER_MS, format_duration

Form = dict[str, object]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def scenario_to_toml(scenario: Scenario) -> str:
    """Return a TOML file that reads as an equal scenario, but for its own path.

    Names of load files become absolute: the file may be kept anywhere. Every default is spelled
    out, so that it means the same under a later version.
    """
    lines = [
        f"name = {_value(scenario.name)}",
        *([f"title = {_value(scenario.title)}"] if scenario.title else []),
        f"seed = {scenario.seed}",
        f"epoch = {_instant(scenario.epoch_ms)}",
        f"duration = {_value(format_duration(scenario.duration_ns))}",
        f"interval = {_value(_milliseconds(scenario.interval_ms))}",
    ]
    for name, weather in scenario.weather.items():
        lines += ["", f"[weather.{_value(name)}]", *_pairs(_weather(weather))]
    tables: list[tuple[str, Form]] = [("node", _node(node)) for node in scenario.nodes]
    tables += [("party", {"id": party.id, "name": party.name}) for party in scenario.parties]
    for terms in scenario.contracts:
        form: Form = dict(terms_to_map(terms))
        del form["format"]
        tables.append(("contract", form))
    tables += [("fault", _fault(fault)) for fault in scenario.faults]
    tables += [("action", _action(action)) for action in scenario.actions]
    tables += [("action", _deed(deed)) for deed in scenario.deeds]
    for name, form in tables:
        lines += ["", f"[[{name}]]", *_pairs(form)]
    return "\n".join(lines) + "\n"


def _weather(weather: WeatherSpec) -> Form:
    if isinstance(weather, WindSpec):
        return {
            "kind": "wind",
            "mean_m_s": Fraction(weather.mean_mm_s, 1000),
            "memory": format_duration(weather.tau_ns),
            "step": format_duration(weather.step_ns),
        }
    return {
        "kind": "sun",
        "latitude": Fraction(weather.latitude_udeg, 10**6),
        "longitude": Fraction(weather.longitude_udeg, 10**6),
        "oktas": weather.oktas,
        "step": format_duration(weather.step_ns),
    }


def _node(node: NodeSpec) -> Form:
    board = str(Path(node.board).absolute()) if node.board.endswith(".toml") else node.board
    return {
        "name": node.name,
        "asset": node.asset,
        "board": board,
        "load": _load(node.load),
        "chip": {name: getattr(node.chip, name) for name in ChipErrorSpec.__slots__},
    }


def _load(load: LoadSpec) -> Form:
    match load:
        case ConstantSpec():
            form: Form = {"kind": "constant", "power_w": load.power_uw / 10**6}
            return form | ({"label": load.label} if load.label else {})
        case StepsSpec():
            steps = [[format_duration(t_ns), power / 10**6] for t_ns, power in load.steps]
            return {"kind": "steps", "steps": steps}
        case CsvSpec():
            return {"kind": "csv", "file": str(load.path.absolute()), **_csv(load.options)}
        case TurbineSpec():
            return {
                "kind": "turbine",
                "weather": load.weather,
                "curve": load.curve,
                "scale": load.scale,
                "gust_permille": load.gust_permille,
                "step": format_duration(load.step_ns),
            }
        case SolarSpec():
            return {
                "kind": "solar",
                "weather": load.weather,
                "peak_w": load.peak_w,
                "performance_percent": load.performance_percent,
                "limit_w": load.limit_w,
                "standby_milliwatts": load.standby_milliwatts,
                "scale": load.scale,
                "shade_permille": load.shade_permille,
                "step": format_duration(load.step_ns),
            }
        case HouseholdSpec():
            return {"kind": "household", "scale": load.scale, "base_w": load.base_w}
        case EvSessionSpec():
            return {
                "kind": "ev-session",
                "arrive": format_duration(load.arrive_ns),
                "energy_wh": load.energy_wh,
                "power_w": load.power_w,
                "taper_percent": load.taper_percent,
                "final_w": load.final_w,
                "standby_milliwatts": load.standby_milliwatts,
                "scale": load.scale,
            }


def _csv(options: CsvOptions) -> Form:
    form: Form = {
        "unit": options.unit,
        "scale": options.scale,
        "positive": options.positive.value,
        "interpolation": options.interpolation.value,
        "time_format": options.time_format,
        "time_zone": options.time_zone,
        "decimal": options.decimal,
        "skip_rows": options.skip_rows,
        "header_rows": options.header_rows,
        "missing": options.missing.value,
        "gap": options.gap.value,
        "backward": options.backward.value,
        "end": options.end.value,
        "skip": format_duration(options.skip_ns),
        "voltage_scale": options.voltage_scale,
    }
    optional: Form = {
        "column": options.column,
        "time": list(options.time),
        "delimiter": options.delimiter,
        "voltage_column": options.voltage_column,
        "step": "" if options.step_ns is None else format_duration(options.step_ns),
    }
    return form | {key: value for key, value in optional.items() if value}


def _fault(fault: Fault) -> Form:
    form: Form = {
        "kind": fault.kind.value,
        "node": fault.node,
        "at": format_duration(fault.at_ns),
        "expect": list(fault.expect),
        "also": list(fault.also),
    }
    if fault.for_ns is not None:
        form["for"] = format_duration(fault.for_ns)
    if fault.flash_operation is not None:
        form["flash_operation"] = fault.flash_operation
    if fault.power_uw is not None:
        form["power_w"] = fault.power_uw / 10**6
    if fault.copied_ns is not None:
        form["copied"] = format_duration(fault.copied_ns)
    if fault.kind is FaultKind.REPLAY:
        form["back"] = fault.back
    if fault.kind is FaultKind.BUS_BITS:
        form["every"] = fault.every
    if fault.kind in {FaultKind.BUS_BITS, FaultKind.FLIP_BIT, FaultKind.FORGE}:
        form["bit"] = fault.bit
    if fault.kind is FaultKind.CLOCK_STEP:
        form["by"] = _milliseconds(fault.by_ms)
    return form


def _action(action: Action) -> Form:
    form: Form = {
        "kind": action.kind.value,
        "node": action.node,
        "at": format_duration(action.at_ns),
    }
    if action.kind is ActionKind.BEGIN:
        form["id"] = action.text
    elif action.kind is ActionKind.RELAY:
        form["closed"] = action.closed
    elif action.kind is ActionKind.INTERVAL:
        form["interval"] = _milliseconds(action.interval_ms)
    return form


def _deed(deed: Deed) -> Form:
    form: Form = {"kind": deed.kind.value, "contract": deed.contract}
    if deed.party:
        form["party"] = deed.party
    form["at"] = format_duration(deed.at_ns)
    if deed.kind in PAYMENTS:
        form |= {"amount": deed.amount, "reference": deed.reference}
    elif deed.kind is DeedKind.DISPUTE:
        start_ns, end_ns = deed.window_ns
        form |= {
            "name": deed.name,
            "line": deed.line,
            "from": format_duration(start_ns),
            "to": format_duration(end_ns),
            "reason": deed.text,
        }
        if deed.quantity is not None:
            form["quantity"] = deed.quantity
    elif deed.kind is DeedKind.RESOLVE:
        form |= {"dispute": deed.name, "granted": deed.granted, "text": deed.text}
    return form


def _milliseconds(value_ms: int) -> str:
    return format_duration(value_ms * NS_PER_MS)


def _instant(time_ms: int) -> str:
    moment = _EPOCH + dt.timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ms % 1000:03d}Z"


def _pairs(form: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in form.items()]


def _value(value: object) -> str:
    """Write one TOML value; exact numbers that are not whole become strings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Fraction):
        return str(value) if value.denominator == 1 else f'"{value}"'
    if isinstance(value, str):
        return '"' + "".join(_escaped(character) for character in value) + '"'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}"
    assert isinstance(value, (list, tuple)), type(value)
    return "[" + ", ".join(_value(item) for item in value) + "]"


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04X}"
    return character
