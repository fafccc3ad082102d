"""An emulated board: its supply, its buttons, its pins, its serial port, and the chip on it.

Flash, always-on memory, pins, sensors and console stay; each reset makes a fresh guest. In
download mode no guest runs, so nothing but the loader touches the flash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wattest.emulator import board_text
from wattest.emulator.board_chip import BoardChip
from wattest.emulator.board_download import SOFTWARE_DOWNLOAD, DownloadPort, SerialOptions
from wattest.emulator.board_guest import BoardWiring
from wattest.emulator.board_hardware import Hardware, I2cWiring
from wattest.emulator.board_i2c_target import I2C_TARGETS
from wattest.emulator.board_line import ReceiveLine, StartUpFifo, receive
from wattest.emulator.board_power import HARD_RESET, PWRON_RESET, WDT_RESET, Power
from wattest.emulator.board_text import RomReset
from wattest.emulator.engine import Engine
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import NorFlash
from wattest.emulator.guest import GuestVm
from wattest.emulator.serial_rom import Edge, Leave, LoaderFaults
from wattest.emulator.world import World
from wattest.errors import EmulatorError

__all__ = ["BoardWiring", "EmulatedBoard", "I2cWiring", "Power", "SerialOptions"]


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
        self.uart_dropped = 0
        self._hardware = Hardware(
            wirings=tuple(buses),
            unique_id=unique_id,
            cpu_hz=self.wiring.cpu_hz,
            software_download=self.wiring.chip in SOFTWARE_DOWNLOAD,
            has_i2c_target=self.wiring.chip in I2C_TARGETS,
            default_i2c_pins=dict(enumerate(self.wiring.i2c_pins)),
        )
        self._subscribers: list[Callable[[int, bytes], None]] = []
        self._chip = BoardChip(
            engine,
            flash=flash,
            wiring=self.wiring,
            hardware=self._hardware,
            world=self.world,
            seed=seed,
            crystal_ppm=crystal_ppm,
            name=name,
            out=self._send,
            enter_download=self.enter_download,
        )
        self._line = ReceiveLine(self.world, line_ns=self.wiring.line_ns, deliver=self._receive)
        self._fifo = StartUpFifo(self.world, ready=self._takes_bytes, deliver=self._receive)
        self._download = DownloadPort(
            chip=self.wiring.chip,
            flash=flash,
            mac=unique_id,
            options=self.wiring.serial,
            send=self._chip.send,
            on_leave=self._leave_download,
        )
        self.world.add(self._chip)

    # ---- looking at it -----------------------------------------------------------------------

    @property
    def power(self) -> Power:
        """What it is doing now."""
        return self._chip.power

    @property
    def boots(self) -> int:
        """How often an interpreter was started, soft resets included."""
        return self._chip.boots

    @property
    def crashes(self) -> int:
        """How often an interpreter crashed."""
        return self._chip.crashes

    @property
    def unique_id(self) -> bytes:
        """Its base MAC, 6 bytes."""
        return self._hardware.unique_id

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
        return self._chip.vm

    @property
    def now_ns(self) -> int:
        """The board's clock: while it computes, ahead of the world's by up to a step."""
        return self._chip.now_ns

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
        self._chip.start(PWRON_RESET, RomReset.POWERON)

    def power_off(self) -> None:
        """Cut the supply now, whatever the board is doing."""
        self._chip.power_off()

    def brown_out(self) -> None:
        """The supply sags and recovers: the chip resets, its always-on domain loses its content.

        An ESP32 reports it as a power-on.
        """
        if self.powered:
            self._chip.send(board_text.BROWNOUT)
            self.power_off()
            self.power_on()

    def press_enable(self) -> None:
        """Pull the EN pin: the chip starts as from power-on, sensors stay supplied."""
        if self.powered:
            self._hardware.rtc.power_on(self.world.now_ns)
            self._chip.start(PWRON_RESET, RomReset.POWERON)

    def hard_reset(self) -> None:
        """Reset the chip as ``machine.reset()`` does."""
        if self.powered:
            self._chip.start(HARD_RESET, RomReset.SOFTWARE)

    def soft_reset(self) -> None:
        """Make a fresh interpreter; the chip goes on."""
        if self.power is Power.RUNNING:
            self._chip.soft_reset()

    def enter_download(self) -> None:
        """Reset the chip into its ROM's download mode; nothing happens while it is off."""
        if self.powered:
            self._enter_download()
            self._chip.send(board_text.rom(self.wiring.chip, RomReset.POWERON, download=True))

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """Set the modem lines of its port, which two transistors turn into EN and GPIO0."""
        edge = self._download.lines.set(dtr=dtr, rts=rts)
        if edge is Edge.DOWNLOAD:
            self.enter_download()
        elif edge is Edge.RUN:
            self.press_enable()
        elif edge is Edge.HOLD and self.powered:
            self._chip.halt(Power.BOOTING, PWRON_RESET)

    def hang_up(self) -> None:
        """The last user of a port without modem lines closed it: in download mode, a reset."""
        if self.power is Power.DOWNLOAD and self._download.ends_with_hang_up:
            self.press_enable()

    def inject_loader_faults(self, faults: LoaderFaults) -> None:
        """Have these faults from the next start of download mode on."""
        self._download.faults = faults

    def close(self) -> None:
        """Switch off and leave the world; the flash stays as it is."""
        self.power_off()
        self.world.remove(self._chip)

    # ---- the world around it -----------------------------------------------------------------

    def feed(self, data: bytes, t_ns: int | None = None) -> None:
        """Send bytes to its serial port, starting at ``t_ns`` (now if None or past).

        They arrive at the speed of the line, behind what was sent before; in download mode at
        once.
        """
        if t_ns is None and not self.powered:
            return  # nobody hears it; queued, it would reach the next start
        if self.power is Power.DOWNLOAD and self._line.idle:
            self._download.feed(data)
        else:
            self._line.send(data, t_ns or 0)

    def set_pin(self, number: int, level: int | None) -> None:
        """Drive a pin from outside; None lets it go."""
        interrupt = self._hardware.pins.drive(number, level)
        if interrupt is not None:
            self._chip.interrupt(*interrupt)

    def pin_level(self, number: int) -> int:
        """Return the level on a pin."""
        return self._hardware.pins[number].level

    def set_adc_uv(self, pin: int, microvolts: int) -> None:
        """Apply a voltage to an analogue input."""
        self._hardware.adc.apply(pin, microvolts)

    # ---- inside ------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        """Bytes are at the UART: for the ROM, or into the ring of the application."""
        if self.power is Power.DOWNLOAD:
            self._download.feed(data)
            return
        sync = self._download.sniff(data) if self.powered else None
        if sync is not None:
            # Without a boot log: it would stand before the answer the tool waits for.
            self._enter_download()
            self._download.feed(sync)
            return
        vm = self.vm
        if vm is not None and not self._starts:
            self.uart_dropped += receive(vm, self._chip.console, data, self.world.now_ns)
            self.world.wake(self._chip)
        elif self.power in {Power.BOOTING, Power.RUNNING}:
            self._fifo.put(data)

    @property
    def _starts(self) -> bool:
        """The interpreter is there and has not come to its first program yet."""
        console = self._chip.console
        return console.booting and not console.running

    def _takes_bytes(self) -> bool | None:
        if self.power is Power.RUNNING:
            return not self._starts
        return False if self.power is Power.BOOTING else None

    def _enter_download(self) -> None:
        self._hardware.rtc.power_on(self.world.now_ns)
        self._chip.halt(Power.DOWNLOAD, PWRON_RESET)
        self._download.enter()

    def _leave_download(self, how: Leave) -> None:
        """The ROM gave up the port."""
        if how is Leave.POWER_FAILED:
            self.power_off()
        elif how is Leave.WATCHDOG:
            self._hardware.rtc.power_on(self.world.now_ns)
            self._chip.start(WDT_RESET, RomReset.RTC_WATCHDOG)
        else:
            self._chip.start(PWRON_RESET, RomReset.POWERON)

    def _send(self, t_ns: int, data: bytes) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(t_ns, data)
