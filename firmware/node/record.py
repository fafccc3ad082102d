"""Writes the claims of a record: docs/formats.md, section 1."""

from micropython import const

from node.cbor import (
    encode_array_head,
    encode_bool,
    encode_bytes,
    encode_int,
    encode_map_head,
    encode_text,
)
from node.chain import EVENT, TRANSACTION

SOFTWARE_NAME = "wattest-node"
SOFTWARE_VERSION = "0.1.0"
CLAIMS_MAX = const(456)
BOOT = const(1)
TIME_SET = const(2)
CONFIG = const(3)
ERROR = const(4)
RELAY = const(5)
REFUSED = const(6)
IDENTIFY = const(7)
INPUT = const(8)
KEY = const(9)
BREAK = const(10)
_BODY = const(-65537)
# Keys every body has: 1, 2, 4, 5, 6, 7, 10, 11, 12, 13, 16.
_REQUIRED = const(11)
_SESSION_SIGNATURE = const(25)
_WH = const(30)
_SECOND = const(7)
_WATT = const(27)
_MILLI = const(-3)
_OBIS_IMPORT = b"\x01\x00\x01\x08\x00\xff"
_OBIS_EXPORT = b"\x01\x00\x02\x08\x00\xff"
_OBIS_USE = b"\x00\x00\x60\x08\x00\xff"
_OBIS_POWER = b"\x01\x00\x10\x07\x00\xff"


class Reading:
    """What one record says; filled by the recorder just before it is encoded.

    Times are those of the register latch, milliseconds; `event` is a tuple of the values for keys
    1, 2, 3 of an event, None for a key that is absent; `ocmf` is the signature of the session that
    the record ends.
    """

    def __init__(self) -> None:
        self.ctx = 0
        self.time_ms: int | None = None
        self.tsync = 0
        self.mono_ms = 0
        self.import_milliwh = 0
        self.export_milliwh = 0
        self.use_s = 0
        self.power_milliw = 0
        self.status = "G"
        self.err = ""
        self.tx = ""
        self.input = 0
        self.event: tuple = ()
        self.nonce = b""
        self.ocmf = b""


class ClaimsWriter:
    """Encodes claims into its own buffer.

    The attributes are what is the same in every record of one boot; the caller fills them in.

    Attributes:
        serial: 1..32 printable ASCII characters.
        ueid: 7..33 bytes.
        cfg: 16 bytes, digest of the node's files.
        bootseed: 8 random bytes.
        current_kind: 0 AC, 1 DC.
    """

    def __init__(self) -> None:
        self._buf = bytearray(CLAIMS_MAX)
        self.serial = ""
        self.ueid = b""
        self.cfg = b""
        self.bootseed = b""
        self.current_kind = 0

    def write(self, chain, reading: Reading) -> memoryview:
        """The deterministic CBOR of the record after `chain`; valid until the next call."""
        buf = self._buf
        boot = reading.ctx == EVENT and reading.event[0] == BOOT
        nonce = reading.nonce
        end = encode_map_head(buf, 0, 4 + (1 if nonce else 0) + (5 if boot else 0))
        end = encode_int(buf, end, 2)
        end = encode_text(buf, end, self.serial)
        if nonce:
            end = encode_int(buf, end, 10)
            end = encode_bytes(buf, end, nonce)
        if boot:
            end = encode_int(buf, end, 256)
            end = encode_bytes(buf, end, self.ueid)
            end = encode_int(buf, end, 261)
            end = encode_int(buf, end, reading.mono_ms // 1000)
            end = encode_int(buf, end, 263)
            end = encode_int(buf, end, 0)
        end = encode_int(buf, end, 267)
        end = encode_int(buf, end, chain.bootcount)
        end = encode_int(buf, end, 268)
        end = encode_bytes(buf, end, self.bootseed)
        if boot:
            end = encode_int(buf, end, 270)
            end = encode_text(buf, end, SOFTWARE_NAME)
            end = encode_int(buf, end, 271)
            end = encode_array_head(buf, end, 1)
            end = encode_text(buf, end, SOFTWARE_VERSION)
        end = encode_int(buf, end, _BODY)
        end = self._body(end, chain, reading)
        return memoryview(buf)[:end]

    def _body(self, end: int, chain, reading: Reading) -> int:
        buf = self._buf
        ctx = reading.ctx
        user = chain.transaction if ctx == TRANSACTION else None
        size = _REQUIRED
        for present in (
            reading.time_ms is not None,
            reading.err,
            reading.tx,
            user is not None,
            ctx == EVENT,
            reading.ocmf,
        ):
            if present:
                size += 1
        end = encode_map_head(buf, end, size)
        end = _pair(buf, end, 1, chain.seq[ctx] + 1)
        end = _pair(buf, end, 2, ctx)
        if reading.time_ms is not None:
            end = _pair(buf, end, 3, reading.time_ms)
        end = _pair(buf, end, 4, reading.tsync)
        end = _pair(buf, end, 5, reading.mono_ms)
        end = encode_int(buf, end, 6)
        end = _registers(buf, end, reading)
        end = encode_int(buf, end, 7)
        end = encode_text(buf, end, reading.status)
        if reading.err:
            end = encode_int(buf, end, 8)
            end = encode_text(buf, end, reading.err)
        if reading.tx:
            end = encode_int(buf, end, 9)
            end = encode_text(buf, end, reading.tx)
        end = _pair(buf, end, 10, chain.seq[EVENT] + (1 if ctx == EVENT else 0))
        end = encode_int(buf, end, 11)
        end = encode_bytes(buf, end, chain.prev)
        end = encode_int(buf, end, 12)
        end = encode_bytes(buf, end, self.cfg)
        end = _pair(buf, end, 13, self.current_kind)
        if user is not None:
            end = encode_int(buf, end, 15)
            end = _user(buf, end, user)
        end = _pair(buf, end, 16, reading.input)
        if ctx == EVENT:
            end = encode_int(buf, end, 17)
            end = _event(buf, end, reading.event)
        if reading.ocmf:
            end = encode_int(buf, end, _SESSION_SIGNATURE)
            end = encode_bytes(buf, end, reading.ocmf)
        return end


def _pair(buf: bytearray, end: int, key: int, value: int) -> int:
    return encode_int(buf, encode_int(buf, end, key), value)


def _registers(buf: bytearray, end: int, reading: Reading) -> int:
    end = encode_array_head(buf, end, 4)
    end = _register(buf, end, _OBIS_IMPORT, reading.import_milliwh, _MILLI, _WH)
    end = _register(buf, end, _OBIS_EXPORT, reading.export_milliwh, _MILLI, _WH)
    end = _register(buf, end, _OBIS_USE, reading.use_s, 0, _SECOND)
    return _register(buf, end, _OBIS_POWER, reading.power_milliw, _MILLI, _WATT)


def _register(buf: bytearray, end: int, obis: bytes, mantissa: int, scale: int, unit: int) -> int:
    end = encode_array_head(buf, end, 4)
    end = encode_bytes(buf, end, obis)
    end = encode_int(buf, end, mantissa)
    end = encode_int(buf, end, scale)
    return encode_int(buf, end, unit)


def _user(buf: bytearray, end: int, identification: str) -> int:
    """Who the transaction is for: the id came with an authenticated command, nothing more."""
    end = encode_array_head(buf, end, 5)
    end = encode_bool(buf, end, identification != "")
    end = encode_text(buf, end, "NONE")
    end = encode_array_head(buf, end, 0)
    end = encode_text(buf, end, "CENTRAL" if identification else "NONE")
    return encode_text(buf, end, identification)


def _event(buf: bytearray, end: int, event: tuple) -> int:
    end = encode_map_head(buf, end, sum([1 for value in event if value is not None]))
    for index, value in enumerate(event):
        if value is not None:
            end = _pair(buf, end, index + 1, value)
    return end
