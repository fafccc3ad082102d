"""What is different on a node whose key is in a secure element. Loaded on such nodes only.

Its boot record names the element. When the element fails, nothing is sealed: the node meters on,
keeps its registers on flash at each interval, asks again every ten seconds, and then tells.
"""

import time

import machine
from micropython import const

from node.app import Node
from node.cbor import encode_bytes, encode_int
from node.chain import EVENT
from node.commands import WRONG_STATE
from node.drivers.atecc608 import Atecc608, SignerError
from node.record import BOOT, ClaimsWriter
from node.recorder import Recorder

ERROR_ELEMENT = const(8)
_ELEMENT_CLAIM = const(24)
_PAUSE_MS = const(10_000)


def find_element(settings: dict, make_bus) -> Atecc608:
    """The driver of the element that is configured; it has not been asked for anything yet."""
    # With another key in the element, the node must start like one whose counter is lost.
    return Atecc608(make_bus, settings["element_address"], settings["element_slot"], machine.reset)


class ElementClaims(ClaimsWriter):
    """Adds the serial number of the element to the body of a boot record.

    Attributes:
        element: serial number, 9 bytes.
    """

    element = b""

    def _body(self, end: int, chain, reading) -> int:
        buf = self._buf
        start = end
        end = super()._body(end, chain, reading)
        if reading.ctx == EVENT and reading.event[0] == BOOT:
            buf[start] += 1  # the map has one more pair; it has fewer than 23, so this is its head
            end = encode_int(buf, end, _ELEMENT_CLAIM)
            end = encode_bytes(buf, end, self.element)
        return end


class ElementRecorder(Recorder):
    """Has no room for records while the element does not sign.

    Attributes:
        failed: it did not sign the last time.
        trying: it is asked again.
    """

    failed = False
    trying = False

    def has_room(self, ctx: int) -> bool:
        """Can a record of this ctx be sealed and appended now?"""
        return (self.trying or not self.failed) and super().has_room(ctx)

    def _seal(self, reading, transaction: str | None, pause) -> int:
        try:
            position = super()._seal(reading, transaction, pause)
        except SignerError:
            self.failed = True
            raise
        self.failed = False
        return position


class ElementNode(Node):
    """Waits for an element that failed; the legal log tells from when to when."""

    def __init__(self, parts) -> None:
        super().__init__(parts)
        self._ask_at = time.ticks_ms()

    def _seal_due(self) -> bool:
        recorder = self.recorder
        if recorder.failed:
            self._hold_if_due()
            if time.ticks_diff(self._ask_at, time.ticks_ms()) > 0:
                return False
        recorder.trying = True
        try:
            sealed = super()._seal_due()
        except SignerError as error:
            self._wait(error)
            return True
        finally:
            recorder.trying = False
        if not recorder.failed:
            self.log.error(ERROR_ELEMENT, 0)
        return sealed

    def _seal_fiscal(self) -> None:
        try:
            super()._seal_fiscal()
        except SignerError:
            self._record_due = True
            raise

    def _on_command(self, message: bytes) -> None:
        try:
            super()._on_command(message)
        except SignerError as error:
            self._wait(error)
            self.log.refuse(WRONG_STATE)
            self.session.send_reply(self._commands.counter, WRONG_STATE)

    def _wait(self, error: SignerError) -> None:
        """The element failed: tell, and ask again later."""
        print("wattest: %s" % error)
        self._ask_at = time.ticks_add(time.ticks_ms(), _PAUSE_MS)
        self.log.error(ERROR_ELEMENT, 1)
        self._hold_if_due()

    def _hold_if_due(self) -> None:
        """The interval ended without a record: keep the registers."""
        if self._record_due:
            self._record_due = False
            self.recorder.hold()


class MeterOnly:
    """What runs in place of a node whose element failed at boot: it meters and seals nothing.

    The registers go to RTC memory with each sample and to flash at each interval. When the element
    answers, the node resets itself and goes on from there.

    Args:
        parts: a `node.startup.Parts` with chain, registers, sensor and meter.
        signer: the element.
        error: how it failed.
    """

    def __init__(self, parts, signer: Atecc608, error: SignerError) -> None:
        self._parts = parts
        self._signer = signer
        self._error = error

    def run(self) -> None:
        """Until the element is back, which is a reset, or Ctrl-C."""
        parts = self._parts
        print("wattest: %s" % self._error)
        print("wattest: no key, so no records; metering on")
        parts.meter.begin()
        ask_at = time.ticks_add(time.ticks_ms(), _PAUSE_MS)
        hold_at = time.ticks_add(time.ticks_ms(), parts.interval_ms)
        while True:
            self._sample()
            now = time.ticks_ms()
            if time.ticks_diff(now, hold_at) >= 0:
                hold_at = time.ticks_add(hold_at, parts.interval_ms)
                if parts.journal.head_state is not None:
                    parts.journal.hold(parts.chain.pack(parts.registers))
            if time.ticks_diff(now, ask_at) >= 0:
                ask_at = time.ticks_add(now, _PAUSE_MS)
                if self._answers():
                    print("wattest: the secure element is back; resetting")
                    machine.reset()

    def _answers(self) -> bool:
        if self._error.final:
            return False
        try:
            self._signer.public_key()
        except SignerError as error:
            self._error = error
            return False
        return True

    def _sample(self) -> None:
        """Wait for the next sample and take it."""
        parts = self._parts
        if parts.watchdog is not None:
            parts.watchdog.feed()
        due = parts.clock.ticks_to_next(parts.sample_period_ms)
        time.sleep_ms(max(0, time.ticks_diff(due, time.ticks_ms())))
        meter = parts.meter
        meter.sample()
        if meter.status not in "GO":
            parts.sensor.use_bus(parts.make_bus())
            meter.recover()
