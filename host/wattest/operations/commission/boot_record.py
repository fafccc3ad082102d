"""The signed boot record of a node that has just been reset: what runs there, under which key.

A node answers hello with its key and shows the boot event of this boot out of turn, whatever
waits in its journal. Nothing is acknowledged here: every record comes again to whoever collects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wattest.errors import DecodeError, FlashError, LinkError, VerificationError
from wattest.link import Port
from wattest.system import monotonic_ns, wait_ns
from wattest.verify.signature import load_key, verify_es256
from wattest.wire import message
from wattest.wire.cose import parse_sign1, record_to_be_signed
from wattest.wire.frame import Frame, FrameScanner, Text
from wattest.wire.keys import kid_of, spki_der
from wattest.wire.record import EventKind, Record
from wattest.wire.record_reader import parse_record

HELLO_S: Final = 1.5
_SLICE_S: Final = 0.2
_SLICE_NS: Final = 200_000_000
_NS_PER_S: Final = 1_000_000_000
_TEXT_KEPT: Final = 4000
_SAID_CHARS: Final = 160


class Stopped(Exception):
    """Somebody asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootSeen:
    """A boot record whose signature holds under the key that the node said hello with.

    Args:
        record: the boot event.
        data: its bytes.
        hello: what the node said of itself; only its key is proven by the record.
    """

    record: Record
    data: bytes
    hello: message.Hello


def await_boot_record(
    address: str,
    open_port: Callable[[], Port],
    *,
    wait_s: float,
    stopped: Callable[[], bool],
) -> BootSeen:
    """Greet a node until it shows the boot record of this boot.

    Args:
        address: what errors call the port.
        open_port: opens it, and opens it again when it vanished: a chip with a USB port of its
            own leaves the bus with each reset.
        wait_s: how long to try, s.
        stopped: looked at several times a second.

    Raises:
        FlashError: no such record came; says what the board printed instead.
        VerificationError: a record came whose signature does not hold.
        Stopped: somebody asked to stop.
    """
    listener = _Listener()
    deadline_s = _now_s() + wait_s
    trouble: LinkError | None = None
    while _now_s() < deadline_s:
        if stopped():
            raise Stopped
        try:
            with open_port() as port:
                seen = _listen(listener, port, deadline_s, stopped)
        except LinkError as exc:
            trouble = exc
            wait_ns(_SLICE_NS)
            continue
        if seen is not None:
            return seen
    if trouble is not None and not listener.text:
        raise FlashError(f"{address}: the port did not come back: {trouble}", hint=trouble.hint)
    raise FlashError(
        f"{address}: no signed boot record within {wait_s:g} s, {listener.said}",
        hint="look at it with `wattest console`, or at the wiring of the sensor",
    )


def _listen(
    listener: _Listener, port: Port, deadline_s: float, stopped: Callable[[], bool]
) -> BootSeen | None:
    """Greet and listen until the record is there, the deadline is over or the port is gone."""
    hello_at_s = 0.0
    while (now_s := _now_s()) < deadline_s:
        if stopped():
            raise Stopped
        if now_s >= hello_at_s:
            port.write(message.hello_line())
            hello_at_s = now_s + HELLO_S
        data = port.read(4096, min(now_s + _SLICE_S, deadline_s))
        if data and (seen := listener.take(data)) is not None:
            return seen
    return None


class _Listener:
    """Finds hello and boot record in what a node says, and keeps the text beside them."""

    def __init__(self) -> None:
        self._scanner = FrameScanner()
        self._hello: message.Hello | None = None
        self.text = ""

    @property
    def said(self) -> str:
        """The line of text that tells most, for an error."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip("> \r")]
        if not lines:
            return "and it printed nothing"
        # A board at its prompt answers our greeting with an error of its own, so that comes last.
        ours = [line for line in lines if line.startswith("wattest: ")]
        banners = [index for index, line in enumerate(lines) if line.startswith("MicroPython v")]
        before = lines[: banners[0]] if banners else lines
        return f"it printed: {(ours or before or lines)[-1][:_SAID_CHARS]}"

    def take(self, data: bytes) -> BootSeen | None:
        """Look at what came; the proven boot record once it is there."""
        for item in self._scanner.feed(data):
            if isinstance(item, Text):
                self.text = (self.text + item.data.decode("utf-8", "replace"))[-_TEXT_KEPT:]
            elif isinstance(item, Frame) and (seen := self._take_frame(item)) is not None:
                return seen
        return None

    def _take_frame(self, frame: Frame) -> BootSeen | None:
        try:
            if frame.kind == message.FrameKind.HELLO:
                self._hello = message.parse_hello(frame.body)
            elif frame.kind == message.FrameKind.SHOWN and self._hello is not None:
                return _proven(frame.body, self._hello)
        except DecodeError:
            return None
        return None


def _proven(data: bytes, hello: message.Hello) -> BootSeen | None:
    """Return what a shown record proves; None if it is no boot event of this key.

    Raises:
        VerificationError: it does not hold.
    """
    record = parse_record(data)
    if record.event is None or record.event.kind is not EventKind.BOOT:
        return None
    spki = spki_der(hello.public_key)
    if record.kid != hello.kid or kid_of(spki) != hello.kid:
        raise VerificationError(
            f"the boot record is of key {record.kid.hex()}, the node says hello with "
            f"{hello.kid.hex()}"
        )
    verify_es256(load_key(spki), record_to_be_signed(data), parse_sign1(data).signature)
    return BootSeen(record=record, data=data, hello=hello)


def _now_s() -> float:
    return monotonic_ns() / _NS_PER_S
