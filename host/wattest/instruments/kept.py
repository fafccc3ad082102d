"""An instrument in the hands of its keeper process: on while somebody wants it, off ever after."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from wattest.errors import InstrumentError
from wattest.instruments.dialect import Dialect
from wattest.instruments.instrument import ReadBack

_END_S = 10.0


class KeptInstrument:
    """An instrument that is switched off when this object is closed, or its process dies.

    Args:
        address: what `wattest.link.open_port` takes; `instrument_address` makes one.
        dialect: name or path, as `load_dialect` takes.
        resistance_mohm: of the resistor a supply feeds.

    Attributes:
        identity: its answer to ``*IDN?``.

    Raises:
        InstrumentError: it is not there, is another one, or refuses.
    """

    def __init__(self, address: str, dialect: str, *, resistance_mohm: int = 0) -> None:
        self._keeper = subprocess.Popen(  # noqa: S603 our own program, no shell
            [
                sys.executable,
                "-m",
                "wattest.instruments.keeper",
                address,
                dialect,
                f"--resistance-mohm={resistance_mohm}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._address = address
        self._closed = self._is_off = False
        try:
            self.identity = str(self._hear()["identity"])
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if value is None:
            self.close()
            return
        try:
            self.close()
        except InstrumentError as exc:  # both matter: the first cause, and that it may be on
            value.add_note(str(exc))

    def apply(self, power_uw: int) -> ReadBack:
        """Make a power flow from now on; see `Instrument.apply`."""
        assert self._keeper.stdin is not None
        try:
            self._keeper.stdin.write(json.dumps({"apply_uw": power_uw}) + "\n")
            self._keeper.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise InstrumentError(f"{self._address}: its keeper has ended") from None
        answer = self._hear()
        return ReadBack(voltage_uv=answer["voltage_uv"], current_ua=answer["current_ua"])

    def close(self) -> None:
        """Switch it off.

        Raises:
            InstrumentError: the output may still be on.
        """
        if self._closed:
            return
        trouble = self._let_go()
        if trouble:
            raise InstrumentError(trouble, hint="look at the instrument")

    def _let_go(self) -> str:
        """End the keeper; return why the output may be on, or ""."""
        self._closed = True
        keeper = self._keeper
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        with suppress(BrokenPipeError):  # it has ended by itself
            keeper.stdin.close()
        limit = threading.Timer(_END_S, keeper.kill)
        limit.start()
        try:
            rest = keeper.stdout.read()
            code = keeper.wait()
        finally:
            limit.cancel()
            keeper.stdout.close()
        lines = [json.loads(line) for line in rest.splitlines() if line]
        if self._is_off or any("off" in line for line in lines):
            return ""
        if lines:
            return str(lines[-1].get("error", ""))
        if code < 0:
            return f"{self._address}: its keeper was killed: the output may still be ON"
        return ""  # it never began

    def _hear(self) -> dict[str, Any]:
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {}
        self._is_off = "off" in answer
        if not line or self._is_off:
            raise InstrumentError(f"{self._address}: its keeper has ended")
        if "error" in answer:
            raise InstrumentError(answer["error"], hint=answer.get("hint", ""))
        return answer


def instrument_address(text: str, dialect: Dialect) -> str:
    """Return the port address a person means: ``HOST``, ``HOST:PORT``, or a serial port.

    ``192.0.2.7`` is a raw socket on the port of the dialect.
    """
    if "://" in text or text.startswith("/") or text.upper().startswith("COM"):
        return text
    return f"socket://{text}" if ":" in text else f"socket://{text}:{dialect.tcp_port}"
