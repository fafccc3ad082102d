"""An emulated board on a port, and `wattest flash` with the vendor's own esptool against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from board_harness import SteadyLoad
from port_harness import Served, serving

from wattest.boards import Board, load_board
from wattest.emulator.board import BoardWiring, EmulatedBoard, I2cWiring, SerialOptions
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.i2c import I2cBus
from wattest.emulator.ina228 import Ina228
from wattest.flashing.filesystem import read_folder
from wattest.flashing.journal import JournalHead, journal_head
from wattest.operations.commission.flash import flash_board
from wattest.operations.commission.flash_events import (
    Flashed,
    FlashEvent,
    FlashOptions,
    Interrupted,
    JournalKept,
    Step,
)
from wattest.operations.commission.home import Home
from wattest.store import Event, Passport

MAC = bytes.fromhex("240ac40007a5")
CHIP_ID = MAC.hex()


@dataclass
class Hand:
    """Stops a flash as soon as an event is the one it waits for."""

    stop_at: str = ""
    stopped: bool = False

    def look(self, event: FlashEvent) -> None:
        if self.stop_at and isinstance(event, Step) and event.text.startswith(self.stop_at):
            self.stopped = True


@dataclass
class Told:
    """What one flash told."""

    events: list[FlashEvent] = field(default_factory=list)

    @property
    def flashed(self) -> Flashed:
        assert isinstance(self.events[-1], Flashed)
        return self.events[-1]

    @property
    def interrupted(self) -> Interrupted:
        assert isinstance(self.events[-1], Interrupted)
        return self.events[-1]

    @property
    def kept(self) -> JournalKept | None:
        return next((event for event in self.events if isinstance(event, JournalKept)), None)

    @property
    def steps(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Step)]


class FlashBench:
    """One board of a kind, the port it is served on, and the home of a person."""

    def __init__(self, kind: Board, board: EmulatedBoard, port: Served, home: Home) -> None:
        self.kind = kind
        self.board = board
        self.port = port
        self.home = home
        self.output = bytearray()
        board.on_output(lambda _t_ns, data: self.output.extend(data))

    def options(self, **changes: object) -> FlashOptions:
        values = {"port": self.port.address, "board": self.kind, "home": self.home, **changes}
        return FlashOptions(**values)

    def flash(self, hand: Hand | None = None, **changes: object) -> Told:
        """Flash it as `wattest flash` does."""
        hand = hand or Hand()
        told = Told()
        for event in flash_board(self.options(**changes), hand):
            told.events.append(event)
            hand.look(event)
        return told

    def journal(self) -> dict[str, bytes]:
        """Return the journal on the board's flash."""
        flash = self.kind.flash
        image = self.port.call(lambda: self.board.flash.read(flash.vfs_offset, flash.vfs_bytes))
        return read_folder(image, "journal") or {}

    def head(self) -> JournalHead | None:
        return journal_head(self.journal())

    def operations(self) -> int:
        """Program and erase operations of its flash chip so far."""
        return self.port.call(lambda: self.board.flash.operations)

    def passport(self) -> list[Event]:
        with Passport(self.home.passport, read_only=True) as passport:
            return passport.events(CHIP_ID)

    def wait_for(self, text: str) -> None:
        """Wait until the board has printed something, from now on."""
        self.port.call(self.output.clear)
        self.port.wait_until(lambda: text.encode() in self.output, text)


def new_board(kind: Board, flash: NorFlash | None = None, **serial: bool) -> EmulatedBoard:
    """Return a board as its board file describes it, off, its flash erased."""
    chip = Ina228(SteadyLoad(), shunt_uohm=kind.sensor.shunt_uohm)
    bus = I2cBus({kind.sensor.address: chip})
    return EmulatedBoard(
        load_engine(),
        flash=flash or NorFlash(kind.flash.size_bytes),
        wiring=BoardWiring(
            chip=kind.chip,
            needs_application=True,
            layout=FlashLayout(vfs_offset=kind.flash.vfs_offset),
            serial=SerialOptions(**serial),
        ),
        buses=[I2cWiring(bus=bus, scl=kind.i2c.scl_pin, sda=kind.i2c.sda_pin)],
        unique_id=MAC,
    )


@contextmanager
def flash_bench(
    folder: Path,
    name: str = "emulated-esp32",
    *,
    flash: NorFlash | None = None,
    link: str = "pty",
    **serial: bool,
) -> Iterator[FlashBench]:
    """Serve a board of that kind, powered on."""
    kind = load_board(name)
    board = new_board(kind, flash, **serial)
    with serving(board, link) as port:
        bench = FlashBench(kind, board, port, Home(folder / "home"))
        port.call(board.power_on)
        try:
            yield bench
        finally:
            port.call(board.close)
