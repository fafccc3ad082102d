"""DTR and RTS: how a port is opened without the board noticing, and how a board is reset."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from wattest.errors import LinkError
from wattest.link import open_port
from wattest.link.lines import RESET_S, open_without_reset, reset

RUNS, DECIDED_BY_RESET, HELD = {(0, 0), (1, 1)}, (1, 0), (0, 1)


class Circuit:
    """What the two transistors of a board see: every state the lines pass through."""

    def __init__(self, *, system_raises_at_once: bool) -> None:
        self._at_once = system_raises_at_once
        self._open = False
        self._wanted = {"dtr": True, "rts": True}
        self.states = [(0, 0)]
        self.waited_s: list[float] = []

    def open(self) -> None:
        """As pyserial does: the system first, then DTR, then RTS."""
        self._open = True
        if self._at_once:
            self._see(dtr=1, rts=1)
        elif self._wanted["rts"]:  # a driver that raises RTS first
            self._see(rts=1)
        self._see(dtr=self._wanted["dtr"])
        self._see(rts=self._wanted["rts"])

    def __setattr__(self, name: str, value: object) -> None:
        if name not in {"dtr", "rts"}:
            object.__setattr__(self, name, value)
            return
        self._wanted[name] = bool(value)
        if self._open:
            self._see(**{name: value})

    def wait(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        self.states.append(self.states[-1])

    def _see(self, *, dtr: object = None, rts: object = None) -> None:
        old_dtr, old_rts = self.states[-1]
        new = (
            old_dtr if dtr is None else int(bool(dtr)),
            old_rts if rts is None else int(bool(rts)),
        )
        if new != self.states[-1]:
            self.states.append(new)


@pytest.mark.parametrize("at_once", [True, False], ids=["both at once", "one after the other"])
def test_port_is_opened_with_both_lines_raised_and_no_reset_on_the_way(at_once: bool) -> None:
    circuit = Circuit(system_raises_at_once=at_once)
    open_without_reset(circuit, at_once=at_once)  # type: ignore[arg-type]
    assert circuit.states[-1] == (1, 1)
    assert HELD not in circuit.states


def test_lines_lowered_before_opening_would_reset_the_board() -> None:
    circuit = Circuit(system_raises_at_once=True)
    circuit.dtr = False
    circuit.rts = False
    circuit.open()
    assert HELD in circuit.states


def test_reset_holds_the_board_and_lets_it_run_not_download() -> None:
    circuit = Circuit(system_raises_at_once=True)
    open_without_reset(circuit, at_once=True)  # type: ignore[arg-type]
    del circuit.states[:-1]
    reset(circuit, wait=circuit.wait)  # type: ignore[arg-type]
    assert circuit.waited_s == [RESET_S]
    held = circuit.states.index(HELD)
    assert circuit.states[held:] == [HELD, HELD, (0, 0), DECIDED_BY_RESET, (1, 1)]


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals")
def test_port_without_control_lines_says_that_it_cannot_reset() -> None:
    ours, theirs = os.openpty()
    address = os.ttyname(theirs)
    try:
        with pytest.raises(LinkError, match="no control lines to reset the board by"):
            open_port(address, reset_board=True)
        open_port(address).close()
    finally:
        os.close(ours)
        os.close(theirs)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(LinkError, match="no control lines") as caught:
            open_port(address, reset_board=True)
    assert "button" in caught.value.diagnostics()
