"""An I2C bus with devices at addresses, and the ways it goes wrong.

The bus is ideal but for its speed: a transfer takes ``(bytes + 1) * 9`` clock periods plus start
and stop. Faults are objects added to a bus and removed again; they see every transfer in order, so
a seeded plan replays exactly. A bus whose SDA is held low answers nothing until it is released.

Errors carry the errno an ESP32 gives: no acknowledge is ENODEV, a stuck bus ETIMEDOUT.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

TIMEOUT_NS = 50_000_000  # machine.I2C's default timeout of 50 000 us


class I2cDevice(Protocol):
    """A chip on the bus. Times are virtual, ns."""

    def power_on(self, t_ns: int) -> None:
        """Supply came up: registers take their reset values."""

    def write(self, data: bytes, t_ns: int) -> None:
        """Take the bytes of one write transaction; may raise :class:`I2cError`."""

    def read(self, size: int, t_ns: int) -> bytes:
        """Give ``size`` >= 1 bytes; may raise :class:`I2cError`."""


@runtime_checkable
class SdaListener(Protocol):
    """A chip that sleeps: it notices how long SDA is low, and decides whether it acknowledges.

    Its ``write`` is called for empty data too.
    """

    def sda_low(self, duration_ns: int, t_ns: int) -> None:
        """SDA was low for so long, until ``t_ns``."""


class I2cError(OSError):
    """A transfer failed; ``errno`` is what the guest sees."""


class Nack(I2cError):
    """Nobody acknowledged."""

    def __init__(self, address: int) -> None:
        super().__init__(errno.ENODEV, f"I2C address 0x{address:02x} does not acknowledge")


class BusStuck(I2cError):
    """SDA or SCL is held low."""

    def __init__(self) -> None:
        super().__init__(errno.ETIMEDOUT, "I2C bus held low")


class I2cFault(Protocol):
    """Something wrong with a bus; asked for each transfer, in order."""

    def before(self, address: int) -> None:
        """Raise :class:`I2cError` to fail the transfer."""

    def after_read(self, address: int, data: bytes) -> bytes:
        """Return what the controller sees of ``data``."""


class NackFault:
    """A device stops acknowledging.

    Args:
        address: 7-bit address, or None for all.
        after: transfers to it that still work.
        times: transfers to it that then fail; None means for good.
    """

    def __init__(self, address: int | None, *, after: int = 0, times: int | None = None) -> None:
        self._address = address
        self._working = after
        self._failing = times

    def before(self, address: int) -> None:
        """Count the transfer and fail it when it is its turn."""
        if self._address is not None and address != self._address:
            return
        if self._working:
            self._working -= 1
            return
        if self._failing is not None:
            if not self._failing:
                return
            self._failing -= 1
        raise Nack(address)

    def after_read(self, address: int, data: bytes) -> bytes:
        """Leave the data alone."""
        del address
        return data


class StuckBusFault:
    """SDA is held low: every transfer times out while the fault is on the bus."""

    def before(self, address: int) -> None:
        """Fail the transfer."""
        del address
        raise BusStuck

    def after_read(self, address: int, data: bytes) -> bytes:
        """Leave the data alone."""
        del address
        return data


class BitErrorFault:
    """Every ``every``-th read from a device arrives with one bit flipped.

    Args:
        address: 7-bit address, or None for all.
        every: 1 flips in each read.
        bit: which bit, counted from the first on the wire; wraps around the data.
        step: added to ``bit`` after each flip, so that the errors wander.
    """

    def __init__(self, address: int | None, *, every: int, bit: int = 0, step: int = 0) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self._address = address
        self._every = every
        self._bit = bit
        self._step = step
        self._reads = 0

    def before(self, address: int) -> None:
        """Let the transfer happen."""

    def after_read(self, address: int, data: bytes) -> bytes:
        """Flip the bit when it is this read's turn."""
        if self._address is not None and address != self._address:
            return data
        self._reads += 1
        if self._reads % self._every:
            return data
        bit = self._bit % (8 * len(data))
        self._bit += self._step
        flipped = bytearray(data)
        flipped[bit // 8] ^= 0x80 >> (bit % 8)
        return bytes(flipped)


class I2cBus:
    """Devices by 7-bit address, and the faults that are on the bus now.

    Args:
        devices: what answers where.

    Attributes:
        transfers: how many transfers were tried.
    """

    def __init__(self, devices: Mapping[int, I2cDevice]) -> None:
        for address in devices:
            if not 0x08 <= address <= 0x77:
                raise ValueError(f"I2C address 0x{address:x} is outside 0x08..0x77")
        self._devices = dict(devices)
        self._faults: list[I2cFault] = []
        self.transfers = 0

    def add_fault(self, fault: I2cFault) -> None:
        """Put a fault on the bus; the first added is asked first."""
        self._faults.append(fault)

    def remove_fault(self, fault: I2cFault) -> None:
        """Take a fault off the bus.

        Raises:
            ValueError: it is not on the bus.
        """
        self._faults.remove(fault)

    def fit(self, address: int, device: I2cDevice) -> None:
        """Solder one more device to the bus.

        Raises:
            ValueError: there is one at that address, or it is no address.
        """
        if not 0x08 <= address <= 0x77 or address in self._devices:
            raise ValueError(f"no free I2C address: 0x{address:x}")
        self._devices[address] = device

    def unfit(self, address: int) -> None:
        """Take a device off the bus; nothing if there is none at that address."""
        self._devices.pop(address, None)

    def device(self, address: int) -> I2cDevice | None:
        """Return the device at ``address``, or None."""
        return self._devices.get(address)

    def power_on(self, t_ns: int) -> None:
        """Supply came up for every device."""
        for device in self._devices.values():
            device.power_on(t_ns)

    def hold_sda_low(self, duration_ns: int, t_ns: int) -> None:
        """Let SDA have been low until ``t_ns``, as while address 0 was sent: a wake pulse."""
        for device in self._devices.values():
            if isinstance(device, SdaListener):
                device.sda_low(duration_ns, t_ns)

    def write(self, address: int, data: bytes, t_ns: int) -> None:
        """Do a write transaction; empty ``data`` only asks for the acknowledge.

        Raises:
            I2cError: no acknowledge, or the bus is stuck.
        """
        device = self._select(address)
        if data or isinstance(device, SdaListener):
            device.write(data, t_ns)

    def read(self, address: int, size: int, t_ns: int) -> bytes:
        """Do a read transaction of ``size`` >= 1 bytes.

        Raises:
            I2cError: no acknowledge, or the bus is stuck.
        """
        return self._through(address, self._select(address).read(size, t_ns))

    def write_read(self, address: int, prefix: bytes, size: int, t_ns: int) -> bytes:
        """Write ``prefix``, then read ``size`` bytes after a repeated start.

        Raises:
            I2cError: no acknowledge, or the bus is stuck.
        """
        device = self._select(address)
        device.write(prefix, t_ns)
        return self._through(address, device.read(size, t_ns))

    def _select(self, address: int) -> I2cDevice:
        self.transfers += 1
        for fault in self._faults:
            fault.before(address)
        device = self._devices.get(address)
        if device is None:
            raise Nack(address)
        return device

    def _through(self, address: int, data: bytes) -> bytes:
        for fault in self._faults:
            data = fault.after_read(address, data)
        return data


def transfer_ns(size_bytes: int, frequency_hz: int) -> int:
    """Return how long a transfer of ``size_bytes`` behind the address byte takes on the wire."""
    return ((size_bytes + 1) * 9 + 2) * 1_000_000_000 // frequency_hz
