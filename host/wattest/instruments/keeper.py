"""The small program that holds an instrument, so that its output never outlives who wanted it on.

It talks to the instrument and takes orders, one JSON object a line, on its standard input. When
the input ends, for whatever reason, it switches the output off and goes. So the output is off
after the end of a run, after Ctrl-C, after an exception, and after the bench itself was killed.

    {"apply_uw": 1500000}  ->  {"voltage_uv": 24000000, "current_ua": 62500}
    {"apply_uw": -1}       ->  {"error": "...", "hint": "..."}

Its first line tells who answered: ``{"identity": "..."}``, or an error. Its last line is
``{"off": true}``, or the error that the output may still be on.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from wattest.errors import InstrumentError, WattestError
from wattest.instruments.dialect import load_dialect
from wattest.instruments.instrument import Instrument
from wattest.instruments.scpi import Scpi
from wattest.link import open_port


def keep(
    instrument: Instrument, orders: Iterable[str], answer: Callable[[dict[str, Any]], None]
) -> bool:
    """Carry orders out until they end; then switch off.

    Args:
        instrument: not begun.
        orders: lines, each a JSON object.
        answer: takes each answer.

    Returns:
        Whether everything went well, switching off included.
    """
    well = True
    try:
        instrument.begin()
        answer({"identity": instrument.identity})
        for line in orders:
            read_back = instrument.apply(_power_uw(line))
            answer({"voltage_uv": read_back.voltage_uv, "current_ua": read_back.current_ua})
    except WattestError as exc:
        answer(_trouble(exc))
        well = False
    finally:
        try:
            instrument.end()
            answer({"off": True})
        except WattestError as exc:
            answer(_trouble(exc))
            well = False
    return well


def _power_uw(line: str) -> int:
    try:
        power_uw = json.loads(line)["apply_uw"]
    except (ValueError, TypeError, KeyError):
        power_uw = None
    if type(power_uw) is not int:
        raise InstrumentError(f"an order with apply_uw expected, got {line.strip()!r}")
    return power_uw


def _trouble(exc: WattestError) -> dict[str, Any]:
    return {"error": str(exc), "hint": exc.hint}


def main() -> int:
    """Run as a program; the parent process is on the other end of the pipes."""
    parser = argparse.ArgumentParser(prog="python -m wattest.instruments.keeper")
    parser.add_argument("address")
    parser.add_argument("dialect")
    parser.add_argument("--resistance-mohm", type=int, default=0)
    options = parser.parse_args()
    # What the terminal says reaches every process in it, the closing of its window too: who holds
    # the output waits for the end of its orders and leaves in good order.
    for name in ("SIGINT", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def answer(values: dict[str, Any]) -> None:
        try:
            sys.stdout.write(json.dumps(values) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # nobody listens any more; the output still has to go off
            return

    try:
        dialect = load_dialect(options.dialect)
        with open_port(options.address, baud=dialect.baud) as port:
            scpi = Scpi(port, f"{dialect.name} at {options.address}")
            instrument = Instrument(scpi, dialect, resistance_mohm=options.resistance_mohm)
            return 0 if keep(instrument, sys.stdin, answer) else 1
    except WattestError as exc:
        answer(_trouble(exc))
        return 1


if __name__ == "__main__":
    sys.exit(main())
