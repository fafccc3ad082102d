"""Microchip ATECC608 on an I2C bus: wake, sleep, idle, packets, times, watchdog.

The chip sleeps until SDA is low for 60 µs, needs 1.5 ms to wake, and answers nothing while it
works. 1.3 s after it woke its watchdog puts it to sleep, whatever it does. What it keeps is in
its own EEPROM (:mod:`wattest.emulator.atecc608_vault`): a board that loses power or its flash
keeps its key, and a copy of the flash does not have it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.emulator.atecc608_packet import (
    COMMAND_MIN,
    EXECUTION_MS,
    REFUSAL_MS,
    SELF_TEST_FAILED,
    WAKE_REPLY,
    WORD_COMMAND,
    WORD_IDLE,
    WORD_RESET,
    WORD_SLEEP,
    Opcode,
    Status,
    crc16,
    reply,
    status_reply,
)
from wattest.emulator.atecc608_vault import Refused, Vault
from wattest.emulator.i2c import Nack

ADDRESS = 0x60
WAKE_LOW_NS = 60_000
WAKE_DELAY_NS = 1_500_000
WATCHDOG_NS = 1_300_000_000
_MS_NS = 1_000_000


@dataclass(slots=True)
class ElementFaults:
    """What goes wrong with the next commands; each number counts down.

    Attributes:
        statuses: status codes that are answered, one a command, in place of carrying it out.
        lost_commands: commands that arrive with a flipped bit (the chip sees a wrong CRC).
        short_replies: replies that are a status of success where data is expected.
        self_test_failures: wakes that answer with a failed self-test.
    """

    statuses: tuple[int, ...] = ()
    lost_commands: int = 0
    short_replies: int = 0
    self_test_failures: int = 0


class Atecc608:
    """One chip; implements the bus's ``I2cDevice`` and ``SdaListener`` ports.

    Args:
        vault: what is inside; passing the same one on is moving the chip to another board.
        address: 7-bit address it answers at.

    Attributes:
        vault: what is inside.
        faults: what goes wrong from now on.
        commands: opcodes in the order they were carried out or refused.
    """

    def __init__(self, vault: Vault, *, address: int = ADDRESS) -> None:
        self.vault = vault
        self.address = address
        self.faults = ElementFaults()
        self.commands: list[int] = []
        self.power_on(0)

    # ---- the bus's ports ---------------------------------------------------------------------

    def power_on(self, t_ns: int) -> None:
        """Supply came up: asleep, RAM lost; a command that was running never finished."""
        self._awake = False
        self._ready_ns = t_ns
        self._asleep_ns = t_ns
        self._work: Callable[[], bytes] | None = None
        self._output = b""
        self._at = 0
        self.vault.forget()

    def sda_low(self, duration_ns: int, t_ns: int) -> None:
        """SDA was low until ``t_ns``: a wake pulse if it was long enough."""
        if self._is_awake(t_ns) or duration_ns < WAKE_LOW_NS:
            return
        self._awake = True
        self._ready_ns = t_ns + WAKE_DELAY_NS
        self._asleep_ns = t_ns + WATCHDOG_NS
        self._work = None
        self._output, self._at = WAKE_REPLY, 0
        if self.faults.self_test_failures:
            self.faults.self_test_failures -= 1
            self._output = SELF_TEST_FAILED

    def write(self, data: bytes, t_ns: int) -> None:
        """Take one write transaction: a word address, then a packet if the word is a command.

        Raises:
            Nack: asleep, waking or at work.
        """
        self._require_ready(t_ns)
        word = data[0] if data else None
        if word == WORD_COMMAND:
            self._take_command(data[1:], t_ns)
        elif word in (WORD_SLEEP, WORD_IDLE):
            self._awake = False
            self._output = b""
            if word == WORD_SLEEP:
                self.vault.forget()
        elif word == WORD_RESET:
            self._at = 0

    def read(self, size: int, t_ns: int) -> bytes:
        """Give the reply from where the last read ended; SDA is left high behind its end.

        Raises:
            Nack: asleep, waking or at work.
        """
        self._require_ready(t_ns)
        data = self._output[self._at : self._at + size]
        self._at += len(data)
        return data + b"\xff" * (size - len(data))

    # ---- inside ------------------------------------------------------------------------------

    def _is_awake(self, t_ns: int) -> bool:
        """Let the time until ``t_ns`` pass: work finishes, the watchdog bites."""
        if not self._awake:
            return False
        if self._work is not None and self._ready_ns <= min(t_ns, self._asleep_ns):
            self._output, self._at = self._work(), 0
            self._work = None
        if t_ns >= self._asleep_ns:
            self._awake = False
            self._output = b""
            self.vault.forget()
        return self._awake

    def _require_ready(self, t_ns: int) -> None:
        if not self._is_awake(t_ns) or t_ns < self._ready_ns:
            raise Nack(self.address)

    def _take_command(self, packet: bytes, t_ns: int) -> None:
        """Begin to work on a packet; its effect and its reply are there when the time is over."""
        if self.faults.lost_commands:
            self.faults.lost_commands -= 1
            packet = packet[:-1] + bytes([packet[-1] ^ 1])
        complete = len(packet) >= COMMAND_MIN and packet[0] == len(packet)
        if not complete or crc16(packet[:-2]) != packet[-2:]:
            self._begin(REFUSAL_MS, lambda: status_reply(Status.CRC_ERROR), t_ns)
            return
        opcode = packet[1]
        self.commands.append(opcode)
        known = opcode in EXECUTION_MS
        milliseconds = EXECUTION_MS[Opcode(opcode)] if known else REFUSAL_MS
        if self.faults.statuses:
            status, *rest = self.faults.statuses
            self.faults.statuses = tuple(rest)
            self._begin(milliseconds, lambda: status_reply(status), t_ns)
        elif t_ns + milliseconds * _MS_NS > self._asleep_ns:
            self._begin(0, lambda: status_reply(Status.WATCHDOG), t_ns)
        else:
            self._begin(milliseconds, lambda: self._execute(packet), t_ns)

    def _begin(self, milliseconds: int, work: Callable[[], bytes], t_ns: int) -> None:
        self._ready_ns = t_ns + milliseconds * _MS_NS
        self._work = work
        self._output = b""

    def _execute(self, packet: bytes) -> bytes:
        try:
            data = self.vault.execute(
                packet[1], packet[2], int.from_bytes(packet[3:5], "little"), packet[5:-2]
            )
        except Refused as refusal:
            return status_reply(refusal.status)
        if self.faults.short_replies and len(data) > 1:
            self.faults.short_replies -= 1
            return status_reply(Status.SUCCESS)
        return reply(data)
