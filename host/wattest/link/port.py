"""One port, opened by address: what differs between kinds of ports ends here.

/dev/ttyUSB0, COM3, /dev/pts/4      a serial port or a pseudo terminal, locked for one program
usb:SERIAL, usb:LOCATION            the serial port of this USB plug or socket, whatever its name
rfc2217://host:port                 a serial port behind a network server (RFC 2217)
socket://host:port                  raw bytes over TCP
"""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Protocol, Self

import serial

from wattest.errors import LinkClosed, LinkError, LinkTimeout
from wattest.link.holder import holders
from wattest.link.lines import open_without_reset, reset
from wattest.link.scan import find_usb

BAUD: Final = 115_200
_SLICE_S: Final = 0.1
_WRITE_TIMEOUT_S: Final = 2.0
_IN_USE: Final = {errno.EAGAIN, errno.EBUSY}


class Line(Protocol):
    """What a port needs of the open object behind it: pyserial has it."""

    @property
    def in_waiting(self) -> int:
        """Bytes that `read` returns at once; of a socket, whether there are any."""
        ...

    def read(self, size: int = 1, /) -> bytes:
        """Return up to ``size`` bytes; none after about a tenth of a second without any."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send all of ``data``."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Port:
    """An open port. Reading and writing may happen in two threads.

    Args:
        address: what the person gave.
        line: the open object behind it.
    """

    def __init__(self, address: str, line: Line) -> None:
        self.address = address
        self._line = line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, size: int, deadline_s: float) -> bytes:
        """Return what has arrived, as soon as there is anything.

        Args:
            size: at most so many bytes, >= 1.
            deadline_s: moment of ``time.monotonic()`` to give up at; looked at ten times a second.

        Returns:
            1 to ``size`` bytes, or none at the deadline.

        Raises:
            LinkClosed: the port vanished or the other end hung up.
        """
        data = b""
        try:
            while not (data := self._line.read(1)):
                if time.monotonic() >= deadline_s:
                    return b""
            # A socket only says whether there is more, not how much.
            while (waiting := min(self._line.in_waiting, size - len(data))) > 0:
                data += self._line.read(waiting)
            return bytes(data)
        except _TROUBLE as exc:
            if data:  # it comes again with the next call, and these bytes would not
                return bytes(data)
            raise self._vanished(exc) from exc

    def write(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            LinkClosed: the port vanished or the other end hung up.
            LinkTimeout: the other end takes nothing; a part may have gone.
        """
        try:
            self._line.write(data)
        except serial.SerialTimeoutException as exc:
            raise LinkTimeout(
                f"{self.address}: expected {len(data)} bytes to be taken",
                deadline_s=_WRITE_TIMEOUT_S,
                received_bytes=0,
            ) from exc
        except _TROUBLE as exc:
            raise self._vanished(exc) from exc

    def reset(self) -> None:
        """Reset the board by the control lines, with this port open: nothing it says is missed.

        Raises:
            LinkError: this port has none, or vanished.
        """
        line = self._line
        try:
            if not isinstance(line, serial.SerialBase) or self.address.startswith("socket://"):
                raise OSError(errno.ENOTTY, "bytes only")
            reset(line)
        except _TROUBLE as exc:
            raise LinkError(
                f"{self.address}: has no control lines to reset the board by: {_cause(exc)}",
                hint="reset it by its button",
            ) from exc

    def _vanished(self, exc: Exception) -> LinkClosed:
        return LinkClosed(
            f"{self.address}: the port vanished: {_cause(exc)}", hint="check cable and power"
        )

    def close(self) -> None:
        """Let go of the port; nothing if it is closed or gone."""
        with suppress(*_TROUBLE):
            self._line.close()


# pyserial lets through what the system raised on a port that has just been taken away.
_TROUBLE = (OSError, TypeError, ValueError)


def open_port(
    address: str, *, baud: int = BAUD, keep_input: bool = False, reset_board: bool = False
) -> Port:
    """Open a port for this program alone; the board behind it does not notice.

    Args:
        address: see the module.
        baud: speed of the line; a pseudo terminal or socket has none and takes any.
        keep_input: also read what arrived before; else it is dropped.
        reset_board: reset it once the port is open, so that nothing it says is missed.

    Raises:
        LinkError: there is no such port, it may not be opened, or another program uses it; or it
            has no control lines to reset a board by.
    """
    remote = "://" in address
    place = find_usb(address)
    try:
        line = serial.serial_for_url(
            place,
            baudrate=baud,
            timeout=_SLICE_S,
            write_timeout=None if remote else _WRITE_TIMEOUT_S,
            exclusive=None if remote else True,
            do_not_open=True,
        )
        if keep_input:
            _open_as_it_is(line)
        else:
            open_without_reset(line)
    except (OSError, ValueError) as exc:
        raise _refused(address, exc, place) from exc
    port = Port(address, line)
    if reset_board:
        try:
            port.reset()
        except LinkError:
            port.close()
            raise
    return port


def _open_as_it_is(line: Any) -> None:
    """Open without the flush that pyserial begins with."""
    for name in ("_reset_input_buffer", "reset_input_buffer"):
        setattr(line, name, lambda: None)
    open_without_reset(line)
    for name in ("_reset_input_buffer", "reset_input_buffer"):
        delattr(line, name)


def _refused(address: str, exc: OSError | ValueError, place: str) -> LinkError:
    number = exc.errno if isinstance(exc, OSError) else None
    if number == errno.ENOENT or "FileNotFoundError" in str(exc):
        return LinkError(
            f"{address or repr(address)}: no such port", hint="is the board plugged in and up?"
        )
    if "lock port" in str(exc) or number in _IN_USE:
        return LinkError(
            f"{address}: is in use by another program{_named(place)}",
            hint="close that program, or give another port",
        )
    if number == errno.EACCES:
        return LinkError(
            f"{address}: may not be opened: permission denied",
            hint="your user needs the group that owns the port, often dialout",
        )
    cause = _cause(exc)
    is_silent = "refused" in cause  # a socket's way to say that nobody listens
    hint = "is the server of the port up?" if is_silent else "see `wattest boards scan`"
    return LinkError(f"{address}: cannot be opened: {cause}", hint=hint)


def _named(place: str) -> str:
    """Return who has a port, in brackets, or nothing where the system does not tell."""
    found = holders(place).found
    return f" ({', '.join(f'{each.name}, process {each.pid}' for each in found)})" if found else ""


def _cause(exc: BaseException) -> str:
    """Return the innermost reason, without pyserial's words around it."""
    inner: BaseException = exc
    while inner.__context__ is not None:
        inner = inner.__context__
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    if "Inappropriate ioctl" in str(inner):
        return "not a serial port"
    if "disconnected" in str(inner):  # what pyserial says to an end of file
        return "the other end hung up"
    return str(inner) or type(inner).__name__
