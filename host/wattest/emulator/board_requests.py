"""Serves the requests of the guest's shims: eight words in, the answer in the same words.

Numbers of requests are shared with the modules in ``rom/``; a test compares them.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from wattest.emulator.filesystem import LittleFs
from wattest.emulator.guest import GuestVm, StopGuest, Wait
from wattest.emulator.i2c import TIMEOUT_NS, BusStuck, I2cBus, I2cError, Nack, transfer_ns
from wattest.emulator.nvs import Nvs, NvsFull, NvsStore
from wattest.emulator.peripherals import AnalogueInputs, Pins, RealTimeClock, Timers, Watchdog

REQUEST_BYTES = 32
_WORDS = struct.Struct("<8I")
_DEADLINE = struct.Struct("<IIQ")
_FOREVER = 0xFFFFFFFF
_TIME_UP, _INPUT_READY = 1, 2
_RESUME_SLEEP, _RESUME_POLL = 0x101, 0x102
_NO_DEADLINE = (1 << 64) - 1

_NVS_NOT_FOUND, _NVS_NO_SPACE, _NVS_BAD_NAME, _NVS_BAD_LENGTH = 0x1102, 0x1105, 0x1106, 0x110C

Words: TypeAlias = tuple[int, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class I2cWiring:
    """A bus and the pins it is soldered to."""

    bus: I2cBus
    scl: int
    sda: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSleep:
    """Reason of a guest's end: sleep for ``duration_ns``, or for ever (None)."""

    duration_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRequest:
    """Reason of a guest's end: the program asked for a reset."""

    cause: int


@dataclass(slots=True, kw_only=True)
class Hardware:
    """What the requests work on; the part of a board that outlives its guests."""

    wirings: Sequence[I2cWiring]
    unique_id: bytes
    cpu_hz: int
    default_i2c_pins: dict[int, tuple[int, int]]
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


@dataclass(slots=True, kw_only=True)
class _Controller:
    bus: I2cBus
    frequency_hz: int
    timeout_ns: int


class BoardRequests:
    """Handler of ``/dev/board`` for one guest.

    Args:
        hardware: the board.
        disk: its mounted file system.
        nvs: its small-value store, made at the first use.
        set_interrupt_char: takes the byte that interrupts, or -1.
    """

    def __init__(
        self,
        hardware: Hardware,
        *,
        disk: LittleFs,
        nvs: Callable[[], NvsStore],
        set_interrupt_char: Callable[[int], None],
    ) -> None:
        self._hardware = hardware
        self._disk = disk
        self._nvs = nvs
        self._set_interrupt_char = set_interrupt_char
        self._controllers: list[_Controller] = []
        self._namespaces: list[Nvs] = []
        self._serve: dict[int, Callable[[GuestVm, Words], Sequence[int]]] = {
            Request.CLOCK: self._clock,
            Request.STATVFS: self._statvfs,
            Request.RESET: self._reset,
            Request.SLEEP_DEEP: self._sleep_deep,
            Request.RESET_CAUSE: lambda _vm, _w: (0, hardware.reset_cause),
            Request.UNIQUE_ID: self._unique_id,
            Request.FREQ: self._freq,
            Request.NVS_OPEN: self._nvs_open,
            Request.I2C_OPEN: self._i2c_open,
            Request.I2C_WRITE: self._i2c_write,
            Request.I2C_READ: self._i2c_read,
            Request.I2C_WRITE_MEM: self._i2c_write_mem,
            Request.I2C_READ_MEM: self._i2c_read_mem,
            Request.I2C_SCAN: self._i2c_scan,
            Request.PIN_MODE: self._pin_mode,
            Request.PIN_SET: self._pin_set,
            Request.PIN_GET: lambda _vm, w: (0, hardware.pins[w[1]].level),
            Request.PIN_IRQ: self._pin_irq,
            Request.TIMER_START: self._timer_start,
            Request.TIMER_STOP: self._timer_stop,
            Request.TIMER_ELAPSED: self._timer_elapsed,
            Request.ADC_READ: self._adc_read,
            Request.CLOCK_SET: self._clock_set,
            Request.RTC_MEMORY_SIZE: lambda _vm, _w: (0, len(hardware.rtc.memory)),
            Request.RTC_MEMORY_READ: self._rtc_read,
            Request.RTC_MEMORY_WRITE: self._rtc_write,
            Request.WDT_START: self._wdt_start,
            Request.WDT_FEED: self._wdt_feed,
            Request.INTERRUPT_CHAR: self._interrupt_char,
        }

    def __call__(self, vm: GuestVm, address: int, size: int) -> int | Wait:
        """Serve one request; the words are at ``address``."""
        if size != REQUEST_BYTES:
            raise OSError(errno.EINVAL, "not a request")
        words: Words = _WORDS.unpack(vm.view(address, REQUEST_BYTES))
        number = words[0]
        serve = self._serve.get(number)
        if serve is not None:
            answer = serve(vm, words)
        elif Request.NVS_SET_I32 <= number <= Request.NVS_COMMIT:
            answer = self._nvs_use(vm, words)
        elif number in (Request.SLEEP, Request.POLL):
            return self._begin_wait(vm, address, words)
        elif number in (_RESUME_SLEEP, _RESUME_POLL):
            return self._wait(vm, address, number)
        else:
            raise OSError(errno.EINVAL, "unknown request")
        if answer:
            vm.write(address, struct.pack(f"<{len(answer)}I", *answer))
        return REQUEST_BYTES

    # ---- waiting ------------------------------------------------------------

    def _begin_wait(self, vm: GuestVm, address: int, words: Words) -> int | Wait:
        number, us, seconds, on_input = words[:4]
        deadline = _NO_DEADLINE
        if seconds != _FOREVER:
            deadline = vm.now_ns() + (seconds * 1_000_000 + us) * 1_000
        resume = _RESUME_POLL if number == Request.POLL and on_input else _RESUME_SLEEP
        vm.write(address, _DEADLINE.pack(resume, 0, deadline))
        return self._wait(vm, address, resume)

    def _wait(self, vm: GuestVm, address: int, resume: int) -> int | Wait:
        """Wait as the words say; the guest comes back with them after a soft interrupt."""
        deadline = _DEADLINE.unpack(vm.view(address, _DEADLINE.size))[2]
        on_input = resume == _RESUME_POLL

        def over() -> int | None:
            if on_input and vm.stdin_is_readable:
                vm.write(address, _INPUT_READY.to_bytes(4, "little"))
                return REQUEST_BYTES
            if vm.now_ns() >= deadline:
                vm.write(address, _TIME_UP.to_bytes(4, "little"))
                return REQUEST_BYTES
            return None

        done = over()
        if done is not None:
            return done
        return Wait(
            deadline_ns=None if deadline == _NO_DEADLINE else deadline,
            on_stdin=on_input,
            ready=over,
        )

    # ---- clock, chip ------------------------------------------------------------

    def _clock(self, vm: GuestVm, _words: Words) -> Sequence[int]:
        seconds, ns = divmod(self._hardware.rtc.since_2000_ns(vm.now_ns()), 1_000_000_000)
        return 0, seconds & 0xFFFFFFFF, ns

    def _clock_set(self, vm: GuestVm, words: Words) -> Sequence[int]:
        since_2000_ns = words[1] * 1_000_000_000 + words[2] * 1_000
        rtc = self._hardware.rtc
        rtc.offset_ns += since_2000_ns - rtc.since_2000_ns(vm.now_ns())
        vm.unix_offset_ns = rtc.offset_ns
        return ()

    def _statvfs(self, _vm: GuestVm, _words: Words) -> Sequence[int]:
        blocks, used = self._disk.usage()
        return 0, blocks, blocks - used

    def _reset(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        raise StopGuest(ResetRequest(cause=words[1]))

    def _sleep_deep(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        us, seconds = words[1], words[2]
        duration = None if seconds == _FOREVER else (seconds * 1_000_000 + us) * 1_000
        raise StopGuest(DeepSleep(duration_ns=duration))

    def _unique_id(self, vm: GuestVm, words: Words) -> Sequence[int]:
        vm.write(words[1], self._hardware.unique_id)
        return ()

    def _freq(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        if words[1]:
            if words[1] not in (20_000_000, 40_000_000, 80_000_000, 160_000_000, 240_000_000):
                raise OSError(errno.EINVAL, "frequency")
            self._hardware.cpu_hz = words[1]
        return 0, self._hardware.cpu_hz

    def _interrupt_char(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        self._set_interrupt_char(-1 if words[1] == _FOREVER else words[1] & 0xFF)
        return ()

    # ---- always-on memory, watchdog, timers --------------------------------------------

    def _rtc_read(self, vm: GuestVm, words: Words) -> Sequence[int]:
        vm.write(words[1], self._hardware.rtc.memory)
        return ()

    def _rtc_write(self, vm: GuestVm, words: Words) -> Sequence[int]:
        if words[2] > 2048:
            return (0,)
        self._hardware.rtc.memory = vm.read(words[1], words[2])
        return (1,)

    def _wdt_start(self, vm: GuestVm, words: Words) -> Sequence[int]:
        self._hardware.watchdog.start(words[1] * 1_000_000, vm.now_ns())
        return ()

    def _wdt_feed(self, vm: GuestVm, _words: Words) -> Sequence[int]:
        self._hardware.watchdog.feed(vm.now_ns())
        return ()

    def _timer_start(self, vm: GuestVm, words: Words) -> Sequence[int]:
        self._hardware.timers.start(
            words[1],
            callback=words[2],
            period_ns=words[3] * 1_000,
            periodic=bool(words[4]),
            now_ns=vm.now_ns(),
        )
        return ()

    def _timer_stop(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        self._hardware.timers.stop(words[1])
        return ()

    def _timer_elapsed(self, vm: GuestVm, words: Words) -> Sequence[int]:
        return 0, self._hardware.timers.elapsed_ms(words[1], vm.now_ns())

    # ---- pins ------------------------------------------------------------

    def _pin_mode(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        pin = self._hardware.pins[words[1]]
        if words[2] != 0xFF:
            pin.mode = words[2]
        if words[3] != 0xFF:
            pin.pull = words[3]
        return ()

    def _pin_set(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        self._hardware.pins[words[1]].output = words[2]
        return ()

    def _pin_irq(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        pin = self._hardware.pins[words[1]]
        pin.irq_callback, pin.irq_edges = words[2], words[3]
        return ()

    def _adc_read(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        adc = self._hardware.adc
        return 0, adc.read_uv(words[1], words[2]), adc.read_raw(words[1], words[2])

    # ---- I2C ------------------------------------------------------------

    def _i2c_open(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        number, scl, sda, frequency_hz, timeout_us = words[1:6]
        if 0xFF in (scl, sda):
            scl, sda = self._hardware.default_i2c_pins.get(number, (scl, sda))
        bus = I2cBus({})  # pins that lead nowhere: nobody answers
        for wiring in self._hardware.wirings:
            if (wiring.scl, wiring.sda) == (scl, sda):
                bus = wiring.bus
        controller = _Controller(
            bus=bus,
            frequency_hz=max(1_000, frequency_hz),
            timeout_ns=timeout_us * 1_000 or TIMEOUT_NS,
        )
        self._controllers.append(controller)
        return 0, len(self._controllers) - 1

    def _transfer(self, vm: GuestVm, words: Words, size: int) -> I2cBus:
        """Let the transfer's time pass."""
        controller = self._controllers[words[1]]
        vm.advance(transfer_ns(size, controller.frequency_hz))
        return controller.bus

    def _i2c_write(self, vm: GuestVm, words: Words) -> Sequence[int]:
        data = vm.read(words[3], words[4])
        bus = self._transfer(vm, words, len(data))
        self._guarded(vm, words, lambda: bus.write(words[2], data, vm.now_ns()))
        return ()

    def _i2c_read(self, vm: GuestVm, words: Words) -> Sequence[int]:
        address, size = words[3], words[4]
        bus = self._transfer(vm, words, size)
        data = self._guarded(vm, words, lambda: bus.read(words[2], size, vm.now_ns()))
        vm.write(address, data)
        return ()

    def _i2c_write_mem(self, vm: GuestVm, words: Words) -> Sequence[int]:
        data = _prefix(words) + vm.read(words[3], words[4])
        bus = self._transfer(vm, words, len(data))
        self._guarded(vm, words, lambda: bus.write(words[2], data, vm.now_ns()))
        return ()

    def _i2c_read_mem(self, vm: GuestVm, words: Words) -> Sequence[int]:
        device, address, size = words[2], words[3], words[4]
        prefix = _prefix(words)
        bus = self._transfer(vm, words, len(prefix) + 1 + size)
        now_ns = vm.now_ns()
        data = self._guarded(vm, words, lambda: bus.write_read(device, prefix, size, now_ns))
        vm.write(address, data)
        return ()

    def _i2c_scan(self, vm: GuestVm, words: Words) -> Sequence[int]:
        found = bytearray()
        for address in range(0x08, 0x78):
            bus = self._transfer(vm, words, 0)
            try:
                bus.write(address, b"", vm.now_ns())
            except Nack:
                continue
            except BusStuck:
                vm.advance(self._controllers[words[1]].timeout_ns)
                continue
            found.append(address)
        vm.write(words[2], found)
        return 0, len(found)

    def _guarded(self, vm: GuestVm, words: Words, transfer: Callable[[], bytes | None]) -> bytes:
        try:
            return transfer() or b""
        except BusStuck:
            vm.advance(self._controllers[words[1]].timeout_ns)
            raise
        except I2cError:
            raise

    # ---- NVS ------------------------------------------------------------

    def _nvs_open(self, vm: GuestVm, words: Words) -> Sequence[int]:
        try:
            name = vm.read(words[2], words[3]).decode()
            self._namespaces.append(self._nvs().namespace(name))
        except ValueError:
            return (_NVS_BAD_NAME,)
        return 0, len(self._namespaces) - 1

    def _nvs_use(self, vm: GuestVm, words: Words) -> Sequence[int]:
        try:
            return self._nvs_call(vm, words)
        except KeyError:
            return (_NVS_NOT_FOUND,)
        except NvsFull:
            return (_NVS_NO_SPACE,)
        except ValueError:
            return (_NVS_BAD_NAME,)

    def _nvs_call(self, vm: GuestVm, words: Words) -> Sequence[int]:
        number, handle, key_at, key_size, a, b = words[:6]
        space = self._namespaces[handle]
        key = vm.read(key_at, key_size).decode()
        if number == Request.NVS_SET_I32:
            space.set_i32(key, a - (1 << 32) if a >> 31 else a)
        elif number == Request.NVS_GET_I32:
            return 0, space.get_i32(key) & 0xFFFFFFFF
        elif number == Request.NVS_SET_BLOB:
            if b > 4000:
                return (_NVS_BAD_LENGTH,)
            space.set_blob(key, vm.read(a, b))
        elif number == Request.NVS_GET_BLOB:
            blob = space.get_blob(key)
            if len(blob) > b:
                return (_NVS_BAD_LENGTH,)
            vm.write(a, blob)
            return 0, len(blob)
        elif number == Request.NVS_ERASE:
            space.erase_key(key)
        else:
            space.commit()
        return (0,)


def _prefix(words: Words) -> bytes:
    """Return the register address of a memory transfer; ``addrsize`` is in bits."""
    return words[5].to_bytes(max(1, words[6] // 8), "big")
