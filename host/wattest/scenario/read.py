"""Scenario files: strict TOML to a ``Scenario``; docs/scenarios.md explains every key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from wattest.scenario.deed import Deed, DeedKind, read_deed
from wattest.scenario.fault import (
    Action,
    ActionKind,
    Fault,
    check_within,
    read_action,
    read_fault,
    read_interval_ms,
)
from wattest.scenario.model import ChipErrorSpec, NodeSpec, Party, Scenario
from wattest.scenario.read_load import read_load, read_weather
from wattest.settlement.parties import parties_of
from wattest.settlement.terms import Terms
from wattest.settlement.terms_table import terms_from_table
from wattest.tables import Table, parse_table, read_table
from wattest.units import NS_PER_S

_NAME_CHARS_MAX = 24
_NODES_MAX = 10_000
_DURATION_MAX_NS = 400 * 86_400 * NS_PER_S


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ConfigError: path, dotted key, expected, got.
    """
    return _read(read_table(Path(path)))


def parse_scenario(text: str, path: str) -> Scenario:
    """Parse a scenario's text; relative paths start beside ``path``.

    Raises:
        ConfigError: as ``load_scenario``.
    """
    return _read(parse_table(text, path))


def _read(table: Table) -> Scenario:
    folder = Path(table.path).parent
    weather = table.table("weather")
    nodes = tuple(_nodes(table, folder))
    actions, deeds = _plan(table)
    scenario = Scenario(
        name=table.name("name"),
        title=table.text("title", ""),
        path=table.path,
        seed=table.integer("seed", maximum=2**63 - 1),
        epoch_ms=table.instant_ms("epoch"),
        duration_ns=table.duration_ns(
            "duration", minimum_ns=NS_PER_S, maximum_ns=_DURATION_MAX_NS
        ),
        interval_ms=read_interval_ms(table, 60 * NS_PER_S),
        weather={name: read_weather(weather.table(name)) for name in weather.names()},
        nodes=nodes,
        parties=tuple(_party(entry) for entry in table.tables("party")),
        contracts=tuple(_contract(entry, folder) for entry in table.tables("contract")),
        faults=_by_time(read_fault(entry) for entry in table.tables("fault")),
        actions=actions,
        deeds=deeds,
    )
    table.finish()
    _check_references(scenario, table)
    return scenario


def _by_time(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.at_ns))


def _plan(table: Table) -> tuple[tuple[Action, ...], tuple[Deed, ...]]:
    """Read the actions: commands to nodes, and what parties do about money."""
    actions: list[Action] = []
    deeds: list[Deed] = []
    for entry in table.tables("action"):
        kind = entry.choice("kind", [*ActionKind, *DeedKind])
        if kind in set(DeedKind):
            deeds.append(read_deed(entry))
        else:
            actions.append(read_action(entry))
    actions.sort(key=lambda action: action.at_ns)
    deeds.sort(key=lambda deed: deed.at_ns)
    return tuple(actions), tuple(deeds)


def _nodes(table: Table, folder: Path) -> Iterable[NodeSpec]:
    entries = table.tables("node")
    if not entries:
        raise table.error("node", "at least one [[node]] expected, got none")
    names: set[str] = set()
    for entry in entries:
        node = _node(entry, folder)
        count = entry.integer("count", 1, minimum=1, maximum=_NODES_MAX)
        entry.finish()
        for number in range(1, count + 1):
            one = node if count == 1 else _numbered(node, number)
            if len(one.name) > _NAME_CHARS_MAX:
                raise entry.error(
                    "name",
                    f"at most {_NAME_CHARS_MAX} characters expected, got {len(one.name)}",
                )
            if one.name in names:
                raise entry.error("name", f"a name of its own expected, got {one.name!r} again")
            names.add(one.name)
            yield one


def _numbered(node: NodeSpec, number: int) -> NodeSpec:
    return replace(node, name=f"{node.name}-{number}", asset=f"{node.asset}-{number}")


def _node(table: Table, folder: Path) -> NodeSpec:
    name = table.name("name")
    board = table.text("board", "emulated-esp32", pattern=r"[^\x00]{1,1024}", expected="a board")
    return NodeSpec(
        name=name,
        asset=table.name("asset", name),
        board=str(folder / board) if board.endswith(".toml") else board,
        load=read_load(table, "load", folder),
        chip=_chip(table.table("chip")),
    )


def _chip(table: Table) -> ChipErrorSpec:
    bounds = {
        "gain_current_ppm": 50_000,
        "gain_voltage_ppm": 50_000,
        "offset_nv": 1_000_000,
        "offset_uv": 1_000_000,
        "oscillator_ppm": 50_000,
    }
    values = {key: table.integer(key, 0, minimum=-top, maximum=top) for key, top in bounds.items()}
    values |= {key: table.integer(key, 0, maximum=1_000_000) for key in ("noise_nv", "noise_uv")}
    table.finish()
    return ChipErrorSpec(**values)


def _party(table: Table) -> Party:
    party = Party(id=table.name("id"), name=table.text("name"))
    table.finish()
    return party


def _contract(table: Table, folder: Path) -> Terms:
    if "file" not in table:
        return terms_from_table(table)
    name = table.text("file", pattern=r"[^\x00]{1,1024}", expected="a path")
    table.finish()
    return terms_from_table(read_table(folder / name))


def _check_references(scenario: Scenario, table: Table) -> None:
    """Refuse names that nothing answers to."""
    nodes = [node.name for node in scenario.nodes]
    assets = [node.asset for node in scenario.nodes]
    for number, node in enumerate(scenario.nodes):
        weather = getattr(node.load, "weather", None)
        if weather is not None:
            _known(table, f"node[{number}].load.weather", weather, scenario.weather)
    for key, plan in (("fault", scenario.faults), ("action", scenario.actions)):
        for item in plan:
            _known(table, f"{key}.node", item.node, nodes)
    parties = [party.id for party in scenario.parties]
    if len(set(parties)) != len(parties):
        raise table.error("party", "ids that differ expected, got one twice")
    names: set[str] = set()
    for terms in scenario.contracts:
        key = f"contract.{terms.contract}"
        if terms.contract in names:
            raise table.error(key, "a name of its own expected, got it again")
        names.add(terms.contract)
        for asset in terms.assets:
            _known(table, f"{key}.assets", asset, assets)
        for role in (terms.seller, terms.buyer):
            _known(table, f"{key}.seller or buyer", role, parties)
    _check_deeds(scenario, table)
    check_within(scenario.faults, scenario.duration_ns, path=scenario.path)


def _check_deeds(scenario: Scenario, table: Table) -> None:
    """Refuse deeds in contracts, by parties, or about lines and disputes that are not there."""
    contracts = {terms.contract: terms for terms in scenario.contracts}
    disputes: set[str] = set()
    for deed in scenario.deeds:
        _known(table, "action.contract", deed.contract, contracts)
        terms = contracts[deed.contract]
        if deed.party:
            _known(table, "action.party", deed.party, parties_of(terms))
        if deed.kind is DeedKind.RESOLVE:
            _known(table, "action.dispute", deed.name, disputes)
        elif deed.kind is DeedKind.DISPUTE:
            _known(table, "action.line", deed.line, [line.code for line in terms.lines])
            if deed.name in disputes:
                raise table.error("action.name", f"a name of its own expected, got {deed.name!r}")
            disputes.add(deed.name)


def _known(table: Table, key: str, name: str, names: Iterable[str]) -> None:
    known = list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise table.error(
            key,
            f"one of {', '.join(known[:8]) or 'nothing'} expected, got {name!r}",
            hint=f"did you mean {near[0]!r}?" if near else "",
        )
