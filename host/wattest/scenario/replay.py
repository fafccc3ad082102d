"""The scenario behind a replayed CSV file: defaults from ``bench/scenarios/replay.toml``."""

from __future__ import annotations

from dataclasses import replace

from wattest.boards import load_board
from wattest.data import data_root
from wattest.scenario.csv_load import parse_csv_load
from wattest.scenario.csv_options import Positive
from wattest.scenario.model import NodeSpec, Scenario
from wattest.scenario.read import load_scenario
from wattest.scenario.spec import CsvSpec
from wattest.settlement.terms import FixedPeriods, Terms
from wattest.tables import read_text
from wattest.units import NS_PER_MS, NS_PER_S

_CONTRACTS = {Positive.EXPORT: "feed-in", Positive.IMPORT: "supply"}


def replay_scenario(
    load: CsvSpec,
    *,
    nodes: int = 1,
    interval_ms: int | None = None,
    duration_ns: int | None = None,
    seed: int | None = None,
) -> Scenario:
    """Build the scenario of a replay: every node meters the same file.

    The run begins at the file's first instant, if it has one, and lasts as long as the file unless
    told otherwise. The contract that fits the file's positive direction is kept, for one
    settlement period: the run.

    Args:
        load: file and reading rules.
        nodes: how many nodes meter it, >= 1.
        interval_ms: record interval, or None for the default.
        duration_ns: length of the run, or None: the file's, in whole seconds.
        seed: of the run, or None for the default.

    Raises:
        ConfigError: the file or a rule is wrong.
    """
    base = load_scenario(data_root() / "bench" / "scenarios" / "replay.toml")
    template = base.nodes[0]
    un_mv = load_board(template.board).meter.un_mv
    text = read_text(load.path, bytes_max=256 * 1024 * 1024)
    file = parse_csv_load(text, load.options, path=str(load.path), un_mv=un_mv)
    epoch_ms = base.epoch_ms if file.start_ms is None else file.start_ms
    if duration_ns is None:
        duration_ns = max(file.duration_ns // NS_PER_S, 1) * NS_PER_S
    specs = tuple(_node(template, load, number, nodes) for number in range(1, nodes + 1))
    wanted = _CONTRACTS[load.options.positive]
    period = FixedPeriods(start_ms=epoch_ms, duration_ms=duration_ns // NS_PER_MS)
    contracts = tuple(
        _bound(terms, specs, period) for terms in base.contracts if terms.contract == wanted
    )
    return replace(
        base,
        name="replay",
        title=f"replay of {load.path.name}",
        path="",
        seed=base.seed if seed is None else seed,
        epoch_ms=epoch_ms,
        duration_ns=duration_ns,
        interval_ms=base.interval_ms if interval_ms is None else interval_ms,
        nodes=specs,
        contracts=contracts,
    )


def _node(template: NodeSpec, load: CsvSpec, number: int, nodes: int) -> NodeSpec:
    name = template.name if nodes == 1 else f"{template.name}-{number}"
    return replace(template, name=name, asset=name, load=load)


def _bound(terms: Terms, nodes: tuple[NodeSpec, ...], period: FixedPeriods) -> Terms:
    assets = tuple(sorted(node.asset for node in nodes))
    return replace(terms, assets=assets, period=period)
