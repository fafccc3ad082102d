"""A board's serial port behind a network server with modem lines (``rfc2217://``).

The protocol is pyserial's; the serial port it believes to serve is a board. DTR and RTS reach the
board as they reach a real one through its two transistors.

Source: RFC 2217, Telnet Com Port Control Option.
"""

from __future__ import annotations

import struct

from serial.rfc2217 import M_NORMAL, PortManager

from wattest.emulator.fronts.front import ServedBoard
from wattest.emulator.fronts.tcp import LOOPBACK, SocketFront

_ESCAPE = b"\xff"
# What pyserial raises when a client breaks the protocol: that client ends, the boards do not.
_NONSENSE = (IndexError, KeyError, TypeError, ValueError, struct.error)


class _BoardLine:
    """The serial port that pyserial's server believes to have."""

    def __init__(self, board: ServedBoard) -> None:
        self._board = board
        self._dtr = False
        self._rts = False
        # A pseudo line: it takes any speed and format and has no other effect.
        self.baudrate = 115_200
        self.bytesize = 8
        self.parity = "N"
        self.stopbits = 1
        self.xonxoff = False
        self.rtscts = False
        self.break_condition = False
        self.cts = self.dsr = self.cd = True
        self.ri = False

    @property
    def dtr(self) -> bool:
        """Data terminal ready."""
        return self._dtr

    @dtr.setter
    def dtr(self, level: bool) -> None:
        self._dtr = level
        self._drive()

    @property
    def rts(self) -> bool:
        """Request to send."""
        return self._rts

    @rts.setter
    def rts(self, level: bool) -> None:
        self._rts = level
        self._drive()

    def let_go(self) -> None:
        """Let both lines fall at once, as a system does when a program closes its port."""
        self._dtr = self._rts = False
        self._drive()

    def reset_input_buffer(self) -> None:
        """Nothing waits here."""

    def reset_output_buffer(self) -> None:
        """Nothing waits here."""

    def _drive(self) -> None:
        self._board.set_lines(dtr=self._dtr, rts=self._rts)


class Rfc2217Front(SocketFront):
    """One board behind one TCP port that speaks RFC 2217; otherwise as `SocketFront`.

    A client that leaves lets DTR and RTS fall; that alone does not reset the board.

    Args:
        board: the board.
        host: interface to listen on.
        port: TCP port; 0 for one that is free.

    Attributes:
        address: what a tool opens, ``rfc2217://host:port``.

    Raises:
        EmulatorError: the port cannot be had.
    """

    SCHEME = "rfc2217"

    def __init__(self, board: ServedBoard, *, host: str = LOOPBACK, port: int = 0) -> None:
        super().__init__(board, host=host, port=port)
        self._line = _BoardLine(board)
        self._manager: PortManager | None = None

    def write(self, data: bytes) -> None:
        """Send the protocol's own bytes; called by pyserial."""
        self._write(data)

    def _begin(self) -> None:
        self._manager = PortManager(self._line, self)

    def _end(self) -> None:
        self._manager = None
        self._line.let_go()

    def _decode(self, data: bytes) -> bytes:
        manager = self._manager
        assert manager is not None
        # pyserial looks at one byte at a time, which is slow; most data has nothing to look at.
        if manager.mode == M_NORMAL and manager.suboption is None and _ESCAPE not in data:
            return data
        try:
            return b"".join(manager.filter(data))
        except _NONSENSE:
            self._drop()
            return b""

    def _encode(self, data: bytes) -> bytes:
        return data.replace(_ESCAPE, _ESCAPE + _ESCAPE)
