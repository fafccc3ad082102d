"""A SCPI instrument that is not there: its command language, its physics, its bad habits.

Its terminals are part of the same truth as the emulated boards: what it lets flow, and since
when, is a load that the sensor of a board can measure. So node, instrument and bench run as one.
"""

from __future__ import annotations

import re
import socket
import threading
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from wattest.instruments.dialect import Dialect, InstrumentKind
from wattest.instruments.scpi import decimal
from wattest.units import parse_decimal

_MICRO: Final = 1_000_000
_UNKNOWN: Final = '-113,"Undefined header"'
_OUT_OF_RANGE: Final = '-222,"Data out of range"'


class Terminals:
    """What flows at two terminals, exactly, since when: a load to a sensor.

    Between changes current and voltage stand still, so means are exact but for their rounding.

    Args:
        voltage_uv: at no current.
    """

    def __init__(self, *, voltage_uv: int) -> None:
        self._times = [0]
        self._powers = [0]
        self._voltages = [voltage_uv]
        self._lock = threading.Lock()

    def change(self, t_ns: int, *, current_ua: int, voltage_uv: int) -> None:
        """From ``t_ns`` on this flows; time does not go back."""
        with self._lock:
            self._times.append(max(t_ns, self._times[-1]))
            self._powers.append(voltage_uv * current_ua // _MICRO)
            self._voltages.append(voltage_uv)

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean power over ``[t0, t1)``, µW."""
        return self._mean(self._powers, t0_ns, t1_ns)

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        """Return the mean voltage over ``[t0, t1)``, µV."""
        return self._mean(self._voltages, t0_ns, t1_ns)

    def _mean(self, values: list[int], t0_ns: int, t1_ns: int) -> int:
        with self._lock:
            total, at_ns = 0, t0_ns
            index = max(bisect_right(self._times, t0_ns) - 1, 0)
            while at_ns < t1_ns:
                last = index + 1 == len(self._times)
                end_ns = t1_ns if last else min(self._times[index + 1], t1_ns)
                total += values[index] * (max(end_ns, at_ns) - at_ns)
                at_ns = max(end_ns, at_ns)
                index += 0 if last else 1
            span_ns = t1_ns - t0_ns
            return (total + span_ns // 2) // span_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a simulated instrument misbehaves.

    Args:
        stuck_in_list: fixed mode is ignored, as after a list on some units.
        ignores_off: stays on whatever it is told.
        silent_after: answers nothing more after so many lines; None: never.
    """

    stuck_in_list: bool = False
    ignores_off: bool = False
    silent_after: int | None = None


class SimulatedInstrument:
    """Answers SCPI lines as an instrument of a dialect does.

    Args:
        dialect: whose commands it knows; of the switch only the last header.
        now_ns: the time of the world its terminals are in.
        source_uv: of a load: voltage of the supply behind its terminals.
        source_mohm: of a load: inner resistance of that supply.
        resistance_mohm: of a supply: the resistor it feeds.
        habits: what is wrong with it.

    Attributes:
        terminals: what flows; a load to an emulated sensor.
        on: the output is on.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        now_ns: Callable[[], int],
        source_uv: int = 24_000_000,
        source_mohm: int = 0,
        resistance_mohm: int = 10_000,
        habits: Habits | None = None,
    ) -> None:
        self._dialect = dialect
        self._now_ns = now_ns
        self._source_uv = source_uv
        self._source_mohm = source_mohm
        self._resistance_mohm = resistance_mohm
        self._habits = habits or Habits()
        self._errors: list[str] = []
        self._current_ua = 0
        self._voltage_uv = 0
        self._lines = 0
        self.on = False
        is_load = dialect.kind is InstrumentKind.LOAD
        self.terminals = Terminals(voltage_uv=source_uv if is_load else 0)

    def line(self, text: str) -> str:
        """Take one line; return its answers joined as SCPI joins them, or ""."""
        self._lines += 1
        silent_after = self._habits.silent_after
        answers = [self._command(part.strip()) for part in text.split(";") if part.strip()]
        if silent_after is not None and self._lines > silent_after:
            return ""
        return ";".join(answer for answer in answers if answer)

    def _command(self, text: str) -> str:
        header, _, argument = text.partition(" ")
        argument = argument.strip()
        question = header.endswith("?")
        header = header.rstrip("?")
        known = self._common(header.upper(), question=question)
        if known is not None:
            return known
        dialect = self._dialect
        if _same(dialect.switch[-1], header):
            return self._switch(argument, question=question)
        if dialect.function and _same(dialect.function, header):
            return dialect.constant_current if question else ""
        if dialect.mode and _same(dialect.mode, header):
            return ("LIST" if self._habits.stuck_in_list else dialect.fixed) if question else ""
        for name in ("current", "voltage"):
            if getattr(dialect, name) and _same(getattr(dialect, name), header):
                return self._level(name, argument, question=question)
        for name, value in self._measured().items():
            if question and _same(f":MEASure:{name}", header):
                return decimal(value)
        self._errors.append(_UNKNOWN)
        return ""

    def _common(self, header: str, *, question: bool) -> str | None:
        """Answer what every SCPI instrument knows; None if it is not of these."""
        if header == "*IDN":
            title = re.sub(r"\\d\+?", "0", self._dialect.identity)
            return f"{title},SIMULATED,1.0"
        if header in {"*CLS", "*RST"}:
            self._errors.clear()
            if header == "*RST":
                self._set(on=False, current_ua=0, voltage_uv=0)
            return ""
        if header == "*OPC":
            return "1" if question else ""
        if header == "*ESR":
            return "32" if self._errors else "0"
        if _same(":SYSTem:ERRor", header) or _same(":SYSTem:ERRor:NEXT", header):
            return self._errors.pop(0) if self._errors else '0,"No error"'
        return None

    def _switch(self, argument: str, *, question: bool) -> str:
        if question:
            return "1" if self.on else "0"
        wanted = argument.upper() in {"1", "ON"}
        if wanted or not self._habits.ignores_off:
            self._set(on=wanted, current_ua=self._current_ua, voltage_uv=self._voltage_uv)
        return ""

    def _level(self, name: str, argument: str, *, question: bool) -> str:
        ampere = name == "current"
        if question:
            return decimal(self._current_ua if ampere else self._voltage_uv)
        try:
            micro = round(parse_decimal(argument) * _MICRO)
        except ValueError:
            micro = -1
        limit = self._dialect.current_max_ma if ampere else self._dialect.voltage_max_mv
        if not 0 <= micro <= limit * 1000:
            self._errors.append(_OUT_OF_RANGE)
            return ""
        self._set(
            on=self.on,
            current_ua=micro if ampere else self._current_ua,
            voltage_uv=self._voltage_uv if ampere else micro,
        )
        return ""

    def _set(self, *, on: bool, current_ua: int, voltage_uv: int) -> None:
        self.on, self._current_ua, self._voltage_uv = on, current_ua, voltage_uv
        flow = self._flow()
        self.terminals.change(self._now_ns(), current_ua=flow[1], voltage_uv=flow[0])

    def _flow(self) -> tuple[int, int]:
        """Return voltage and current at the terminals, micro units."""
        if self._dialect.kind is InstrumentKind.SUPPLY:
            voltage_uv = self._voltage_uv if self.on else 0
            current_ua = voltage_uv * 1000 // self._resistance_mohm
            if current_ua > self._current_ua:  # it limits
                current_ua = self._current_ua
                voltage_uv = current_ua * self._resistance_mohm // 1000
            return voltage_uv, current_ua
        current_ua = self._current_ua if self.on else 0
        return self._source_uv - current_ua * self._source_mohm // 1000, current_ua

    def _measured(self) -> dict[str, int]:
        voltage_uv, current_ua = self._flow()
        power_uw = voltage_uv * current_ua // _MICRO
        return {"VOLTage": voltage_uv, "CURRent": current_ua, "POWer": power_uw}


def _same(pattern: str, header: str) -> bool:
    """Tell whether a header names a pattern: long form or capitals, any case, colon or not."""
    want = pattern.lstrip(":").split(":")
    got = header.lstrip(":").upper().split(":")
    return len(want) == len(got) and all(
        word in {node.upper(), "".join(c for c in node if c.isupper())}
        for node, word in zip(want, got, strict=True)
    )


class ScpiServer:
    """A simulated instrument on a TCP port of this machine, one client at a time.

    Args:
        instrument: who answers.

    Attributes:
        address: for `wattest.link.open_port`.
    """

    def __init__(self, instrument: SimulatedInstrument) -> None:
        self._instrument = instrument
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="scpi", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        # Waking accept() by a connection works everywhere; closing the socket under it does not.
        with socket.create_connection(self._listener.getsockname()):
            client = self._client
            if client is not None:
                client.close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client:
                if self._closing:
                    return
                self._client = client
                with suppress(OSError):  # the client is gone, or we are closing
                    self._talk(client)
                self._client = None

    def _talk(self, client: socket.socket) -> None:
        received = bytearray()
        while True:
            data = client.recv(4096)
            if not data:
                return
            received += data
            while (end := received.find(b"\n")) >= 0:
                line = received[:end].decode("ascii", "replace")
                del received[: end + 1]
                answer = self._instrument.line(line)
                if answer:
                    client.sendall(answer.encode("ascii") + b"\n")
