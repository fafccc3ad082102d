"""A program named qemu-system-xtensa that is the project's own emulator.

It takes the options that `board up --board esp32-qemu` gives to QEMU, and embodies a board from
the same files: it boots the flash file as an ESP32's boot ROM does, has the MAC of the fuse file,
no sensor, and its console on the same TCP port. So the way from an image to audited readings runs
without QEMU; what it says of an interpreter for Xtensa is nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wattest.boards import load_board
from wattest.emulator.board import BoardWiring, EmulatedBoard, I2cWiring
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash
from wattest.emulator.fronts import SocketFront, serve
from wattest.emulator.i2c import I2cBus
from wattest.operations.standing.kept_flash import KeptFlash

BOARD = load_board("esp32-qemu")


def install(folder: Path) -> None:
    """Put the program into a folder that a test puts on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "qemu-system-xtensa"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path.insert(0, {os.fspath(Path(__file__).parent)!r})\n"
        "if sys.argv[1:] == ['-machine', 'help']:\n"
        "    print('Supported machines are:\\nesp32   not QEMU, but its twin')\n"
        "    sys.exit(0)\n"
        "import qemu_twin\n"
        "qemu_twin.run(sys.argv[1:])\n"
    )
    program.chmod(0o755)


def run(arguments: list[str]) -> None:
    """Be the board until a signal ends this program, as a power cut does."""
    flash_path = _file(arguments, ",if=mtd,format=raw")
    fuses = _file(arguments, ",if=none,format=raw,id=efuse").read_bytes()
    host, _, port = arguments[arguments.index("-serial") + 1].split(",")[0].rpartition(":")
    flash = NorFlash(BOARD.flash.size_bytes)
    kept = KeptFlash(flash_path, flash)
    board = EmulatedBoard(
        load_engine(),
        flash=flash,
        wiring=BoardWiring(heap_bytes=BOARD.memory.heap_bytes, needs_application=True),
        buses=[I2cWiring(bus=I2cBus({}), scl=BOARD.i2c.scl_pin, sda=BOARD.i2c.sda_pin)],
        unique_id=bytes([fuses[9], fuses[8], *fuses[7:3:-1]]),
        seed=int.from_bytes(os.urandom(6)),
    )
    board.on_output(lambda _t_ns, _data: kept.sync())
    front = SocketFront(board, host=host.removeprefix("tcp:"), port=int(port))
    board.power_on()
    serve(board.world, [front])


def _file(arguments: list[str], tail: str) -> Path:
    drive = next(each for each in arguments if each.startswith("file=") and each.endswith(tail))
    return Path(drive.removeprefix("file=").removesuffix(tail).replace(",,", ","))
