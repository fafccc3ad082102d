"""A load or a supply that makes a given power flow, and says what really flowed.

Host-timed fixed mode: each level is written when it is due and read back. List mode is left alone,
because some units never leave it again (docs/stimulus.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from wattest.errors import InstrumentError, WattestError
from wattest.instruments.dialect import Dialect, InstrumentKind
from wattest.instruments.scpi import Scpi, decimal

_MICRO: Final = 1_000_000
_OFF: Final = {"0", "OFF"}
_VOLTAGE_MIN_UV: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What an instrument measured at its own terminals, micro units."""

    voltage_uv: int
    current_ua: int

    @property
    def power_uw(self) -> int:
        """Power, µW, nearest."""
        return (self.voltage_uv * self.current_ua + _MICRO // 2) // _MICRO


class Instrument:
    """One instrument, its output off until :meth:`begin` and after :meth:`end`.

    Args:
        scpi: the conversation with it.
        dialect: how to talk to it.
        resistance_mohm: of the resistor a supply feeds, mΩ; not for a load.

    Raises:
        InstrumentError: a supply without a resistor.
    """

    def __init__(self, scpi: Scpi, dialect: Dialect, *, resistance_mohm: int = 0) -> None:
        if dialect.kind is InstrumentKind.SUPPLY and resistance_mohm <= 0:
            raise InstrumentError(
                f"{scpi.name}: a supply needs the resistance it feeds",
                hint="give it in milliohms",
            )
        self._scpi = scpi
        self._dialect = dialect
        self._resistance_mohm = resistance_mohm
        self._switch = dialect.switch[0]
        self._voltage_uv = 0
        self._touched = False
        self.identity = ""

    def begin(self) -> None:
        """Find out that it is the right one, and switch its output on with nothing flowing.

        Raises:
            InstrumentError: another instrument, or it refuses.
            LinkError: it is gone.
        """
        scpi, dialect = self._scpi, self._dialect
        self.identity = scpi.ask("*IDN?")
        if not re.match(dialect.identity, self.identity):
            raise InstrumentError(
                f"{scpi.name}: expected {dialect.title}, got {self.identity!r}",
                hint="choose another dialect",
            )
        self._touched = True
        scpi.forget_errors()
        self._switch = self._find(dialect.switch)
        scpi.do(f"{self._switch} OFF")
        if dialect.function:
            scpi.do(f"{dialect.function} {dialect.constant_current}")
        if dialect.mode and (mode := scpi.ask(f"{dialect.mode}?")) != dialect.fixed:
            raise InstrumentError(
                f"{scpi.name}: is in mode {mode!r}, expected {dialect.fixed!r}",
                hint="a unit that has run a list leaves it only by a power cycle",
            )
        if dialect.kind is InstrumentKind.SUPPLY:
            limit = decimal(dialect.current_max_ma * 1000)
            scpi.do(f"{dialect.voltage} {decimal(0)}", f"{dialect.current} {limit}")
        else:
            scpi.do(f"{dialect.current} {decimal(0)}")
        scpi.do(f"{self._switch} ON")
        self._voltage_uv = self.read_back().voltage_uv
        if dialect.kind is InstrumentKind.LOAD and self._voltage_uv < _VOLTAGE_MIN_UV:
            raise InstrumentError(
                f"{scpi.name}: no voltage at its terminals, {decimal(self._voltage_uv)} V",
                hint="switch the supply on and check the polarity",
            )

    def apply(self, power_uw: int) -> ReadBack:
        """Make ``power_uw`` flow from now on, and read back.

        Args:
            power_uw: µW, 0 or more.

        Raises:
            InstrumentError: more than it can do, or it refuses.
            LinkError: it is gone.
        """
        if power_uw < 0:
            raise InstrumentError(
                f"{self._scpi.name}: cannot play {decimal(power_uw)} W: it works one way",
                hint="export needs a supply in the place of the load",
            )
        if self._dialect.kind is InstrumentKind.SUPPLY:
            self._set_voltage(power_uw)
        else:
            self._set_current(power_uw)
        read_back = self.read_back()
        self._voltage_uv = read_back.voltage_uv
        return read_back

    def read_back(self) -> ReadBack:
        """Measure now."""
        return ReadBack(
            voltage_uv=self._scpi.ask_micro(":MEASure:VOLTage?"),
            current_ua=self._scpi.ask_micro(":MEASure:CURRent?"),
        )

    def end(self) -> None:
        """Switch its output off and make sure that it is; leave a stranger alone.

        Raises:
            InstrumentError: it did not, or cannot be asked: the output may be on.
        """
        if not self._touched:
            return
        scpi = self._scpi
        try:
            # Whoever ends us may have done so between a question and its answer.
            scpi.do_now(f"{self._switch} OFF", self.identity)
            state = scpi.ask(f"{self._switch}?")
        except WattestError as exc:
            raise InstrumentError(
                f"{scpi.name}: the output may still be ON: {exc}", hint="switch it off by hand"
            ) from exc
        if state.upper() not in _OFF:
            raise InstrumentError(
                f"{scpi.name}: the output is still ON, though it was told to switch off: "
                f"it says {state!r}",
                hint="switch it off by hand",
            )

    def _set_current(self, power_uw: int) -> None:
        voltage_uv = max(self._voltage_uv, _VOLTAGE_MIN_UV)
        current_ua = power_uw * _MICRO // voltage_uv
        if current_ua > self._dialect.current_max_ma * 1000:
            raise InstrumentError(
                f"{self._scpi.name}: {decimal(power_uw)} W at {decimal(voltage_uv)} V need "
                f"{decimal(current_ua)} A, more than {self._dialect.current_max_ma} mA",
                hint="scale the load down",
            )
        self._scpi.do(f"{self._dialect.current} {decimal(current_ua)}")

    def _set_voltage(self, power_uw: int) -> None:
        voltage_uv = isqrt(power_uw * self._resistance_mohm * 1000)
        if voltage_uv > self._dialect.voltage_max_mv * 1000:
            raise InstrumentError(
                f"{self._scpi.name}: {decimal(power_uw)} W in {self._resistance_mohm} mΩ need "
                f"{decimal(voltage_uv)} V, more than {self._dialect.voltage_max_mv} mV",
                hint="scale the load down, or use a smaller resistor",
            )
        self._scpi.do(f"{self._dialect.voltage} {decimal(voltage_uv)}")

    def _find(self, headers: Sequence[str]) -> str:
        """Return the first header that the unit knows."""
        for header in headers:
            if self._scpi.knows(f"{header}?"):
                return header
        raise InstrumentError(
            f"{self._scpi.name}: answers to none of {', '.join(headers)}",
            hint="correct `switch` in its dialect",
        )
