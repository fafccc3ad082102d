"""A board on a bench of its own: power, console, sensor, and what it said."""

from __future__ import annotations

import re

from wattest.emulator.board import EmulatedBoard, I2cWiring
from wattest.emulator.board_guest import BoardWiring
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash
from wattest.emulator.i2c import I2cBus
from wattest.emulator.ina228 import Ina228

SECOND = 1_000_000_000


class SteadyLoad:
    """288 W at 48 V."""

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        return 288_000_000

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        return 48_000_000


class Bench:
    """One board, a sensor at 0x40 on pins 22 and 21, and everything it printed."""

    def __init__(
        self, *, flash=None, seed=1, heap_bytes=128 * 1024, world=None, ppm=0, chip="esp32"
    ) -> None:
        self.chip = Ina228(SteadyLoad(), shunt_uohm=16_200)
        self.bus = I2cBus({0x40: self.chip})
        self.board = EmulatedBoard(
            load_engine(),
            flash=flash or NorFlash(4 << 20),
            wiring=BoardWiring(heap_bytes=heap_bytes, chip=chip),
            buses=[I2cWiring(bus=self.bus, scl=22, sda=21)],
            seed=seed,
            crystal_ppm=ppm,
            world=world,
        )
        self.world = self.board.world
        self.output = bytearray()
        self.times: list[tuple[int, bytes]] = []
        self.board.on_output(self._keep)

    def _keep(self, t_ns: int, data: bytes) -> None:
        self.output += data
        self.times.append((t_ns, data))

    def start(self, main: str = "", boot: str | None = None, seconds: float = 1) -> str:
        """Install the scripts, switch on, run; returns what the programs printed."""
        files = {"main.py": main.encode()}
        if boot is not None:
            files["boot.py"] = boot.encode()
        self.board.install(files)
        self.output.clear()
        self.board.power_on()
        return self._run(seconds)

    def run(self, seconds: float = 1) -> str:
        """Let time pass; returns what was printed meanwhile, LF only."""
        self.output.clear()
        return self._run(seconds)

    def _run(self, seconds: float) -> str:
        self.world.run_until(self.world.now_ns + int(seconds * SECOND))
        return self.output.decode("utf-8", "replace").replace("\r\n", "\n")

    def type(self, text: str | bytes, seconds: float = 1) -> str:
        """Type at the console and run."""
        self.board.feed(text if isinstance(text, bytes) else text.encode())
        return self.run(seconds)

    def printed(self, main: str, seconds: float = 5) -> list[str]:
        """Run a program on a fresh board; returns its lines, without loader and banner."""
        shown = self.start(main, seconds=seconds)
        body = re.split(r"FLASH_BOOT\)\n", shown)[-1]
        return body.split("MicroPython v")[0].splitlines()

    def close(self) -> None:
        self.board.close()
