"""Plays a scenario's load through an electronic load or a power supply, in real time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wattest.errors import ConfigError
from wattest.instruments.dialect import Dialect, InstrumentKind, load_dialect
from wattest.instruments.kept import KeptInstrument, instrument_address
from wattest.operations.control import RunControl
from wattest.operations.stimulus.common import LOG_NAME, RealClock, choose_node
from wattest.operations.stimulus.player import Applied, Began, Played, PlayLog, play
from wattest.scenario import PreparedNode, Scenario
from wattest.units import format_decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentOptions:
    """What to play, and through what.

    Args:
        scenario: its nodes have the loads.
        node: whose load; None: the first node's.
        instrument: ``HOST``, ``HOST:PORT`` or a serial port.
        dialect: name, or path of a ``.toml`` file.
        resistance_mohm: of the resistor that a supply feeds, mΩ; None for a load.
        step_ns: between two levels, > 0.
        duration_ns: how long; None: the scenario's duration.
        out: folder that gets ``stimulus.csv``, or None.
    """

    scenario: Scenario
    node: str | None
    instrument: str
    dialect: str
    resistance_mohm: int | None
    step_ns: int
    duration_ns: int | None
    out: Path | None


def play_through_instrument(
    options: InstrumentOptions, control: RunControl
) -> Generator[Began | Applied | Played]:
    """Play until the end or until ``control`` says stop; the output is off afterwards.

    Yields:
        `Began`, then `Applied` each level, `Played` last.

    Raises:
        ConfigError: load, instrument and board do not fit; nothing was switched on.
        InstrumentError: it is not there, is another one, or refuses.
        StoreError: the log cannot be written.
    """
    dialect = load_dialect(options.dialect)
    node = choose_node(options.scenario, options.node)
    _check_resistance(dialect, options.resistance_mohm)
    _check_range(node, dialect, options.resistance_mohm)
    duration_ns = options.duration_ns or options.scenario.duration_ns
    with ExitStack() as stack:
        log = None
        if options.out is not None:
            log = stack.enter_context(closing(PlayLog(options.out / LOG_NAME)))
        kept = stack.enter_context(
            KeptInstrument(
                instrument_address(options.instrument, dialect),
                options.dialect,
                resistance_mohm=options.resistance_mohm or 0,
            )
        )
        yield Began(identity=kept.identity, load=node.load.label, duration_ns=duration_ns)
        for event in play(
            node.load,
            kept,
            RealClock(control),
            duration_ns=duration_ns,
            step_ns=options.step_ns,
            stopped=lambda: control.stopped,
        ):
            if log is not None and isinstance(event, Applied):
                log.add(event)
            yield event


def _check_resistance(dialect: Dialect, resistance_mohm: int | None) -> None:
    is_supply = dialect.kind is InstrumentKind.SUPPLY
    if is_supply != (resistance_mohm is not None):
        raise ConfigError(
            "a supply needs the ohms it feeds" if is_supply else "a load has none",
            path=f"--resistance with {dialect.title}",
        )


def _check_range(node: PreparedNode, dialect: Dialect, resistance_mohm: int | None) -> None:
    """Refuse before anything flows what the instrument could not play on the way."""
    where = f"load of {node.spec.name}"
    if node.load.power.minimum < 0:
        raise ConfigError(
            f"{dialect.title} works one way, got {_watts(node.load.power.minimum)} W",
            path=where,
            hint="choose a load that imports only",
        )
    limit_uw = Fraction(dialect.current_max_ma * node.board.meter.un_mv)
    if resistance_mohm is not None:
        limit_uw = Fraction(dialect.voltage_max_mv**2 * 1000, resistance_mohm)
    if node.load.power.maximum > limit_uw:
        raise ConfigError(
            f"at most {_watts(limit_uw)} W expected of {dialect.title}, "
            f"got {_watts(node.load.power.maximum)} W",
            path=where,
            hint="scale the load down in the scenario",
        )


def _watts(power_uw: Fraction) -> str:
    return format_decimal(power_uw / 10**6, 1)
