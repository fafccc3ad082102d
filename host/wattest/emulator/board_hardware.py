"""The parts of a board its guests ask for, and the numbers of the requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol, TypeAlias

from wattest.emulator.guest import GuestVm
from wattest.emulator.i2c import I2cBus
from wattest.emulator.peripherals import AnalogueInputs, Pins, RealTimeClock, Timers, Watchdog
from wattest.emulator.uart import UartWiring

Words: TypeAlias = tuple[int, ...]
"""The eight 32-bit words of a request: its number, then what it needs."""

Serve: TypeAlias = Callable[[GuestVm, Words], Sequence[int]]
"""Serves one kind of request; returns the words to change."""


class I2cTargetPort(Protocol):
    """A controller of the chip that answers on a bus."""

    def close(self) -> None:
        """Answer no more."""


class Request(IntEnum):
    """What a shim may ask for."""

    SLEEP = 1
    POLL = 2
    CLOCK = 3
    STATVFS = 4
    RESET = 10
    SLEEP_DEEP = 11
    RESET_CAUSE = 12
    UNIQUE_ID = 13
    FREQ = 14
    DOWNLOAD = 15
    NVS_OPEN = 20
    NVS_SET_I32 = 21
    NVS_GET_I32 = 22
    NVS_SET_BLOB = 23
    NVS_GET_BLOB = 24
    NVS_ERASE = 25
    NVS_COMMIT = 26
    I2C_OPEN = 30
    I2C_WRITE = 31
    I2C_READ = 32
    I2C_WRITE_MEM = 33
    I2C_READ_MEM = 34
    I2C_SCAN = 35
    I2C_TARGET_OPEN = 36
    I2C_TARGET_CLOSE = 37
    I2C_TARGET_STATE = 38
    I2C_TARGET_IRQ = 39
    PIN_MODE = 40
    PIN_SET = 41
    PIN_GET = 42
    PIN_IRQ = 43
    TIMER_START = 45
    TIMER_STOP = 46
    TIMER_ELAPSED = 47
    ADC_READ = 48
    CLOCK_SET = 50
    RTC_MEMORY_SIZE = 51
    RTC_MEMORY_READ = 52
    RTC_MEMORY_WRITE = 53
    WDT_START = 55
    WDT_FEED = 56
    INTERRUPT_CHAR = 60
    RANDOM = 61
    UART_OPEN = 70
    UART_WRITE = 71
    UART_READ = 72
    UART_ANY = 73


@dataclass(frozen=True, slots=True, kw_only=True)
class I2cWiring:
    """A bus and the pins it is soldered to."""

    bus: I2cBus
    scl: int
    sda: int


@dataclass(slots=True, kw_only=True)
class Hardware:
    """What the requests work on; the part of a board that outlives its guests."""

    wirings: Sequence[I2cWiring]
    unique_id: bytes
    cpu_hz: int
    default_i2c_pins: dict[int, tuple[int, int]]
    uarts: Sequence[UartWiring] = ()
    software_download: bool = False
    has_i2c_target: bool = False
    interrupt: Callable[[int, int], None] = lambda _callback, _number: None
    targets: dict[int, I2cTargetPort] = field(default_factory=dict)
    pins: Pins = field(default_factory=Pins)
    timers: Timers = field(default_factory=Timers)
    watchdog: Watchdog = field(default_factory=Watchdog)
    rtc: RealTimeClock = field(default_factory=RealTimeClock)
    adc: AnalogueInputs = field(default_factory=AnalogueInputs)
    reset_cause: int = 1

    def reset(self) -> None:
        """A reset of the chip: what is not always-on starts anew."""
        self.pins.reset()
        self.timers.reset()
        self.watchdog.reset()

    def guest_ended(self) -> None:
        """What a program left running in a peripheral ends with it."""
        for target in self.targets.values():
            target.close()
        self.targets.clear()

    def alarm_ns(self) -> int | None:
        """Return when the watchdog or a timer is due, or None."""
        bite, tick = self.watchdog.deadline_ns, self.timers.due_ns
        if bite is None or (tick is not None and tick < bite):
            return tick
        return bite
