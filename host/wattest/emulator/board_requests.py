"""Serves the requests of the guest's shims: eight words in, the answer in the same words.

The requests are made by the modules in ``rom/``; a test compares the numbers.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattest.emulator.board_hardware import Hardware, Request, Serve, Words
from wattest.emulator.board_i2c import I2cRequests
from wattest.emulator.board_i2c_target import I2cTargetRequests
from wattest.emulator.board_nvs import NvsRequests
from wattest.emulator.board_uart import UartRequests
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.guest import GuestVm, StopGuest, Wait
from wattest.emulator.guest_memory import WildPointer
from wattest.emulator.nvs import NvsStore
from wattest.emulator.peripherals import RTC_MEMORY_BYTES

REQUEST_BYTES = 32
_WORDS = struct.Struct("<8I")
_ANSWERS = [struct.Struct(f"<{count}I") for count in range(4)]
_DEADLINE = struct.Struct("<IIQ")
_FOREVER = 0xFFFFFFFF
_TIME_UP, _INPUT_READY = 1, 2
_RESUME_SLEEP, _RESUME_POLL = 0x101, 0x102
_NO_DEADLINE = (1 << 64) - 1
_TIMER_PERIOD_NS_MIN = 50_000  # about what calling a soft interrupt costs
_CPU_HZ = (20_000_000, 40_000_000, 80_000_000, 160_000_000, 240_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSleep:
    """Reason of a guest's end: sleep for ``duration_ns``, or for ever (None)."""

    duration_ns: int | None


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """Reason of a guest's end: the program asked for a reset into download mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRequest:
    """Reason of a guest's end: the program asked for a reset."""

    cause: int


class _BoardWait(Wait):
    """A sleep, or a poll of the console; the answer goes into the first word."""

    __slots__ = ("_address",)

    def __init__(self, address: int, deadline_ns: int, *, on_input: bool) -> None:
        limit_ns = None if deadline_ns == _NO_DEADLINE else deadline_ns
        super().__init__(deadline_ns=limit_ns, on_stdin=on_input)
        self._address = address

    def result(self, vm: GuestVm) -> bytes | int | None:
        """Return the size of the answer when it is over, b"" to let an interrupt in."""
        if self.on_stdin and vm.stdin_is_readable:
            vm.memory.write_u32(self._address, _INPUT_READY)
            return REQUEST_BYTES
        if self.deadline_ns is not None and vm.now_ns() >= self.deadline_ns:
            vm.memory.write_u32(self._address, _TIME_UP)
            return REQUEST_BYTES
        return b"" if vm.take_cause() else None


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
        self._set_interrupt_char = set_interrupt_char
        self._serve: dict[int, Serve] = {
            Request.CLOCK: self._clock,
            Request.STATVFS: self._statvfs,
            Request.RESET: self._reset,
            Request.DOWNLOAD: self._download,
            Request.SLEEP_DEEP: self._sleep_deep,
            Request.RESET_CAUSE: lambda _vm, _w: (0, hardware.reset_cause),
            Request.UNIQUE_ID: self._unique_id,
            Request.FREQ: self._freq,
            **I2cRequests(hardware).table(),
            **I2cTargetRequests(hardware).table(),
            **UartRequests(hardware).table(),
            **NvsRequests(nvs).table(),
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
            Request.RANDOM: self._random,
        }

    def __call__(self, vm: GuestVm, address: int, size: int) -> int | Wait:
        """Serve one request; the words are at ``address``."""
        if size != REQUEST_BYTES:
            raise OSError(errno.EINVAL, "not a request")
        words: Words = vm.memory.unpack(_WORDS, address)
        number = words[0]
        serve = self._serve.get(number)
        if serve is not None:
            answer = self._guarded(serve, vm, words)
        elif number in (Request.SLEEP, Request.POLL):
            return self._begin_wait(vm, address, words)
        elif number in (_RESUME_SLEEP, _RESUME_POLL):
            return self._resume_wait(vm, address, number)
        else:
            raise OSError(errno.EINVAL, "unknown request")
        if answer:
            vm.memory.pack(_ANSWERS[len(answer)], address, *answer)
        return REQUEST_BYTES

    @staticmethod
    def _guarded(serve: Serve, vm: GuestVm, words: Words) -> Sequence[int]:
        """A request that makes no sense is the guest's error, not ours."""
        try:
            return serve(vm, words)
        except WildPointer:
            raise  # the guest ends, as by any wild access
        except (LookupError, OverflowError, ValueError) as error:
            raise OSError(errno.EINVAL, str(error)) from error

    # ---- waiting ------------------------------------------------------------

    def _begin_wait(self, vm: GuestVm, address: int, words: Words) -> Wait:
        number, us, seconds, on_input = words[:4]
        deadline = _NO_DEADLINE
        if seconds != _FOREVER:
            deadline = vm.now_ns() + (seconds * 1_000_000 + us) * 1_000
        resume = _RESUME_POLL if number == Request.POLL and on_input else _RESUME_SLEEP
        vm.memory.pack(_DEADLINE, address, resume, 0, deadline)
        return _BoardWait(address, deadline, on_input=resume == _RESUME_POLL)

    def _resume_wait(self, vm: GuestVm, address: int, resume: int) -> Wait:
        """Go on as the words say: the guest comes back with them after a soft interrupt."""
        deadline = vm.memory.unpack(_DEADLINE, address)[2]
        return _BoardWait(address, deadline, on_input=resume == _RESUME_POLL)

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

    def _download(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        """Say whether a program can ask for download mode; do it if the first word is 1."""
        if words[1] and self._hardware.software_download:
            raise StopGuest(DownloadRequest())
        return 0, int(self._hardware.software_download)

    def _sleep_deep(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        us, seconds = words[1], words[2]
        duration = None if seconds == _FOREVER else (seconds * 1_000_000 + us) * 1_000
        raise StopGuest(DeepSleep(duration_ns=duration))

    def _unique_id(self, vm: GuestVm, words: Words) -> Sequence[int]:
        vm.write(words[1], self._hardware.unique_id)
        return ()

    def _freq(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        if words[1]:
            if words[1] not in _CPU_HZ:
                raise OSError(errno.EINVAL, "frequency")
            self._hardware.cpu_hz = words[1]
        return 0, self._hardware.cpu_hz

    def _interrupt_char(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        self._set_interrupt_char(-1 if words[1] == _FOREVER else words[1] & 0xFF)
        return ()

    @staticmethod
    def _random(vm: GuestVm, words: Words) -> Sequence[int]:
        vm.memory.require(words[1], words[2])
        vm.memory.write(words[1], vm.entropy.read(words[2]))
        return ()

    # ---- always-on memory, watchdog, timers --------------------------------------------

    def _rtc_read(self, vm: GuestVm, words: Words) -> Sequence[int]:
        vm.write(words[1], self._hardware.rtc.memory)
        return ()

    def _rtc_write(self, vm: GuestVm, words: Words) -> Sequence[int]:
        if words[2] > RTC_MEMORY_BYTES:
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
            period_ns=max(_TIMER_PERIOD_NS_MIN, words[3] * 1_000),
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
        mode, pull = (None if word == 0xFF else word for word in words[2:4])
        self._hardware.pins.set_up(words[1], mode=mode, pull=pull)
        return ()

    def _pin_set(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        self._hardware.pins.put(words[1], words[2])
        return ()

    def _pin_irq(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        pin = self._hardware.pins[words[1]]
        pin.irq_callback, pin.irq_edges = words[2], words[3]
        return ()

    def _adc_read(self, _vm: GuestVm, words: Words) -> Sequence[int]:
        adc = self._hardware.adc
        return 0, adc.read_uv(words[1], words[2]), adc.read_raw(words[1], words[2])
