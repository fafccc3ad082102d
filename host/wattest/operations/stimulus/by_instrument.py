"""Plays a scenario's load through an electronic load or a power supply, in real time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction

from wattest.errors import ConfigError
from wattest.instruments.dialect import Dialect, InstrumentKind, load_dialect
from wattest.instruments.kept import KeptInstrument, instrument_address
from wattest.operations.control import RunControl
from wattest.operations.stimulus.common import (
    PlayOptions,
    RealClock,
    choose_node,
    logged,
    play_log,
)
from wattest.operations.stimulus.player import Applied, Began, Played, play
from wattest.scenario import PreparedNode
from wattest.units import format_decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentOptions(PlayOptions):
    """What to play, and through which instrument; see `PlayOptions` for the rest.

    Args:
        instrument: ``HOST``, ``HOST:PORT`` or a serial port.
        dialect: name, or path of a ``.toml`` file.
        resistance_mohm: of the resistor that a supply feeds, mΩ; None for a load.
    """

    instrument: str
    dialect: str
    resistance_mohm: int | None


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
    with ExitStack() as stack:
        log = stack.enter_context(play_log(options.out))
        kept = stack.enter_context(
            KeptInstrument(
                instrument_address(options.instrument, dialect),
                options.dialect,
                resistance_mohm=options.resistance_mohm or 0,
            )
        )
        duration_ns = options.length_ns
        yield Began(identity=kept.identity, load=node.load.label, duration_ns=duration_ns)
        events = play(
            node.load,
            kept,
            RealClock(control),
            duration_ns=duration_ns,
            step_ns=options.step_ns,
            stopped=lambda: control.stopped,
        )
        yield from logged(events, log)


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
