"""The fuses of an ESP32 that say who it is: its base MAC with a checksum, and its revision.

Pure: bytes in, bytes out. Source: ESP32 technical reference manual, "eFuse Controller", and
ESP-IDF's eFuse table (``MAC_FACTORY``, ``MAC_FACTORY_CRC``, ``CHIP_VER_REV1``, ``CHIP_VER_REV2``).
"""

from __future__ import annotations

import struct

MAC_BYTES = 6
FUSE_BYTES = 124
"""Block 0 of seven words and three blocks of eight, as Espressif's QEMU keeps them in a file."""

_REVISION_WORD_1, _REVISION_BIT_1 = 3, 1 << 15
_REVISION_WORD_2, _REVISION_BIT_2 = 5, 1 << 20


def mac_crc8(mac: bytes) -> int:
    """Return the CRC-8 of a MAC as the ESP32's fuses keep it (Dallas/Maxim)."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def esp32_fuses(mac: bytes) -> bytes:
    """Return the fuse blocks of an ESP32 of revision 3 that nobody has burnt anything else into.

    Args:
        mac: base MAC, 6 bytes.

    Returns:
        124 bytes, words in little-endian order.

    Raises:
        ValueError: the MAC has another length.
    """
    if len(mac) != MAC_BYTES:
        raise ValueError(f"a MAC of {MAC_BYTES} bytes expected, got {len(mac)}")
    words = [0] * (FUSE_BYTES // 4)
    words[1] = int.from_bytes(mac[2:], "big")
    words[2] = mac_crc8(mac) << 16 | int.from_bytes(mac[:2], "big")
    words[_REVISION_WORD_1] |= _REVISION_BIT_1
    words[_REVISION_WORD_2] |= _REVISION_BIT_2
    return struct.pack(f"<{len(words)}I", *words)
