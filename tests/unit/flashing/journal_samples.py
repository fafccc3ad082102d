"""Journals as the firmware writes them."""

import struct
import zlib

KEY_A, KEY_B = b"A" * 8, b"B" * 8


def entry(position: int, *, kid: bytes = KEY_A, record: bytes = b"r" * 200) -> bytes:
    """Return an entry, laid out as firmware/node/journal.py says."""
    body = b"WJ" + struct.pack("<HI", len(record), position) + kid + bytes(85) + record
    return body + struct.pack("<I", zlib.crc32(body))


def segments(*groups: range, kid: bytes = KEY_A) -> dict[str, bytes]:
    return {
        f"{group[0]:08x}": b"".join(entry(position, kid=kid) for position in group)
        for group in groups
    }
