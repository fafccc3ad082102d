"""Seeded randomness of a guest: what ``/dev/urandom`` gives, the same on every host."""

from __future__ import annotations

import hashlib


class EntropyStream:
    """An endless byte stream, SHA-256 in counter mode over a seed.

    Not the interpreter's own generator: a run must give the same bytes on every version of it.
    As secret as the seed: a real run passes entropy of its own, a virtual run's keys are demo
    keys.

    Args:
        seed: any bytes.
    """

    __slots__ = ("_counter", "_left", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = hashlib.sha256(b"guest entropy\0" + seed).digest()
        self._counter = 0
        self._left = b""

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        parts = [self._left]
        have = len(self._left)
        while have < size:
            block = self._seed + self._counter.to_bytes(8, "little")
            parts.append(hashlib.sha256(block).digest())
            self._counter += 1
            have += 32
        data = b"".join(parts)
        self._left = data[size:]
        return data[:size]
