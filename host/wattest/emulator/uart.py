"""Serial ports other than the console: bytes with their times, and what is at the other end.

Nothing runs by itself: what was sent is given to the device when somebody looks whether an answer
is there, with the time at which its last byte arrived.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

RING_BYTES = 256
_BITS_PER_BYTE = 10  # 8N1
_NS_PER_S = 10**9


class SerialDevice(Protocol):
    """What is connected to a port. Times are virtual, ns."""

    baud: int

    def receive(self, data: bytes, t_ns: int) -> tuple[int, bytes] | None:
        """Take bytes whose last arrived at ``t_ns``.

        Returns:
            When the answer begins (not before ``t_ns``) and its bytes; None for no answer.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class UartWiring:
    """A device and the pins of the chip it is soldered to, seen from the chip."""

    device: SerialDevice
    tx: int
    rx: int


class UartPort:
    """One opened port.

    Args:
        device: what is connected, or None.
        baud: of the port; a device with another one hears and says nothing that makes sense.

    Attributes:
        dropped: bytes that came while the ring was full.
    """

    def __init__(self, device: SerialDevice | None, baud: int) -> None:
        self._device = device if device is not None and device.baud == baud else None
        self._byte_ns = _BITS_PER_BYTE * _NS_PER_S // baud
        self._line_free_ns = 0
        self._sent: deque[tuple[int, bytes]] = deque()
        self._coming: deque[tuple[int, int]] = deque()
        self._ring = bytearray()
        self.dropped = 0

    def write(self, data: bytes, t_ns: int) -> None:
        """Send bytes behind what is still being sent; returns at once, as with a transmit ring."""
        begin_ns = max(t_ns, self._line_free_ns)
        self._line_free_ns = begin_ns + len(data) * self._byte_ns
        self._sent.append((self._line_free_ns, data))

    def available(self, t_ns: int) -> int:
        """Return how many bytes have arrived by ``t_ns`` and were not read."""
        self._catch_up(t_ns)
        return len(self._ring)

    def read(self, size: int, t_ns: int) -> bytes:
        """Take up to ``size`` bytes that have arrived."""
        self._catch_up(t_ns)
        data = bytes(self._ring[:size])
        del self._ring[:size]
        return data

    def _catch_up(self, t_ns: int) -> None:
        while self._sent and self._sent[0][0] <= t_ns:
            arrived_ns, data = self._sent.popleft()
            answer = self._device.receive(data, arrived_ns) if self._device is not None else None
            if answer is not None:
                begin_ns, said = answer
                for number, byte in enumerate(said, 1):
                    self._coming.append((begin_ns + number * self._byte_ns, byte))
        while self._coming and self._coming[0][0] <= t_ns:
            _, byte = self._coming.popleft()
            if len(self._ring) < RING_BYTES:
                self._ring.append(byte)
            else:
                self.dropped += 1
