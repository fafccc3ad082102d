"""The serial boot ROM of an ESP32 and the stub esptool loads into it: bytes in, bytes out.

A protocol model, not a processor: an uploaded stub is recognised, not run, and from then on the
loader speaks the stub's dialect. It has no time of its own and starts nothing; how it was left is
told by a callback, after which it takes no more bytes.

Source: esptool documentation, "Serial Protocol" (commands, status bytes, differences of ROM and
stub), and measurement against esptool 5.6.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from enum import Enum, IntEnum, auto

from wattest.boards.esp_image import xor_bytes
from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom import slip
from wattest.emulator.serial_rom.chips import chip_model
from wattest.emulator.serial_rom.download import Download, TooMuchData, Upload
from wattest.emulator.serial_rom.faults import LoaderFaults, LossyWire
from wattest.emulator.serial_rom.flash_access import FlashAccess, OutsideFlash, PowerFailed
from wattest.emulator.serial_rom.registers import Registers, flash_identity

SYNC_FRAME = slip.encode(b"\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + b"\x55" * 32)
"""What a tool sends first: 46 bytes that no application has a use for."""

_HEAD = struct.Struct("<BBHI")  # direction, command, length, checksum or value
_CHECKSUM_START = 0xEF
_ROM_SYNC_VALUE = 0x20120707
_GREETING = b"OHAI"
_SLOW_READ_BYTES = 64
_REPLIES_TO_SYNC = 8
_REFUSALS = 8


class Command(IntEnum):
    """Commands of the ROM; from 0xD0 on of the stub only."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUD = 0x0F
    DEFLATED_BEGIN = 0x10
    DEFLATED_DATA = 0x11
    DEFLATED_END = 0x12
    FLASH_MD5 = 0x13
    SECURITY_INFO = 0x14
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


_DATA_COMMANDS = (Command.FLASH_DATA, Command.MEM_DATA, Command.DEFLATED_DATA)
_STUB_ONLY = range(0xD0, 0xE0)


class Status(Enum):
    """Why a command failed: the two status bytes, from the ROM and from the stub."""

    MALFORMED = (0x0105, 0xC000)
    FAILED = (0x0106, 0xC600)
    CHECKSUM = (0x0107, 0xC100)
    WRITE = (0x0108, 0xC400)
    READ = (0x0109, 0xC400)
    INFLATE = (0x010B, 0xC700)
    TOO_MUCH = (0x010B, 0xC900)
    UNKNOWN = (0x0105, 0xFF00)


class Leave(Enum):
    """How download mode ended."""

    RUN = auto()  # the tool asked for the application
    WATCHDOG = auto()  # the RTC watchdog was armed
    POWER_FAILED = auto()  # the supply went during a flash operation


class Refused(Exception):
    """A command that is answered with an error status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


class SerialRom:
    """One stay in download mode, from a reset to the next.

    Args:
        chip: ``esp32``, ``esp32s3`` or ``esp32c3``.
        flash: the board's own flash chip.
        mac: 6 bytes, the base MAC.
        out: takes what the chip sends.
        on_leave: called once when it ends; no byte is taken afterwards.
        faults: what is wrong on purpose.

    Attributes:
        in_stub: the stub runs, not the ROM.
        kept: the tool ended with ``--after no-reset``: a hang-up is no reset. A new SYNC ends
            that.
        baud: speed the tool asked for; the model has no speed.

    Raises:
        ValueError: there is no model of that chip.
    """

    def __init__(
        self,
        chip: str,
        flash: NorFlash,
        *,
        mac: bytes,
        out: Callable[[bytes], None],
        on_leave: Callable[[Leave], None] = lambda _leave: None,
        faults: LoaderFaults | None = None,
    ) -> None:
        self._faults = faults or LoaderFaults()
        self._model = chip_model(self._faults.chip or chip)
        self._flash = FlashAccess(flash)
        self._out = out
        self._on_leave = on_leave
        flash_id = self._faults.flash_id
        self._registers = Registers(
            self._model,
            mac=mac,
            size_bytes=flash.size_bytes,
            flash_id=flash_identity(flash.size_bytes) if flash_id is None else flash_id,
        )
        self._wire = LossyWire(self._faults.lose_byte_every)
        self._decoder = slip.SlipDecoder()
        self._data_packets = 0
        self._left = False
        self._uploaded = bytearray()
        self._download: Download | None = None
        self._upload: Upload | None = None
        self._commands = self._table()
        self.in_stub = False
        self.kept = False
        self.baud = 115_200

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire; answers go out before it returns."""
        for packet in self._decoder.feed(self._wire.carry(data)):
            if self._left:
                return
            try:
                self._take(packet)
            except PowerFailed:
                self._leave(Leave.POWER_FAILED)

    # ---- packets -----------------------------------------------------------------------------

    def _take(self, packet: bytes) -> None:
        if self._upload is not None and len(packet) == 4:
            self._upload.acknowledge(int.from_bytes(packet, "little"))
            self._send_blocks()
            return
        if len(packet) < _HEAD.size or packet[0] != 0:
            return  # noise
        _, command, length, checksum = _HEAD.unpack_from(packet)
        payload = packet[_HEAD.size :]
        try:
            self._check(command, payload, length, checksum)
            self._serve(command, payload)
        except Refused as refusal:
            self._refuse(command, refusal.status)
        except struct.error:
            self._refuse(command, Status.MALFORMED)
        except OutsideFlash:
            self._refuse(command, Status.WRITE)
        except zlib.error:
            self._refuse(command, Status.INFLATE)
        except TooMuchData:
            self._refuse(command, Status.TOO_MUCH)

    def _check(self, command: int, payload: bytes, length: int, checksum: int) -> None:
        if len(payload) != length:
            raise Refused(Status.MALFORMED)
        if command not in _DATA_COMMANDS:
            return
        self._data_packets += 1
        every = self._faults.wrong_checksum_every
        corrupted = every and self._data_packets % every == 0
        if corrupted or xor_bytes(payload[16:]) ^ _CHECKSUM_START != checksum & 0xFF:
            raise Refused(Status.CHECKSUM)

    def _serve(self, command: int, payload: bytes) -> None:
        serve = self._commands.get(command)
        rom_only = command == Command.READ_FLASH_SLOW
        if serve is None or (rom_only if self.in_stub else command in _STUB_ONLY):
            self._refuse(command, Status.UNKNOWN)
            return
        if command != Command.SYNC:
            self.kept = False
        serve(command, payload)

    def _refuse(self, command: int, status: Status) -> None:
        from_rom, from_stub = status.value
        code = from_stub if self.in_stub else from_rom
        if status is Status.UNKNOWN and not self.in_stub:
            # The ROM answers what it does not know several times and without the command.
            for _ in range(_REFUSALS):
                self._send(0, 0, code.to_bytes(2, "big") + b"\0\0")
            return
        self._send(command, 0, code.to_bytes(2, "big") + (b"" if self.in_stub else b"\0\0"))

    def _reply(self, command: int, *, value: int = 0, data: bytes = b"") -> None:
        self._send(command, value, data + bytes(2 if self.in_stub else 4))

    def _send(self, command: int, value: int, body: bytes) -> None:
        self._out(slip.encode(_HEAD.pack(1, command, len(body), value) + body))

    def _leave(self, how: Leave) -> None:
        self._left = True
        self._on_leave(how)

    # ---- commands ----------------------------------------------------------------------------

    def _table(self) -> dict[int, Callable[[int, bytes], None]]:
        table: dict[int, Callable[[int, bytes], None]] = {
            Command.FLASH_BEGIN: self._begin,
            Command.FLASH_DATA: self._data,
            Command.FLASH_END: self._end,
            Command.MEM_BEGIN: self._memory_begin,
            Command.MEM_END: self._memory_end,
            Command.MEM_DATA: self._memory_data,
            Command.SYNC: self._sync,
            Command.WRITE_REG: self._write_registers,
            Command.READ_REG: self._read_register,
            Command.SPI_SET_PARAMS: self._accept,
            Command.SPI_ATTACH: self._accept,
            Command.READ_FLASH_SLOW: self._read_slowly,
            Command.CHANGE_BAUD: self._change_baud,
            Command.DEFLATED_BEGIN: self._begin,
            Command.DEFLATED_DATA: self._data,
            Command.DEFLATED_END: self._end,
            Command.FLASH_MD5: self._md5,
            Command.ERASE_FLASH: self._erase_chip,
            Command.ERASE_REGION: self._erase_region,
            Command.READ_FLASH: self._read,
            Command.RUN_USER_CODE: self._run_user_code,
        }
        if self._model.has_security_info:
            table[Command.SECURITY_INFO] = self._security_info
        return table

    def _accept(self, command: int, _payload: bytes) -> None:
        self._reply(command)

    def _sync(self, command: int, _payload: bytes) -> None:
        self.kept = False
        for _ in range(_REPLIES_TO_SYNC):
            self._reply(command, value=0 if self.in_stub else _ROM_SYNC_VALUE)

    def _read_register(self, command: int, payload: bytes) -> None:
        (address,) = struct.unpack("<I", payload)
        self._reply(command, value=self._registers.read(address))

    def _write_registers(self, command: int, payload: bytes) -> None:
        for address, value, mask, _delay_us in struct.iter_unpack("<IIII", payload):
            self._registers.write(address, value, mask)
        self._reply(command)
        if self._registers.watchdog_armed:
            self._leave(Leave.WATCHDOG)

    def _security_info(self, command: int, _payload: bytes) -> None:
        self._reply(command, data=struct.pack("<IB7sII", 0, 0, bytes(7), self._model.number, 0))

    def _change_baud(self, command: int, payload: bytes) -> None:
        baud, _old = struct.unpack("<II", payload)
        self._reply(command)
        self.baud = baud

    # ---- memory: how the stub comes in ---------------------------------------------------------

    def _memory_begin(self, command: int, payload: bytes) -> None:
        struct.unpack("<IIII", payload)
        self._reply(command)

    def _memory_data(self, command: int, payload: bytes) -> None:
        length, _sequence = struct.unpack_from("<II", payload)
        self._uploaded += payload[16 : 16 + length]
        self._reply(command)

    def _memory_end(self, command: int, payload: bytes) -> None:
        _stay, entry = struct.unpack("<II", payload)
        self._reply(command)
        uploaded, self._uploaded = self._uploaded, bytearray()
        if not entry:
            return
        if self._model.stub_text in uploaded:
            self.in_stub = True
            self._out(slip.encode(_GREETING))
        else:
            self._left = True  # code of someone's own runs: the chip is silent until a reset

    # ---- flash ---------------------------------------------------------------------------------

    def _begin(self, command: int, payload: bytes) -> None:
        size, _blocks, _block, offset = struct.unpack_from("<IIII", payload)
        self._download = Download(
            self._flash,
            offset=offset,
            size_bytes=size,
            compressed=command == Command.DEFLATED_BEGIN,
            erase_first=not self.in_stub,
        )
        self._reply(command)

    def _data(self, command: int, payload: bytes) -> None:
        if self._download is None:
            raise Refused(Status.FAILED)
        length, _sequence = struct.unpack_from("<II", payload)
        self._download.write(payload[16 : 16 + length])
        self._reply(command)

    def _end(self, command: int, payload: bytes) -> None:
        (stay,) = struct.unpack("<I", payload)
        download, self._download = self._download, None
        if download is not None:
            download.finish()
        self._reply(command)
        if not self.in_stub:
            self._leave(Leave.RUN)
        elif not stay:  # the stub hands over to the ROM: how `--after no-reset` ends
            self.in_stub = False
            self.kept = True

    def _md5(self, command: int, payload: bytes) -> None:
        offset, size = struct.unpack_from("<II", payload)
        digest = self._flash.md5(offset, size)
        self._reply(command, data=digest if self.in_stub else digest.hex().encode())

    def _read_slowly(self, command: int, payload: bytes) -> None:
        offset, length = struct.unpack("<II", payload)
        data = self._flash.read(offset, min(length, _SLOW_READ_BYTES))
        self._reply(command, data=data.ljust(_SLOW_READ_BYTES, b"\0"))

    def _erase_chip(self, command: int, _payload: bytes) -> None:
        self._flash.erase(0, self._flash.size_bytes)
        self._reply(command)

    def _erase_region(self, command: int, payload: bytes) -> None:
        offset, size = struct.unpack("<II", payload)
        self._flash.erase(offset, size)
        self._reply(command)

    def _read(self, command: int, payload: bytes) -> None:
        offset, size, block, window = struct.unpack("<IIII", payload)
        self._flash.read(offset, size)  # refuses a range beyond the chip
        self._upload = Upload(
            self._flash, offset=offset, size_bytes=size, block_bytes=block, window=window
        )
        self._reply(command)
        self._send_blocks()

    def _send_blocks(self) -> None:
        upload = self._upload
        assert upload is not None
        for block in upload.blocks():
            self._out(slip.encode(block))
        if upload.done:
            self._upload = None
            self._out(slip.encode(upload.digest()))

    def _run_user_code(self, _command: int, _payload: bytes) -> None:
        self._leave(Leave.RUN)
