"""The I2C bus: who answers, what goes wrong, how long it takes."""

from __future__ import annotations

import errno

import pytest

from wattest.emulator.i2c import (
    BitErrorFault,
    BusStuck,
    I2cBus,
    I2cError,
    Nack,
    NackFault,
    StuckBusFault,
    transfer_ns,
)


class Memory:
    """A device with a pointer and 256 bytes."""

    def __init__(self) -> None:
        self.cells = bytearray(range(256))
        self.pointer = 0
        self.started_ns = -1

    def power_on(self, t_ns: int) -> None:
        self.started_ns = t_ns

    def write(self, data: bytes, t_ns: int) -> None:
        self.pointer = data[0]
        self.cells[self.pointer : self.pointer + len(data) - 1] = data[1:]

    def read(self, size: int, t_ns: int) -> bytes:
        return bytes(self.cells[self.pointer : self.pointer + size])


def test_transfers_reach_the_device_at_the_address() -> None:
    bus = I2cBus({0x40: Memory()})
    bus.write(0x40, b"\x10\xaa\xbb", 0)
    assert bus.write_read(0x40, b"\x10", 3, 0) == b"\xaa\xbb\x12"
    assert bus.read(0x40, 1, 0) == b"\xaa"
    assert bus.transfers == 3


def test_empty_address_does_not_acknowledge() -> None:
    with pytest.raises(Nack, match="0x41 does not acknowledge") as caught:
        I2cBus({0x40: Memory()}).write(0x41, b"", 0)
    assert caught.value.errno == errno.ENODEV


def test_nack_fault_counts_transfers() -> None:
    bus = I2cBus({0x40: Memory()})
    bus.add_fault(NackFault(0x40, after=2, times=3))
    outcome = []
    for _ in range(8):
        try:
            bus.read(0x40, 1, 0)
            outcome.append("ok")
        except Nack:
            outcome.append("nack")
    assert outcome == ["ok"] * 2 + ["nack"] * 3 + ["ok"] * 3


def test_nack_fault_of_one_device_leaves_the_others() -> None:
    bus = I2cBus({0x40: Memory(), 0x41: Memory()})
    bus.add_fault(NackFault(0x40))
    with pytest.raises(Nack, match="0x40"):
        bus.read(0x40, 1, 0)
    assert bus.read(0x41, 1, 0) == b"\0"


def test_stuck_bus_times_out_until_released() -> None:
    bus = I2cBus({0x40: Memory()})
    fault = StuckBusFault()
    bus.add_fault(fault)
    for action in (lambda: bus.read(0x40, 1, 0), lambda: bus.write(0x7, b"", 0)):
        with pytest.raises(BusStuck, match="held low") as caught:
            action()
        assert caught.value.errno == errno.ETIMEDOUT
    bus.remove_fault(fault)
    assert bus.read(0x40, 1, 0) == b"\0"


def test_bit_errors_come_in_a_fixed_schedule() -> None:
    bus = I2cBus({0x40: Memory()})
    bus.add_fault(BitErrorFault(0x40, every=2, bit=7, step=1))
    reads = [bus.write_read(0x40, b"\x00", 2, 0) for _ in range(6)]
    assert reads == [b"\x00\x01", b"\x01\x01", b"\x00\x01", b"\x00\x81", b"\x00\x01", b"\x00\x41"]


def test_power_reaches_every_device() -> None:
    chip = Memory()
    I2cBus({0x40: chip}).power_on(77)
    assert chip.started_ns == 77


def test_transfer_time_follows_the_clock() -> None:
    # 1 address byte + 4 bytes of 9 bits, start, stop: 47 clocks of 2.5 us
    assert transfer_ns(4, 400_000) == 117_500


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"outside 0x08\.\.0x77"):
        I2cBus({0x80: Memory()})
    with pytest.raises(ValueError, match="at least 1"):
        BitErrorFault(None, every=0)
    assert issubclass(Nack, I2cError)
