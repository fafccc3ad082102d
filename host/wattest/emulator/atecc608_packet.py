"""Packets of an ATECC608: opcodes, status codes, execution times, CRC-16.

A command on the bus is ``03 | count | opcode | P1 | P2 low, high | data | CRC low, high``; count
covers all but the word 03. A reply is ``count | data | CRC low, high``; a reply of four bytes
carries a status. Source: Microchip ATECC608 data sheet, chapters "Security commands" and "I2C".
"""

from __future__ import annotations

from enum import IntEnum

WORD_RESET, WORD_SLEEP, WORD_IDLE, WORD_COMMAND = 0x00, 0x01, 0x02, 0x03
WAKE_REPLY = b"\x04\x11\x33\x43"
# As published; unlike any other packet it does not end in the CRC of what comes before.
SELF_TEST_FAILED = b"\x04\x07\xc4\x40"
COMMAND_MIN, COMMAND_MAX = 7, 155


class Opcode(IntEnum):
    """Commands the model carries out."""

    READ = 0x02
    NONCE = 0x16
    LOCK = 0x17
    RANDOM = 0x1B
    COUNTER = 0x24
    INFO = 0x30
    GENKEY = 0x40
    SIGN = 0x41


class Status(IntEnum):
    """Content of a reply of four bytes."""

    SUCCESS = 0x00
    MISCOMPARE = 0x01
    PARSE_ERROR = 0x03
    ECC_FAULT = 0x05
    SELF_TEST = 0x07
    HEALTH_TEST = 0x08
    EXECUTION_ERROR = 0x0F
    AFTER_WAKE = 0x11
    WATCHDOG = 0xEE
    CRC_ERROR = 0xFF


# The longest times of the data sheet, ms; what is refused at once takes no longer than Info.
EXECUTION_MS = {
    Opcode.READ: 5,
    Opcode.NONCE: 20,
    Opcode.LOCK: 35,
    Opcode.RANDOM: 23,
    Opcode.COUNTER: 25,
    Opcode.INFO: 5,
    Opcode.GENKEY: 115,
    Opcode.SIGN: 115,
}
REFUSAL_MS = 5


def crc16(data: bytes) -> bytes:
    """Return the CRC over ``data``, low byte first: polynomial 8005, start 0, bits LSB first."""
    register = 0
    for byte in data:
        for bit in range(8):
            differs = byte >> bit & 1 ^ register >> 15
            register = register << 1 & 0xFFFF ^ (0x8005 if differs else 0)
    return register.to_bytes(2, "little")


def reply(data: bytes) -> bytes:
    """Return the packet that carries ``data``."""
    packet = bytes([len(data) + 3]) + data
    return packet + crc16(packet)


def status_reply(status: int) -> bytes:
    """Return the packet that carries a status."""
    return reply(bytes([status]))
