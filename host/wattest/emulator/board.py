"""An emulated board: what outlives its interpreters, and the power and resets that end them.

A board is an actor of the world. Flash, always-on memory, pins, chips and console stay; each reset
makes a fresh guest. A crash, an endless loop or a power cut of the guest never leaves this module
as an exception: it becomes console text, a reset cause, a reboot, or a board that is off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from wattest.emulator import board_text
from wattest.emulator.board_files import BoardFiles
from wattest.emulator.board_requests import (
    BoardRequests,
    DeepSleep,
    Hardware,
    I2cWiring,
    ResetRequest,
)
from wattest.emulator.console import STREAM_PATH, Console, Job
from wattest.emulator.engine import Engine
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.guest import GuestVm, StopGuest, Wait
from wattest.emulator.nvs import NvsStore
from wattest.emulator.rom_image import rom_image
from wattest.emulator.world import World
from wattest.errors import EmulatorError

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
UART_RING_BYTES = 260
BOOT_DELAY_NS = 250_000_000
_JOB_BYTES = 256
_PAGE_BYTES = 65536
_PLATFORM_AT = 3735
_BOOTSTRAP = (
    "import host,uctypes,vfs,sys\n"
    "a,n=map(int,host.call('rom','').split())\n"
    "vfs.mount(vfs.VfsRom(uctypes.bytearray_at(a,n)),'/rom')\n"
    "sys.path[:]=['/rom']\n"
    "from _supervisor import _supervisor as s\n"
    "s(globals())"
)

__all__ = ["BoardWiring", "EmulatedBoard", "I2cWiring"]


class Power(Enum):
    """What a board is doing."""

    OFF = auto()
    BOOTING = auto()
    RUNNING = auto()
    DEEP_SLEEP = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardWiring:
    """What kind of board it is; plain values of a board file.

    Args:
        machine: how the console's banner and ``os.uname`` call it.
        platform: ``sys.platform``.
        layout: where things are in its flash.
        heap_bytes: heap of the interpreter.
        cpu_hz: what ``machine.freq`` says.
        i2c_pins: default ``(scl, sda)`` of each hardware controller.
        boot_delay_ns: from reset to the first byte code: boot loaders and start-up.
    """

    machine: str = "Generic ESP32 module (emulated) with ESP32"
    platform: str = "esp32"
    layout: FlashLayout = field(default_factory=FlashLayout)
    heap_bytes: int = 128 * 1024
    cpu_hz: int = 160_000_000
    i2c_pins: tuple[tuple[int, int], ...] = ((18, 19), (25, 26))
    boot_delay_ns: int = BOOT_DELAY_NS


class EmulatedBoard:
    """One board.

    Args:
        engine: the compiled machine, from ``load_engine``.
        flash: its flash chip; kept and changed.
        wiring: what kind of board it is.
        buses: I2C buses and the pins they are soldered to.
        unique_id: 6 bytes, the base MAC.
        seed: of its entropy; each boot draws anew from it.
        name: for messages.
        world: the world it lives in; None makes one of its own.

    Attributes:
        power: what it is doing now.
        boots: how often an interpreter was started, soft resets included.
        crashes: how often one crashed.
        uart_dropped: console bytes lost because the receive ring was full.
        vm: the running guest, or None.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        flash: NorFlash,
        wiring: BoardWiring | None = None,
        buses: Sequence[I2cWiring] = (),
        unique_id: bytes = b"\x24\x0a\xc4\x00\x00\x01",
        seed: int = 0,
        name: str = "board",
        world: World | None = None,
    ) -> None:
        if len(unique_id) != 6:
            raise ValueError(f"unique id must have 6 bytes, got {len(unique_id)}")
        self.name = name
        self.flash = flash
        self.wiring = wiring or BoardWiring()
        self.world = world or World()
        self.power = Power.OFF
        self.boots = 0
        self.crashes = 0
        self.uart_dropped = 0
        self.vm: GuestVm | None = None
        self._engine = engine
        self._seed = seed
        self._hardware = Hardware(
            wirings=tuple(buses),
            unique_id=unique_id,
            cpu_hz=self.wiring.cpu_hz,
            default_i2c_pins=dict(enumerate(self.wiring.i2c_pins)),
        )
        self._subscribers: list[Callable[[int, bytes], None]] = []
        self._console = Console(self._send, banner=board_text.banner(self.wiring.machine))
        self._due_ns = 0
        self._busy_ns = 0
        self._files: BoardFiles | None = None
        self._arrivals: deque[tuple[int, bytes]] = deque()
        self._pending_callbacks: list[tuple[int, int]] = []
        self.world.add(self)

    # ---- looking at it -----------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        """The supply is on."""
        return self.power is not Power.OFF

    @property
    def reset_cause(self) -> int:
        """What ``machine.reset_cause()`` says, or would say."""
        return self._hardware.reset_cause

    @property
    def now_ns(self) -> int:
        """The board's clock: ahead of the world's by less than a slice while it computes."""
        return self.world.now_ns if self.vm is None else max(self.world.now_ns, self.vm.now_ns())

    @property
    def hardware(self) -> Hardware:
        """Pins, clock, always-on memory, analogue inputs."""
        return self._hardware

    def on_output(self, subscriber: Callable[[int, bytes], None]) -> Callable[[], None]:
        """Have every byte the board sends from now on; returns a function that ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def disk(self, *, format_if_needed: bool = True) -> LittleFs:
        """Mount its file system from outside; only while it is off.

        Raises:
            EmulatorError: it is on, or there is no file system and none is to be made.
        """
        if self.powered:
            raise EmulatorError(
                f"{self.name}: the flash is in use while the board is on",
                hint="power it off, or talk to it over the console",
            )
        self.flash.restore_power()
        partition = self.wiring.layout.vfs(self.flash)
        return LittleFs.mount(partition, format_if_needed=format_if_needed)

    def install(self, files: Mapping[str, bytes]) -> None:
        """Write files into its file system; only while it is off."""
        self.disk().install(files.items())

    # ---- supply and resets -------------------------------------------------------------------

    def power_on(self) -> None:
        """Switch the supply on now; nothing happens if it is on."""
        if self.powered:
            return
        now_ns = self.world.now_ns
        self.flash.restore_power()
        self._hardware.rtc.power_on(now_ns)
        for wiring in self._hardware.wirings:
            wiring.bus.power_on(now_ns)
        self._start(PWRON_RESET, board_text.ROM_POWERON)

    def power_off(self) -> None:
        """Cut the supply now, whatever the board is doing."""
        self._stop_guest("power off")
        self._arrivals.clear()
        self.power = Power.OFF
        self.world.wake(self)

    def brown_out(self) -> None:
        """The supply sags and recovers: the chip resets, its always-on domain loses its content.

        An ESP32 reports it as a power-on.
        """
        if self.powered:
            self._send(board_text.BROWNOUT)
            self.power_off()
            self.power_on()

    def press_enable(self) -> None:
        """Pull the EN pin: the chip starts as from power-on, sensors stay supplied."""
        if self.powered:
            self._hardware.rtc.power_on(self.world.now_ns)
            self._start(PWRON_RESET, board_text.ROM_POWERON)

    def hard_reset(self) -> None:
        """Reset the chip as ``machine.reset()`` does."""
        if self.powered:
            self._start(HARD_RESET, board_text.ROM_SOFTWARE)

    def soft_reset(self) -> None:
        """Make a fresh interpreter; the chip goes on."""
        if self.power is Power.RUNNING:
            self._soft_reset()

    def close(self) -> None:
        """Switch off and leave the world; the flash stays as it is."""
        self.power_off()
        self.world.remove(self)

    # ---- the world around it -----------------------------------------------------------------

    def feed(self, data: bytes, t_ns: int | None = None) -> None:
        """Send bytes to its console, arriving at ``t_ns`` (now if None or past)."""
        if t_ns is not None and t_ns > self.world.now_ns:
            self.world.call_at(t_ns, lambda: self.feed(data))
            return
        vm = self.vm
        if vm is None:
            return  # no UART without a running chip
        now_ns = self.world.now_ns
        console = self._console
        accepted = bytearray()
        room = UART_RING_BYTES - len(vm.stdin)
        for byte in data:
            if byte == console.interrupt_char and console.running:
                vm.interrupt(now_ns)
            elif len(accepted) < room or not console.running:
                accepted.append(byte)
            else:
                self.uart_dropped += 1
        if accepted:
            vm.feed(bytes(accepted), now_ns)
            vm.notify(now_ns)
        self.world.wake(self)

    def set_pin(self, number: int, level: int | None) -> None:
        """Drive a pin from outside; None lets it go."""
        interrupt = self._hardware.pins.drive(number, level)
        if interrupt is not None:
            self._interrupt(*interrupt)

    def pin_level(self, number: int) -> int:
        """Return the level on a pin."""
        return self._hardware.pins[number].level

    def set_adc_uv(self, pin: int, microvolts: int) -> None:
        """Apply a voltage to an analogue input."""
        self._hardware.adc.apply(pin, microvolts)

    # ---- the world's actor -------------------------------------------------------------------

    def next_ns(self) -> int | None:
        """Return when it wants to run."""
        if self.power in (Power.BOOTING, Power.DEEP_SLEEP):
            return self._due_ns if self._due_ns >= 0 else None
        if self.vm is None:
            return None
        times = [
            self.vm.next_ns(),
            self._hardware.timers.next_ns(),
            self._hardware.watchdog.deadline_ns,
        ]
        return min((time for time in times if time is not None), default=None)

    def step(self) -> None:
        """Run to the next wait, or one slice on."""
        if self.power is Power.BOOTING:
            self._boot(cold=True)
            return
        if self.power is Power.DEEP_SLEEP:
            self._start(DEEPSLEEP_RESET, board_text.ROM_DEEPSLEEP)
            return
        vm = self.vm
        if vm is None:
            return
        now_ns = self.world.now_ns
        watchdog = self._hardware.watchdog
        if watchdog.deadline_ns is not None and watchdog.deadline_ns <= now_ns:
            self._send(board_text.watchdog(now_ns - vm.ticks_origin_ns))
            self._start(WDT_RESET, board_text.ROM_SOFTWARE)
            return
        for callback, number in self._hardware.timers.take_due(now_ns):
            self._interrupt(callback, number)
        due = vm.next_ns()
        if due is not None and due <= now_ns:
            vm.poll()
            self._look_at(vm)

    # ---- inside: guests come and go ----------------------------------------------------------

    def _start(self, cause: int, rom_text: bytes) -> None:
        """Reset the chip: boot loaders run, then an interpreter."""
        self._stop_guest("reset")
        self._hardware.reset()
        self._hardware.reset_cause = cause
        self._hardware.cpu_hz = self.wiring.cpu_hz
        self.power = Power.BOOTING
        self._due_ns = self.world.now_ns + self.wiring.boot_delay_ns
        self._send(rom_text)
        self.world.wake(self)

    def _boot(self, *, cold: bool) -> None:
        """Start an interpreter on what the flash holds."""
        now_ns = self.world.now_ns
        try:
            disk = LittleFs.mount(self.wiring.layout.vfs(self.flash), format_if_needed=True)
        except StopGuest:
            self._lose_power()
            return
        self.power = Power.RUNNING
        self.boots += 1
        self._files = BoardFiles(disk)
        requests = BoardRequests(
            self._hardware,
            disk=disk,
            nvs=lambda: NvsStore(self.wiring.layout.nvs(self.flash)),
            set_interrupt_char=self._set_interrupt_char,
        )
        heap = f"heapsize={self.wiring.heap_bytes}"
        vm = GuestVm(
            self._engine,
            arguments=["micropython", "-X", heap, "-c", _BOOTSTRAP],
            filesystem=self._files,
            handlers={b"rom": _place_rom, b"console": self._serve_console},
            devices={"board": requests},
            on_output=lambda data, _t_ns: self._console.output(data),
            seed=f"{self._seed}/{self.boots}".encode(),
            start_ns=now_ns,
            unix_offset_ns=self._hardware.rtc.offset_ns,
            result_capacity_bytes=_JOB_BYTES,
        )
        self.vm = vm
        self.flash.on_busy = vm.advance
        scripts = ["/boot.py"] if self._console.raw and not cold else ["/boot.py", "/main.py"]
        self._console.boot(_existing(disk, scripts), cold=cold)
        self.world.wake(self)

    def _stop_guest(self, detail: str) -> None:
        self.flash.on_busy = None
        self._files = None
        vm, self.vm = self.vm, None
        if vm is not None:
            vm.kill(detail)
            vm.close()

    def _look_at(self, vm: GuestVm) -> None:
        """See whether the guest ended, and what that means."""
        if self.vm is not vm:
            return
        if self._console.soft_reset_wanted:
            self._soft_reset()
            return
        outcome = vm.outcome
        if outcome is None:
            return
        if outcome.kind == "fault":
            raise EmulatorError(
                f"{self.name}: the emulator failed while serving the guest: {outcome.detail}",
                seed=self._seed,
                virtual_time_ns=vm.now_ns(),
                hint="this is a defect of the emulator, please report it with the seed",
            ) from outcome.error
        if outcome.kind == "stopped":
            assert isinstance(outcome.error, StopGuest)
            self._stopped(outcome.error.reason)
            return
        self.crashes += 1
        self._send(board_text.panic(outcome.detail))
        self._start(HARD_RESET, board_text.ROM_SOFTWARE)

    def _stopped(self, reason: object) -> None:
        if isinstance(reason, ResetRequest):
            self._start(reason.cause, board_text.ROM_SOFTWARE)
        elif isinstance(reason, DeepSleep):
            self._fall_asleep(reason)
        else:
            self._lose_power()

    def _fall_asleep(self, sleep: DeepSleep) -> None:
        now_ns = self.now_ns
        self._stop_guest("deep sleep")
        self._hardware.reset()
        self.power = Power.DEEP_SLEEP
        self._due_ns = -1 if sleep.duration_ns is None else now_ns + sleep.duration_ns
        self.world.wake(self)

    def _lose_power(self) -> None:
        """A flash operation was the last thing this board did."""
        self.power_off()

    def _soft_reset(self) -> None:
        vm = self.vm
        assert vm is not None
        self._send(b"MPY: soft reboot\r\n")
        unread = bytes(vm.stdin)
        self._stop_guest("soft reset")
        self._hardware.timers.reset()
        self._hardware.reset_cause = SOFT_RESET
        self._boot(cold=False)
        if self.vm is not None:
            self.vm.stdin += unread

    # ---- inside: console ---------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        t_ns = self.now_ns
        for subscriber in tuple(self._subscribers):
            subscriber(t_ns, data)

    def _set_interrupt_char(self, char: int) -> None:
        self._console.interrupt_char = char

    def _interrupt(self, callback: int, number: int) -> None:
        if self.vm is not None:
            self.vm.schedule_callback(callback, number, self.world.now_ns)
            self.world.wake(self)

    def _serve_console(self, vm: GuestVm, payload: bytes) -> bytes | Wait | None:
        """``host.call("console", what)``: the supervisor reports, or asks for a job."""
        console = self._console
        if payload == b"over":
            console.interrupt_char = -1
            return None
        if payload == b"error":
            console.error_begins()
            return None
        if payload == b"error-end":
            console.error_ends()
            return None
        if payload == b"exit":
            console.soft_reset_wanted = True
            return Wait(ready=lambda: None)
        console.job_done()

        def next_job() -> bytes | None:
            job = console.next_job(vm.stdin)
            return None if job is None else self._encode(job)

        return next_job() or Wait(on_stdin=False, ready=next_job)

    def _encode(self, job: Job) -> bytes:
        if job.kind == "file":
            return b"F" + job.text
        if job.kind == "line" and len(job.text) < _JOB_BYTES:
            return b"S" + job.text
        assert self._files is not None
        self._files.stream = job.text
        return b"X" + STREAM_PATH.encode()


def _existing(disk: LittleFs, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if disk.exists(path)]


def _place_rom(vm: GuestVm, _payload: bytes) -> bytes:
    """Put the shims behind the guest's memory; answers address and size."""
    image = rom_image()
    address = vm.grow(-(-len(image) // _PAGE_BYTES))
    vm.write(address, image)
    if vm.read(_PLATFORM_AT, 5) != b"linux":
        raise EmulatorError("the interpreter is not the one this emulator knows")
    vm.write(_PLATFORM_AT, b"esp32")
    return f"{address} {len(image)}".encode()
