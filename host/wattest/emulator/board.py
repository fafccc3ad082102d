"""An emulated board: what outlives its interpreters, and the power and resets that end them.

A board is an actor of the world. Flash, always-on memory, pins, chips and console stay; each reset
makes a fresh guest. A crash, an endless loop or a power cut of the guest never leaves this module
as an exception: it becomes console text, a reset cause, a reboot, or a board that is off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto

from wattest.emulator import board_text
from wattest.emulator.board_guest import BoardWiring, GuestSession
from wattest.emulator.board_hardware import Hardware, I2cWiring
from wattest.emulator.board_line import ReceiveLine
from wattest.emulator.board_requests import DeepSleep, ResetRequest
from wattest.emulator.console import Console
from wattest.emulator.engine import Engine
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import NorFlash
from wattest.emulator.guest import GuestVm, StopGuest
from wattest.emulator.world import World
from wattest.errors import EmulatorError

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
UART_RING_BYTES = 260

__all__ = ["BoardWiring", "EmulatedBoard", "I2cWiring"]


class Power(Enum):
    """What a board is doing."""

    OFF = auto()
    BOOTING = auto()
    RUNNING = auto()
    DEEP_SLEEP = auto()


class EmulatedBoard:
    """One board.

    Args:
        engine: the compiled machine, from ``load_engine``.
        flash: its flash chip; kept and changed.
        wiring: what kind of board it is.
        buses: I2C buses and the pins they are soldered to.
        unique_id: 6 bytes, the base MAC.
        seed: of its entropy; each boot draws anew from it.
        crystal_ppm: how much too fast its own clock runs, less than 100 000 either way.
        name: for messages.
        world: the world it lives in; None makes one of its own.

    Attributes:
        power: what it is doing now.
        boots: how often an interpreter was started, soft resets included.
        crashes: how often one crashed.
        uart_dropped: console bytes lost because the receive ring was full.
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
        crystal_ppm: int = 0,
        name: str = "board",
        world: World | None = None,
    ) -> None:
        if len(unique_id) != 6:
            raise ValueError(f"unique id must have 6 bytes, got {len(unique_id)}")
        if abs(crystal_ppm) >= 100_000:
            raise ValueError(f"crystal error of {crystal_ppm} ppm is out of range")
        self.name = name
        self.flash = flash
        self.wiring = wiring or BoardWiring()
        self.world = world or World()
        self.power = Power.OFF
        self.boots = 0
        self.crashes = 0
        self.uart_dropped = 0
        self._engine = engine
        self._seed = seed
        self._crystal_ppm = crystal_ppm
        self._hardware = Hardware(
            wirings=tuple(buses),
            unique_id=unique_id,
            cpu_hz=self.wiring.cpu_hz,
            default_i2c_pins=dict(enumerate(self.wiring.i2c_pins)),
        )
        self._subscribers: list[Callable[[int, bytes], None]] = []
        self._console = Console(self._send, banner=board_text.banner(self.wiring.machine))
        self._due_ns: int | None = None  # end of a pause: boot loaders, deep sleep
        self._guest_due_ns: int | None = None
        self._session: GuestSession | None = None
        self._line = ReceiveLine(self.world, line_ns=self.wiring.line_ns, deliver=self._receive)
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
    def vm(self) -> GuestVm | None:
        """The running guest, or None."""
        return None if self._session is None else self._session.vm

    @property
    def now_ns(self) -> int:
        """The board's clock: while it computes, ahead of the world's by up to a step."""
        vm = self.vm
        return self.world.now_ns if vm is None else max(self.world.now_ns, vm.now_ns())

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
        self.power = Power.OFF
        self._due_ns = None
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
        """Send bytes to its console, starting at ``t_ns`` (now if None or past).

        They arrive at the speed of the line, behind what was sent before.
        """
        self._line.send(data, t_ns or 0)

    def _receive(self, data: bytes) -> None:
        """Bytes are at the UART: into the ring, but the interrupt character acts at once."""
        vm = self.vm
        if vm is None:
            return  # no UART without a running chip
        now_ns, console = self.world.now_ns, self._console
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
        session = self._session
        if session is None:
            return self._due_ns
        due = self._guest_due_ns = session.vm.next_ns()
        alarm = self._hardware.alarm_ns()
        if alarm is None:
            return due
        return alarm if due is None or alarm < due else due

    def step(self) -> None:
        """Run to the next wait, the next alarm, or the world's horizon."""
        session = self._session
        if session is None:
            self._leave_pause()
            return
        now_ns = self.world.now_ns
        alarm = self._hardware.alarm_ns()
        if alarm is not None and alarm <= now_ns:
            self._alarm(now_ns)
            return
        if self._guest_due_ns is not None and self._guest_due_ns <= now_ns:
            until_ns = self.world.horizon_ns(session.vm.shorten)
            session.run(now_ns, until_ns if alarm is None else min(until_ns, alarm))
            self._look_at(session.vm)

    def _leave_pause(self) -> None:
        """What the board was waiting for without an interpreter has come."""
        if self.power is Power.BOOTING:
            self._boot(cold=True)
        elif self.power is Power.DEEP_SLEEP:
            self._start(DEEPSLEEP_RESET, board_text.ROM_DEEPSLEEP)

    def _alarm(self, now_ns: int) -> None:
        """The watchdog or a timer is due."""
        watchdog = self._hardware.watchdog
        if watchdog.deadline_ns is not None and watchdog.deadline_ns <= now_ns:
            assert self.vm is not None
            self._send(board_text.watchdog(now_ns - self.vm.ticks_origin_ns))
            self._start(WDT_RESET, board_text.ROM_SOFTWARE)
            return
        for callback, number in self._hardware.timers.take_due(now_ns):
            self._interrupt(callback, number)

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
        self.boots += 1
        try:
            self._session = GuestSession(
                self._engine,
                wiring=self.wiring,
                hardware=self._hardware,
                flash=self.flash,
                console=self._console,
                seed=f"{self._seed}/{self.boots}".encode(),
                now_ns=self.world.now_ns,
                cold=cold,
                crystal_ppm=self._crystal_ppm,
            )
        except StopGuest:
            self.power_off()
            return
        self.power = Power.RUNNING
        self.world.wake(self)

    def _stop_guest(self, detail: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close(detail)

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
        else:  # a flash operation was the last thing this board did
            self.power_off()

    def _fall_asleep(self, sleep: DeepSleep) -> None:
        now_ns = self.now_ns
        self._stop_guest("deep sleep")
        self._hardware.reset()
        self.power = Power.DEEP_SLEEP
        self._due_ns = None if sleep.duration_ns is None else now_ns + sleep.duration_ns
        self.world.wake(self)

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

    # ---- inside: signals ---------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        t_ns = self.now_ns
        for subscriber in tuple(self._subscribers):
            subscriber(t_ns, data)

    def _interrupt(self, callback: int, number: int) -> None:
        vm = self.vm
        if vm is not None:
            vm.schedule_callback(callback, number, self.world.now_ns)
            self.world.wake(self)
