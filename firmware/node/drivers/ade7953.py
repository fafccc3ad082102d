"""Analog Devices ADE7953: single-phase energy meter on I2C, current channel A.

Wiring: SCL and SDA with pull-ups; the chip's side of the board is on mains potential unless the
bus is isolated. Voltage divider at VP and VN, shunt or current transformer at IAP and IAN.

    sensor = Ade7953(i2c, 0x38, pga_voltage=0, pga_current=4, active_gain=0x400000)
    sensor.begin()
    if sensor.sample():
        print(sensor.energy, sensor.exporting)
    else:
        print("unusable:", sensor.status)

The chip integrates active power itself, on its own crystal. Reading does not clear its counter
(RSTREAD is switched off): a transfer that fails costs nothing, the next one brings the sum. The
counter has 24 bits and sign, and goes round in 81 s at full scale, so it must be read within 40 s.
"""

import errno

from micropython import const

# Registers: data sheet, tables 13 to 16. The page says how wide one is: 0 one byte, 3 four.
_LCYCMODE = const(0x004)
_WRITE_PROTECT = const(0x040)
_UNLOCK = const(0x0FE)
_LAST_OP = const(0x0FD)
_CONFIG = const(0x102)
_RESERVED = const(0x120)
_LAST_ADD = const(0x1FE)
_IRMSA = const(0x31A)
_VRMS = const(0x31C)
_AENERGYA = const(0x31E)
_LAST_DATA_32 = const(0x3FF)
_LAST_PAGE = const(0x0FF)  # LAST_RWDATA stands at the end of each page
_VERSION = const(0x702)

_READ = const(0x35)
_WRITTEN = const(0xCA)
_UNLOCK_KEY = const(0xAD)
_RESERVED_VALUE = const(0x30)
# COMM_LOCK clear: the interface stays I2C; HPFEN set.
_CONFIG_VALUE = const(0x0004)
_PROTECT_ALL = const(0x07)
_UNIT_GAIN = const(0x400000)
_NO_LOAD = const(0x00E419)
_RMS_FULL_SCALE = const(9_032_007)
_TRIES = const(3)
_HALF = const(0x800000)
_WHOLE = const(0x1000000)

GOOD = "G"
WRONG_CHIP = "X"
NO_ANSWER = "D"
BUS_STUCK = "T"
READ_ERROR = "F"
OVERFLOW = "O"


class Ade7953:
    """One chip.

    After `sample` the attributes hold the result:

        status: one letter of the record format; "G" if the sample is usable.
        energy, exporting: AENERGYA counts since the last good sample, and their direction.
        counts: -1, because power is the mean that follows from the energy.

    Args:
        i2c: bus with readfrom_mem_into and writeto_mem.
        address: 0x38.
        pga_voltage, pga_current: content of the PGA registers.
        active_gain: content of AWGAIN, the calibration.
    """

    counts_energy = True
    span_ms = 40_000

    def __init__(
        self, i2c, address: int, *, pga_voltage: int, pga_current: int, active_gain: int
    ) -> None:
        self._i2c = i2c
        self._address = address
        # All that enters a watt-hour, the defaults too: something may have changed them.
        self._setup = (
            (_LCYCMODE, 0),  # RSTREAD off
            (0x001, 0),  # DISNOLOAD: no creep
            (0x007, pga_voltage),
            (0x008, pga_current),
            (0x108, 0),  # PHCALA
            (0x301, 0),  # ACCMODE: signed
            (0x303, _NO_LOAD),
            (0x380, _UNIT_GAIN),  # AIGAIN
            (0x381, _UNIT_GAIN),  # AVGAIN
            (0x382, active_gain),
            (0x385, 0),  # AWATTOS
            (_CONFIG, _CONFIG_VALUE),
        )
        self._bytes = (bytearray(1), bytearray(2), bytearray(3), bytearray(4))
        self._copy = bytearray(4)
        self._base = 0
        self._ready = False
        self._foreign = False
        self.status = NO_ANSWER
        self.counts = -1
        self.energy = 0
        self.exporting = False
        self.arithmetic = False

    def use_bus(self, i2c) -> None:
        """Go on over a bus that was set up anew."""
        self._i2c = i2c

    def begin(self) -> bool:
        """Check what the chip is; set it up unless it is as we left it. True if it is ready.

        A chip that kept its setting kept its counter too: nothing of it is lost.
        """
        try:
            if not self._identified():
                return False
            if not (self._ready and self._as_set_up()):
                self._ready = False
                self._configure()
                if not self._as_set_up() or not self._read_energy():
                    return False
                self._base = self._value()
                self._ready = True
        except OSError as error:
            self._fail(error)
            return False
        self.status = GOOD
        return True

    def check(self) -> bool:
        """Read identity and configuration back; True if they are what begin left."""
        try:
            return self._identified() and self._as_set_up()
        except OSError as error:
            self._fail(error)
            return False

    def skip(self) -> bool:
        """Forget what was counted until now; True if that is done."""
        base = self._base
        if self.sample():
            return True
        self._base = base
        self._ready = False  # then begin takes the counter as it is
        return False

    def sample(self) -> bool:
        """Read the energy since the last good sample; True if it is usable.

        Allocates nothing unless the bus fails. A chip that was never set up is not read.
        """
        if not self._ready or self._foreign:
            return False
        try:
            if not self._read_energy():
                return False
            value = self._value()
            # A reset switches RSTREAD on again: then the counter began anew.
            if not self._holds(_LCYCMODE, 0):
                return False
            clipped = self._beyond(_IRMSA) or self._beyond(_VRMS)
        except OSError as error:
            self._fail(error)
            return False
        energy = (value - self._base) % _WHOLE
        self._base = value
        if clipped:
            self.status = OVERFLOW
            return False
        self.exporting = energy >= _HALF
        self.energy = _WHOLE - energy if self.exporting else energy
        self.status = GOOD
        return True

    def _read_energy(self) -> bool:
        """Read AENERGYA; True if the chip confirms that it sent what arrived."""
        data = self._bytes[3]
        copy = self._copy
        self._i2c.readfrom_mem_into(self._address, _AENERGYA, data, addrsize=16)
        self._i2c.readfrom_mem_into(self._address, _LAST_DATA_32, copy, addrsize=16)
        if (
            data[0] != copy[0]
            or data[1] != copy[1]
            or data[2] != copy[2]
            or data[3] != copy[3]
            or data[0] != (0xFF if data[1] & 0x80 else 0)
            or self._read(_LAST_ADD) != _AENERGYA
        ):
            self.status = READ_ERROR
            return False
        return True

    def _value(self) -> int:
        """The counter as `_read_energy` left it, its 24 bits without sign."""
        copy = self._copy
        return copy[1] << 16 | copy[2] << 8 | copy[3]

    def _identified(self) -> bool:
        """Is it an ADE7953? It has no id, but no other chip tells which register was read."""
        for _ in range(_TRIES):
            self._read(_VERSION)
            self._foreign = self._read(_LAST_ADD) != _VERSION or self._read(_LAST_OP) != _READ
            if not self._foreign:
                return True
        self.status = WRONG_CHIP
        return False

    def _configure(self) -> None:
        """Unlock, as the data sheet requires after each power-up, write all, protect it."""
        self._write(_WRITE_PROTECT, 0)
        self._put(_UNLOCK, _UNLOCK_KEY)  # nothing may come between these two
        self._write(_RESERVED, _RESERVED_VALUE)
        for register, value in self._setup:
            self._write(register, value)
        self._write(_WRITE_PROTECT, _PROTECT_ALL)

    def _as_set_up(self) -> bool:
        for register, value in self._setup:
            if not self._holds(register, value):
                return False
        return self._holds(_RESERVED, _RESERVED_VALUE)

    def _holds(self, register: int, value: int) -> bool:
        """Does a register have its value? Only one that twice has not was really changed.

        Raises:
            OSError: the two reads differ, so one of them was damaged on the bus.
        """
        if self._read(register) == value:
            return True
        if self._read(register) == value:
            raise OSError(errno.EIO)
        self._ready = False
        self.status = READ_ERROR
        return False

    def _beyond(self, register: int) -> bool:
        """Is an RMS value at full scale? Read twice, because there is no proof of this read."""
        return self._read(register) >= _RMS_FULL_SCALE and self._read(register) >= _RMS_FULL_SCALE

    def _fail(self, error: OSError) -> None:
        if error.errno == errno.ENODEV:
            self.status = NO_ANSWER
        elif error.errno == errno.ETIMEDOUT:
            self.status = BUS_STUCK
        else:
            self.status = READ_ERROR

    def _buffer(self, register: int) -> bytearray:
        page = register >> 8
        return self._bytes[page if page < 4 else 0]

    def _read(self, register: int) -> int:
        """Read a register, without sign: its 24 bits if it is four bytes wide."""
        data = self._buffer(register)
        self._i2c.readfrom_mem_into(self._address, register, data, addrsize=16)
        value = 0
        for index in range(1 if len(data) > 3 else 0, len(data)):
            value = value << 8 | data[index]
        return value

    def _put(self, register: int, value: int) -> None:
        data = self._buffer(register)
        size = len(data)
        for index in range(size):
            data[index] = value >> 8 * (size - 1 - index) & 0xFF
        self._i2c.writeto_mem(self._address, register, data, addrsize=16)

    def _write(self, register: int, value: int) -> None:
        """Write a register; OSError unless the chip confirms direction, address and data."""
        self._put(register, value)
        if (
            self._read(_LAST_OP) != _WRITTEN
            or self._read(_LAST_ADD) != register
            or self._read((register & 0xF00) | _LAST_PAGE) != value
        ):
            raise OSError(errno.EIO)
