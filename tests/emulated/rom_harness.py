"""A board on a port with the vendor's tools beside it, and files for them to write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from port_harness import Served, run_tool, serving

from wattest.boards.esp_image import split_combined
from wattest.boards.esp_synthetic import FIRMWARE_OFFSETS, synthetic_micropython
from wattest.emulator.board import BoardWiring, EmulatedBoard, SerialOptions
from wattest.emulator.engine import load_engine
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash

CHIPS = ["esp32", "esp32s3", "esp32c3"]
MAC = bytes.fromhex("240ac40007a5")
VFS_AT = FlashLayout().vfs_offset
SAYS = "files written by esptool"


def noise(seed: str, size_bytes: int) -> bytes:
    """Return bytes that do not compress."""
    blocks = (hashlib.sha256(f"{seed}{n}".encode()).digest() for n in range(size_bytes // 32 + 1))
    return b"".join(blocks)[:size_bytes]


def file_system(size_bytes: int = 4 << 20) -> bytes:
    """Return a littlefs image of a board's size whose program says who it is."""
    flash = NorFlash(size_bytes)
    partition = FlashLayout().vfs(flash)
    LittleFs.mount(partition, format_if_needed=True).install(
        {"main.py": f"print({SAYS!r})\n".encode(), "noise.bin": noise("file", 20_000)}.items()
    )
    return partition.read(0, partition.size_bytes)


class Rig:
    """A board of a chip and the port it is served on."""

    def __init__(self, board: EmulatedBoard, port: Served, folder: Path) -> None:
        self.board = board
        self.port = port
        self.folder = folder
        self.output = bytearray()
        board.on_output(lambda _t_ns, data: self.output.extend(data))

    @property
    def chip(self) -> str:
        return self.board.wiring.chip

    @property
    def base(self) -> int:
        """Where the bootloader lies."""
        return FIRMWARE_OFFSETS[self.chip]

    def try_tool(self, module: str, *arguments: str) -> tuple[int, str]:
        """Run a tool on the port; return exit code and what it showed."""
        return run_tool(module, "--port", self.port.address, *arguments)

    def esptool(self, *arguments: str) -> str:
        """Run esptool, which must succeed; return what it showed."""
        code, shown = self.try_tool("esptool", *arguments)
        assert code == 0, shown
        return shown

    def fails(self, *arguments: str) -> str:
        """Run esptool, which must fail; return what it showed."""
        code, shown = self.try_tool("esptool", *arguments)
        assert code != 0, shown
        return shown

    def file(self, name: str, data: bytes) -> str:
        """Make a file; return its path."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def micropython(self) -> list[str]:
        """Return offsets and files of a synthetic image, as ``write-flash`` wants them."""
        combined = synthetic_micropython(self.chip)
        arguments = []
        for segment in split_combined(combined, firmware_offset=self.base):
            arguments += [
                f"{segment.offset:#x}",
                self.file(f"{segment.offset:x}.bin", segment.data),
            ]
        return arguments

    def flash(self, offset: int, size_bytes: int) -> bytes:
        """Return what the board's flash chip holds."""
        return self.port.call(lambda: self.board.flash.read(offset, size_bytes))

    def text(self) -> str:
        return self.output.decode("utf-8", "replace").replace("\r\n", "\n")

    def wait_for_text(self, wanted: str) -> None:
        """Wait until the board has said something."""
        self.port.wait_until(lambda: wanted in self.text(), wanted)


@contextmanager
def rig(
    chip: str,
    folder: Path,
    *,
    link: str = "pty",
    options: SerialOptions | None = None,
    needs_application: bool = True,
    flash: NorFlash | None = None,
) -> Iterator[Rig]:
    """Serve a board of that chip, powered on."""
    board = EmulatedBoard(
        load_engine(),
        flash=flash or NorFlash(4 << 20),
        wiring=BoardWiring(
            chip=chip,
            needs_application=needs_application,
            serial=options or SerialOptions(),
        ),
        unique_id=MAC,
    )
    with serving(board, link) as port:
        bench = Rig(board, port, folder)
        port.call(board.power_on)
        try:
            yield bench
        finally:
            port.call(board.close)
