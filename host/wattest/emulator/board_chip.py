"""The chip of an emulated board: its runs, from each reset to the next.

An actor of the world. A crash, an endless loop or a power cut of the guest never leaves this
module as an exception: it becomes console text, a reset cause, a reboot, or a chip without supply.
"""

from __future__ import annotations

from collections.abc import Callable

from wattest.emulator import board_text
from wattest.emulator.board_guest import BoardWiring, GuestSession
from wattest.emulator.board_hardware import Hardware
from wattest.emulator.board_power import (
    DEEPSLEEP_RESET,
    HARD_RESET,
    SOFT_RESET,
    WDT_RESET,
    Power,
)
from wattest.emulator.board_requests import DeepSleep, DownloadRequest, ResetRequest
from wattest.emulator.board_text import RomReset
from wattest.emulator.console import Console
from wattest.emulator.engine import Engine
from wattest.emulator.flash import NorFlash
from wattest.emulator.guest import GuestVm, StopGuest
from wattest.emulator.serial_rom.boot_chain import BootFailure, boot_failure
from wattest.emulator.world import World
from wattest.errors import EmulatorError


class BoardChip:
    """One chip, without supply at first.

    Args:
        engine: the compiled machine.
        flash: what it starts from.
        wiring: what kind of board it is on.
        hardware: what its guests reach.
        world: the world it is an actor of.
        seed: of its entropy.
        crystal_ppm: how much too fast its clock runs.
        name: of the board, for messages.
        out: takes what it sends, with the time.
        enter_download: resets the chip into download mode: a program asks for it.

    Attributes:
        power: what it is doing.
        boots: how often an interpreter was started, soft resets included.
        crashes: how often one crashed.
        console: the supervisor's end of its console.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        flash: NorFlash,
        wiring: BoardWiring,
        hardware: Hardware,
        world: World,
        seed: int,
        crystal_ppm: int,
        name: str,
        out: Callable[[int, bytes], None],
        enter_download: Callable[[], None],
    ) -> None:
        self.power = Power.OFF
        self.boots = 0
        self.crashes = 0
        self.console = Console(self.send, banner=board_text.banner(wiring.machine))
        self._engine = engine
        self._flash = flash
        self._wiring = wiring
        self._hardware = hardware
        hardware.interrupt = self.interrupt
        self._world = world
        self._seed = seed
        self._crystal_ppm = crystal_ppm
        self._name = name
        self._out = out
        self._enter_download = enter_download
        self._due_ns: int | None = None  # end of a pause: boot loaders, deep sleep
        self._guest_due_ns: int | None = None
        self._session: GuestSession | None = None
        self._boot_failure: BootFailure | None = None

    @property
    def vm(self) -> GuestVm | None:
        """The running guest, or None."""
        return None if self._session is None else self._session.vm

    @property
    def now_ns(self) -> int:
        """Its clock: while it computes, ahead of the world's by up to a step."""
        vm = self.vm
        return self._world.now_ns if vm is None else max(self._world.now_ns, vm.now_ns())

    def send(self, data: bytes) -> None:
        """Send bytes over the serial port, now."""
        self._out(self.now_ns, data)

    def interrupt(self, callback: int, number: int) -> None:
        """Have the guest call a function of its own."""
        vm = self.vm
        if vm is not None:
            vm.schedule_callback(callback, number, self._world.now_ns)
            self._world.wake(self)

    # ---- resets ------------------------------------------------------------------------------

    def start(self, cause: int, rom_cause: RomReset) -> None:
        """Reset the chip: boot loaders run, then an interpreter."""
        self._reset_into(Power.BOOTING, cause)
        self._due_ns = self._world.now_ns + self._wiring.boot_delay_ns
        self.send(board_text.rom(self._wiring.chip, rom_cause))
        self._world.wake(self)

    def halt(self, power: Power, cause: int) -> None:
        """Reset the chip and run nothing on it: EN held low, or download mode."""
        self._reset_into(power, cause)
        self._due_ns = None
        self._world.wake(self)

    def power_off(self) -> None:
        """The supply is gone, whatever it was doing."""
        self._stop_guest("power off")
        self._hardware.pins.reset()
        self.power = Power.OFF
        self._due_ns = None
        self._world.wake(self)

    def soft_reset(self) -> None:
        """Make a fresh interpreter, if there is one; the chip goes on."""
        vm = self.vm
        if vm is None:
            return
        self.send(b"MPY: soft reboot\r\n")
        unread = bytes(vm.stdin)
        self._stop_guest("soft reset")
        self._hardware.timers.reset()
        self._hardware.pins.forget_interrupts()
        self._hardware.reset_cause = SOFT_RESET
        self._boot(cold=False)
        if self.vm is not None:
            self.vm.stdin += unread

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
        now_ns = self._world.now_ns
        alarm = self._hardware.alarm_ns()
        if alarm is not None and alarm <= now_ns:
            self._alarm(now_ns)
            return
        if self._guest_due_ns is not None and self._guest_due_ns <= now_ns:
            until_ns = self._world.horizon_ns(session.vm.shorten)
            session.run(now_ns, until_ns if alarm is None else min(until_ns, alarm))
            self._look_at(session.vm)

    def _leave_pause(self) -> None:
        """What the board was waiting for without an interpreter has come."""
        failure, self._boot_failure = self._boot_failure, None
        if failure is not None:
            watchdog = failure.by_watchdog
            self.start(
                WDT_RESET if watchdog else HARD_RESET,
                RomReset.ROM_WATCHDOG if watchdog else RomReset.BOOTLOADER,
            )
        elif self.power is Power.BOOTING:
            self._boot_from_flash()
        elif self.power is Power.DEEP_SLEEP:
            self.start(DEEPSLEEP_RESET, RomReset.DEEPSLEEP)

    def _alarm(self, now_ns: int) -> None:
        """The watchdog or a timer is due."""
        watchdog = self._hardware.watchdog
        if watchdog.deadline_ns is not None and watchdog.deadline_ns <= now_ns:
            assert self.vm is not None
            self.send(board_text.watchdog(now_ns - self.vm.ticks_origin_ns))
            self.start(WDT_RESET, RomReset.SOFTWARE)
            return
        for callback, number in self._hardware.timers.take_due(now_ns):
            self.interrupt(callback, number)

    # ---- inside ------------------------------------------------------------------------------

    def _reset_into(self, power: Power, cause: int) -> None:
        self._stop_guest("reset")
        self._hardware.reset()
        self._hardware.reset_cause = cause
        self._hardware.cpu_hz = self._wiring.cpu_hz
        self.power = power

    def _boot_from_flash(self) -> None:
        """The ROM looks for an application, if the board is one that needs it."""
        failure = (
            boot_failure(self._wiring.chip, self._flash)
            if self._wiring.needs_application
            else None
        )
        if failure is None:
            self._boot(cold=True)
            return
        self._boot_failure = failure
        self._due_ns = self._world.now_ns + failure.period_ns
        self.send(failure.text)
        self._world.wake(self)

    def _boot(self, *, cold: bool) -> None:
        """Start an interpreter on what the flash holds."""
        self.boots += 1
        try:
            self._session = GuestSession(
                self._engine,
                wiring=self._wiring,
                hardware=self._hardware,
                flash=self._flash,
                console=self.console,
                seed=f"{self._seed}/{self.boots}".encode(),
                now_ns=self._world.now_ns,
                cold=cold,
                crystal_ppm=self._crystal_ppm,
            )
        except StopGuest:
            self.power_off()
            return
        self.power = Power.RUNNING
        self._world.wake(self)

    def _stop_guest(self, detail: str) -> None:
        self._boot_failure = None
        session, self._session = self._session, None
        if session is not None:
            self._hardware.guest_ended()
            session.close(detail)

    def _look_at(self, vm: GuestVm) -> None:
        """See whether the guest ended, and what that means."""
        if self.vm is not vm:
            return
        if self.console.soft_reset_wanted:
            self.soft_reset()
            return
        outcome = vm.outcome
        if outcome is None:
            return
        if outcome.kind == "fault":
            raise EmulatorError(
                f"{self._name}: the emulator failed while serving the guest: {outcome.detail}",
                seed=self._seed,
                virtual_time_ns=vm.now_ns(),
                hint="this is a defect of the emulator, please report it with the seed",
            ) from outcome.error
        if outcome.kind == "stopped":
            assert isinstance(outcome.error, StopGuest)
            self._stopped(outcome.error.reason)
            return
        self.crashes += 1
        self.send(board_text.panic(outcome.detail))
        self.start(HARD_RESET, RomReset.SOFTWARE)

    def _stopped(self, reason: object) -> None:
        if isinstance(reason, ResetRequest):
            self.start(reason.cause, RomReset.SOFTWARE)
        elif isinstance(reason, DeepSleep):
            self._fall_asleep(reason)
        elif isinstance(reason, DownloadRequest):
            self._enter_download()
        else:  # a flash operation was the last thing this board did
            self.power_off()

    def _fall_asleep(self, sleep: DeepSleep) -> None:
        now_ns = self.now_ns
        self._stop_guest("deep sleep")
        self._hardware.reset()
        self.power = Power.DEEP_SLEEP
        self._due_ns = None if sleep.duration_ns is None else now_ns + sleep.duration_ns
        self._world.wake(self)
