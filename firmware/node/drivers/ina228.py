"""TI INA228: 85 V, 20-bit power monitor on I2C.

Wiring: SCL and SDA with pull-ups, VS to 3.3 V, shunt across IN+ and IN-, VBUS to the load side.

    sensor = Ina228(i2c, 0x40, config=0, adc_config=0xF717, shunt_cal=4050)
    sensor.begin()
    if sensor.sample():
        print(sensor.counts, sensor.exporting)
    else:
        print("unusable:", sensor.status)

POWER is a magnitude; the direction is the sign of CURRENT. Both are averages of one window.
The chip's own energy register is not used: its oscillator is only good to 0.5 %.
"""

import errno

from micropython import const

# Registers: data sheet, section "Register maps".
_CONFIG = const(0x00)
_ADC_CONFIG = const(0x01)
_SHUNT_CAL = const(0x02)
_CURRENT = const(0x07)
_POWER = const(0x08)
_DIAG_ALRT = const(0x0B)
_MANUFACTURER_ID = const(0x3E)
_DEVICE_ID = const(0x3F)

_CONFIG_RESET = const(0x8000)
_CONFIG_CLEAR = const(0x4000)  # RSTACC, which also clears MATHOF
_TI = const(0x5449)
_INA228 = const(0x228)
# DIAG_ALRT, high byte: ALATCH and APOL, set by begin. Both read 0 after the chip has reset, so
# they also show that it lost its configuration. ALATCH keeps a flag until it is read.
_ALERT_SETUP = const(0x9000)
_ALERT_MARK = const(0x90)
_ALERT_MATHOF = const(0x02)
# DIAG_ALRT, low byte.
_ALERT_LIMITS = const(0x74)  # SHNTOL, SHNTUL, BUSOL, POL
_ALERT_READY = const(0x02)  # CNVRF
_FULL_SCALE = const(524_287)
_POWER_FULL_SCALE = const(0xFFFFFF)

GOOD = "G"
WRONG_CHIP = "X"
NO_ANSWER = "D"
BUS_STUCK = "T"
READ_ERROR = "F"
OVERFLOW = "O"


class Ina228:
    """One chip.

    It states power; the node integrates it.

    After `sample` the attributes hold the result:

        status: one letter of the record format; "G" if the sample is usable.
        fresh: a conversion has finished since the chip was set up.
        counts: POWER, 0..2**24-1.
        exporting: the current is negative.
        arithmetic: with status "O": the chip's arithmetic overflowed.

    Args:
        i2c: bus with readfrom_mem_into and writeto_mem.
        address: 0x40..0x4F.
        config, adc_config, shunt_cal: what the registers of that name are set to.
    """

    counts_energy = False

    def __init__(self, i2c, address: int, *, config: int, adc_config: int, shunt_cal: int) -> None:
        self._i2c = i2c
        self._address = address
        self._setup = (
            (_CONFIG, config),
            (_ADC_CONFIG, adc_config),
            (_SHUNT_CAL, shunt_cal),
        )
        # CURRENT is VSHUNT * 4096 / SHUNT_CAL: where it ends when the shunt ADC is at its end.
        self._current_limit = min(_FULL_SCALE, (_FULL_SCALE << 12) // shunt_cal) - 1
        self._word = bytearray(2)
        self._result = bytearray(3)
        self._ready = False
        self.status = NO_ANSWER
        self.fresh = False
        self.counts = 0
        self.exporting = False
        self.arithmetic = False

    def use_bus(self, i2c) -> None:
        """Go on over a bus that was set up anew."""
        self._i2c = i2c

    def begin(self) -> bool:
        """Check the chip's identity, reset it and set it up; True if it is ready to sample."""
        self._ready = False
        self.fresh = False
        self.arithmetic = False
        try:
            if self._read(_MANUFACTURER_ID) != _TI or self._read(_DEVICE_ID) >> 4 != _INA228:
                self.status = WRONG_CHIP
                return False
            self._write(_CONFIG, _CONFIG_RESET)
            for register, value in self._setup:
                self._write(register, value)
            self._write(_DIAG_ALRT, _ALERT_SETUP)
            if not self._as_set_up():
                return False
        except OSError as error:
            self._fail(error)
            return False
        self._ready = True
        self.status = GOOD
        return True

    def check(self) -> bool:
        """Read identity and configuration back; True if they are what begin left."""
        try:
            if self._read(_MANUFACTURER_ID) != _TI or self._read(_DEVICE_ID) >> 4 != _INA228:
                self.status = WRONG_CHIP
                return False
            return self._as_set_up()
        except OSError as error:
            self._fail(error)
            return False

    def sample(self) -> bool:
        """Read one result; True if it is usable. Allocates nothing unless the bus fails.

        A chip that was never set up is not read: its status is what `begin` found.
        """
        if not self._ready:
            return False
        try:
            self._i2c.readfrom_mem_into(self._address, _DIAG_ALRT, self._word)
            high = self._word[0]
            low = self._word[1]
            if high & _ALERT_MARK != _ALERT_MARK:
                self.status = READ_ERROR
                return False
            if low & _ALERT_READY:
                self.fresh = True
            result = self._result
            self._i2c.readfrom_mem_into(self._address, _CURRENT, result)
            current = result[0] << 12 | result[1] << 4 | result[2] >> 4
            self._i2c.readfrom_mem_into(self._address, _POWER, result)
        except OSError as error:
            self._fail(error)
            return False
        self.counts = result[0] << 16 | result[1] << 8 | result[2]
        self.exporting = current >= 0x80000
        if self.exporting:
            current = 0x100000 - current
        self.arithmetic = high & _ALERT_MATHOF != 0
        if self.arithmetic and not self._clear_overflow():
            return False
        if (
            self.arithmetic
            or low & _ALERT_LIMITS
            or current >= self._current_limit
            or self.counts == _POWER_FULL_SCALE
        ):
            self.status = OVERFLOW
            return False
        self.status = GOOD
        return True

    def _clear_overflow(self) -> bool:
        """MATHOF stays until it is cleared; the next window tells whether it is over."""
        try:
            self._write(_CONFIG, self._setup[0][1] | _CONFIG_CLEAR)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _as_set_up(self) -> bool:
        for register, value in self._setup:
            if self._read(register) != value:
                self.status = READ_ERROR
                return False
        return True

    def _fail(self, error: OSError) -> None:
        if error.errno == errno.ENODEV:
            self.status = NO_ANSWER
        elif error.errno == errno.ETIMEDOUT:
            self.status = BUS_STUCK
        else:
            self.status = READ_ERROR

    def _read(self, register: int) -> int:
        self._i2c.readfrom_mem_into(self._address, register, self._word)
        return self._word[0] << 8 | self._word[1]

    def _write(self, register: int, value: int) -> None:
        self._word[0] = value >> 8
        self._word[1] = value & 0xFF
        self._i2c.writeto_mem(self._address, register, self._word)
