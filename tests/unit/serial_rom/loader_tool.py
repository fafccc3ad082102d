"""A flashing tool in memory: speaks the serial protocol to a loader and keeps its answers.

Written from the protocol's documentation, apart from the loader's own code: the two meet only on
the wire.
"""

from __future__ import annotations

import hashlib
import struct
import zlib

from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom import Leave, LoaderFaults, SerialRom

MAC = bytes.fromhex("240ac4123456")
STUB = bytes(1000) + b"OHAI" + bytes(500)
STUB_BLOCK, ROM_BLOCK = 0x4000, 0x400


def frame(payload: bytes) -> bytes:
    return b"\xc0" + payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def unframe(stream: bytes) -> list[bytes]:
    """Split a stream of frames; anything between two frames fails the test."""
    frames = []
    while stream:
        assert stream[0] == 0xC0, stream[:20]
        end = stream.index(b"\xc0", 1)
        body = stream[1:end]
        frames.append(body.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))
        stream = stream[end + 1 :]
    return frames


def checksum(data: bytes) -> int:
    value = 0xEF
    for byte in data:
        value ^= byte
    return value


class RefusedError(Exception):
    """The loader answered with an error: the two status bytes."""


class NoAnswerError(Exception):
    """The loader said nothing."""


class Tool:
    """A tool on the wire of a board that is in download mode."""

    def __init__(
        self,
        chip: str = "esp32",
        flash: NorFlash | None = None,
        faults: LoaderFaults | None = None,
    ) -> None:
        self.flash = flash or NorFlash(4 << 20)
        self.left: list[Leave] = []
        self._heard = bytearray()
        self.in_stub = False
        self.rom = SerialRom(
            chip,
            self.flash,
            mac=MAC,
            out=self._heard.extend,
            on_leave=self.left.append,
            faults=faults,
        )

    def send(self, data: bytes) -> list[bytes]:
        """Send raw bytes; return the frames that came back."""
        self._heard.clear()
        self.rom.feed(data)
        return unframe(bytes(self._heard))

    def ask(self, command: int, data: bytes = b"", *, check: int = 0) -> list[bytes]:
        """Send a command; return the frames that came back."""
        return self.send(frame(struct.pack("<BBHI", 0, command, len(data), check) + data))

    def command(self, command: int, data: bytes = b"", *, check: int = 0) -> tuple[int, bytes]:
        """Send a command that must be obeyed; return value and data of its first answer."""
        answers = self.ask(command, data, check=check)
        if not answers:
            raise NoAnswerError(hex(command))
        direction, echoed, length, value = struct.unpack_from("<BBHI", answers[0])
        body = answers[0][8:]
        assert (direction, length) == (1, len(body))
        status = 2 if self.in_stub else 4
        if body[-status] != 0 or (len(body) == status and body[0] != 0):
            raise RefusedError(body[-status:][:2].hex())
        assert echoed == command
        return value, body[:-status]

    def run_stub(self, entry: int = 0x4009F5AC) -> bytes:
        """Upload something with the stub's greeting in it; return what it says first."""
        self.command(0x05, struct.pack("<IIII", len(STUB), 1, 0x1800, 0x40090000))
        self.command(0x07, struct.pack("<IIII", len(STUB), 0, 0, 0) + STUB, check=checksum(STUB))
        answers = self.ask(0x06, struct.pack("<II", 0, entry))
        self.in_stub = True
        return answers[1]

    def write(self, offset: int, data: bytes, *, compressed: bool = True) -> None:
        """Write an image as the vendor's tool does, and compare its MD5."""
        block = STUB_BLOCK if self.in_stub else ROM_BLOCK
        stream = zlib.compress(data, 9) if compressed else data
        blocks = -(-len(stream) // block)
        begin, more = (0x10, 0x11) if compressed else (0x02, 0x03)
        size = len(data) if self.in_stub else -(-len(data) // block) * block
        self.command(begin, struct.pack("<IIII", size, blocks, block, offset))
        for index in range(blocks):
            piece = stream[index * block : (index + 1) * block]
            if not compressed:
                piece = piece.ljust(block, b"\xff")
            head = struct.pack("<IIII", len(piece), index, 0, 0)
            self.command(more, head + piece, check=checksum(piece))
        assert self.md5(offset, len(data)) == hashlib.md5(data).hexdigest()

    def md5(self, offset: int, size: int) -> str:
        _, digest = self.command(0x13, struct.pack("<IIII", offset, size, 0, 0))
        return digest.hex() if self.in_stub else digest.decode()

    def read(self, offset: int, size: int, *, window: int = 64) -> bytes:
        """Read through the stub, acknowledging each block."""
        frames = self.ask(0xD2, struct.pack("<IIII", offset, size, 0x1000, window))[1:]
        data = b""
        while len(data) < size:
            data += frames.pop(0)
            frames += self.send(frame(struct.pack("<I", len(data))))
        assert frames == [hashlib.md5(data).digest()]
        return data

    def read_register(self, address: int) -> int:
        return self.command(0x0A, struct.pack("<I", address))[0]

    def write_register(self, address: int, value: int, mask: int = 0xFFFFFFFF) -> None:
        self.command(0x09, struct.pack("<IIII", address, value, mask, 0))
