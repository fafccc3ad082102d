"""A flashed emulated board behind a port, and what makes a node of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from board_harness import SteadyLoad
from port_harness import Served, serving

from wattest.boards import load_board
from wattest.emulator.board import EmulatedBoard, I2cWiring
from wattest.emulator.board_guest import BoardWiring
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.i2c import I2cBus
from wattest.emulator.ina228 import Ina228
from wattest.emulator.nvs import NvsStore
from wattest.flashing import build_image
from wattest.ledger import EntryKind
from wattest.operations.commission.home import Home
from wattest.operations.commission.provision import provision_board
from wattest.operations.commission.provision_events import (
    Candidate,
    Declined,
    Enrolled,
    ProvisionEvent,
    ProvisionOptions,
)
from wattest.operations.kept.ledger_view import open_view
from wattest.wire import Enrolment, Hello, parse_enrolment
from wattest.wire.frame import Frame, FrameScanner
from wattest.wire.message import FrameKind, parse_hello

BOARD = "emulated-esp32"
CHIP_ID = "240ac4654321"
SERIAL = "WT-240AC4654321"


class FlashedBoard:
    """A board as `wattest flash` leaves it: firmware, no command key, no signing key yet.

    Args:
        files: further files, or others in their place.
        interval_ms: record interval of its image.
        blank: MicroPython only.
        chip_id: of the chip.
        seed: of its chance, and so of its key.
    """

    def __init__(
        self,
        *,
        files: dict[str, bytes] | None = None,
        interval_ms: int = 60_000,
        blank: bool = False,
        chip_id: str = CHIP_ID,
        seed: int = 11,
    ) -> None:
        model = load_board(BOARD)
        self.flash = NorFlash(model.flash.size_bytes)
        bus = I2cBus({0x40: Ina228(SteadyLoad(), shunt_uohm=1000)})
        self.board = EmulatedBoard(
            load_engine(),
            flash=self.flash,
            wiring=BoardWiring(heap_bytes=model.memory.heap_bytes),
            buses=[I2cWiring(bus=bus, scl=model.i2c.scl_pin, sda=model.i2c.sda_pin)],
            unique_id=bytes.fromhex(chip_id),
            seed=seed,
        )
        image = build_image(model, interval_ms=interval_ms)
        self.cfg = image.cfg
        if not blank:
            self.board.install({**image.files, **(files or {})})
        self.hellos: list[Hello] = []
        self._scanner = FrameScanner()
        self.board.on_output(self._hear)

    def nvs(self, key: str, size: int = 32) -> bytes | None:
        """A blob that the board keeps."""
        namespace = NvsStore(FlashLayout().nvs(self.flash)).namespace("wattest")
        try:
            return bytes(namespace.get_blob(key))[:size]
        except KeyError:
            return None

    @property
    def kid(self) -> bytes:
        """The key it said hello with last."""
        return self.hellos[-1].kid

    def _hear(self, _t_ns: int, data: bytes) -> None:
        for item in self._scanner.feed(data):
            if isinstance(item, Frame) and item.kind == FrameKind.HELLO:
                self.hellos.append(parse_hello(item.body))


@contextmanager
def up(flashed: FlashedBoard, link: str = "pty") -> Iterator[Served]:
    """Switch a board on and serve it."""
    with serving(flashed.board, link) as port:
        port.call(flashed.board.power_on)
        yield port


def options(port: str, home: Path, **changes: Any) -> ProvisionOptions:
    return ProvisionOptions(**{"port": port, "home": Home(home), **changes})


def provision(
    port: str,
    home: Path,
    approve: Callable[[Candidate], bool] = lambda _candidate: True,
    **changes: Any,
) -> tuple[Enrolled | Declined, list[ProvisionEvent]]:
    """Provision a board; return how it ended, and everything that was told."""
    events = list(provision_board(options(port, home, **changes), approve))
    ended = events[-1]
    assert isinstance(ended, Enrolled | Declined)
    return ended, events


def enrolments(folder: Path) -> list[Enrolment]:
    """What the ledger says of keys, in its order."""
    with open_view(folder) as view:
        entries = list(view.entries())
    return [parse_enrolment(e.body) for e in entries if e.kind == EntryKind.ENROLMENT]
