"""Frames from the node and lines to it (docs/formats.md sections 2 and 3).

    node to host     00  COBS( kind | body | CRC-32 of kind and body, little-endian )  00
    host to node     "~" base64( kind | body | CRC-32, little-endian ) LF

Frames travel among ordinary console text, which never holds 00. The scanner gives every byte back
exactly once: inside a frame, as text, or as a fault with its bytes. CRC-32 finds accidents, not
attackers: what counts is under a signature or a MAC inside the body.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Final

from wattest.errors import FrameError

FRAME_BYTES_MAX: Final = 1200
LINE_BYTES_MAX: Final = 200
_CRC_BYTES = 4
_COBS_RUN = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame whose check sum holds.

    Args:
        kind: 0 to 255; see `wattest.wire.message.FrameKind`.
        body: without kind and check sum.
        offset: stream offset of the zero that opened it.
    """

    kind: int
    body: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Console text; ``offset`` is the stream offset of its first byte."""

    data: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFault:
    """A run between zeros that is no frame, given back with the rule it broke.

    Args:
        data: the run without its zeros; perhaps console text with a stray zero.
        offset: stream offset of the zero that opened it.
        rule: ``cobs``, ``short``, ``crc``, ``long`` or ``unfinished``.
    """

    data: bytes
    offset: int
    rule: str


def cobs_encode(data: bytes) -> bytes:
    """Encode so that no byte is zero (Cheshire and Baker, consistent overhead byte stuffing)."""
    out = bytearray()
    for run in data.split(b"\0"):
        begin = 0
        while len(run) - begin >= _COBS_RUN:
            out.append(_COBS_RUN + 1)
            out += run[begin : begin + _COBS_RUN]
            begin += _COBS_RUN
        out.append(len(run) - begin + 1)
        out += run[begin:]
    if run and begin == len(
        run
    ):  # a full block at the very end stands for no zero: nothing follows it
        out.pop()
    return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    """Undo `cobs_encode`.

    Raises:
        FrameError: rule ``cobs``: a zero inside, or a code that points past the end.
    """
    if 0 in data:
        raise FrameError("cobs", data.index(0), "zero inside")
    out = bytearray()
    pos = 0
    end = len(data)
    while pos < end:
        code = data[pos]
        stop = pos + code
        if stop > end:
            raise FrameError("cobs", pos, f"code {code} with {end - pos - 1} bytes left")
        out += data[pos + 1 : stop]
        pos = stop
        if code <= _COBS_RUN and pos < end:
            out.append(0)
    return bytes(out)


def _with_crc(kind: int, body: bytes) -> bytes:
    content = bytes((kind,)) + body
    return content + zlib.crc32(content).to_bytes(_CRC_BYTES, "little")


def _checked(content: bytes) -> tuple[int, bytes]:
    """Split kind and body from bytes that end in their CRC."""
    if len(content) < 1 + _CRC_BYTES:
        raise FrameError("short", 0, f"{len(content)} bytes, at least {1 + _CRC_BYTES}")
    body = content[:-_CRC_BYTES]
    expected = zlib.crc32(body)
    got = int.from_bytes(content[-_CRC_BYTES:], "little")
    if got != expected:
        raise FrameError("crc", len(body), f"expected {expected:08x}, got {got:08x}")
    return body[0], body[1:]


def encode_frame(kind: int, body: bytes) -> bytes:
    """Encode a frame with both of its zeros.

    Raises:
        ValueError: more than 1,200 bytes.
    """
    run = cobs_encode(_with_crc(kind, body))
    if len(run) + 2 > FRAME_BYTES_MAX:
        raise ValueError(f"frame: {len(run) + 2} bytes, at most {FRAME_BYTES_MAX}")
    return b"\0" + run + b"\0"


def decode_run(run: bytes) -> tuple[int, bytes]:
    """Decode what stands between two zeros into kind and body.

    Raises:
        FrameError: rule ``cobs``, ``short``, ``crc`` or ``long``.
    """
    if len(run) + 2 > FRAME_BYTES_MAX:
        raise FrameError("long", FRAME_BYTES_MAX, f"{len(run) + 2} bytes")
    return _checked(cobs_decode(run))


def encode_line(kind: int, body: bytes) -> bytes:
    """Encode a line for the node, with its LF.

    Raises:
        ValueError: more than 200 bytes.
    """
    line = b"~" + base64.b64encode(_with_crc(kind, body)) + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"line: {len(line)} bytes, at most {LINE_BYTES_MAX}")
    return line


def parse_line(line: bytes) -> tuple[int, bytes]:
    """Decode one line, with or without its LF.

    Raises:
        FrameError: rule ``long``, ``mark``, ``base64``, ``short`` or ``crc``.
    """
    if len(line) > LINE_BYTES_MAX:
        raise FrameError("long", LINE_BYTES_MAX, f"{len(line)} bytes")
    if line[:1] != b"~":
        raise FrameError("mark", 0, "expected ~")
    text = line[1:].removesuffix(b"\n")
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise FrameError("base64", 1, str(exc).lower()) from None
    if base64.b64encode(content) != text:
        raise FrameError("base64", 1, "padding bits are not zero")
    return _checked(content)


class FrameScanner:
    """Split a byte stream into text and frames; linear in the input, at most one frame held back.

    A run between two zeros that is no frame is given back, and its second zero may open the next
    frame.
    """

    def __init__(self) -> None:
        self._run: bytearray | None = None  # None: outside of zeros, bytes are text
        self._run_offset = 0
        self._offset = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes received that are neither given back nor part of a finished frame."""
        return 0 if self._run is None else len(self._run)

    def feed(self, data: bytes) -> list[Frame | Text | FrameFault]:
        """Take the next bytes of the stream, in chunks of any size."""
        found: list[Frame | Text | FrameFault] = []
        pieces = bytes(data).split(b"\0")
        self._extend(pieces[0], found)
        for piece in pieces[1:]:
            self._zero(found)
            self._extend(piece, found)
        return found

    def flush(self) -> list[Frame | Text | FrameFault]:
        """Give back an unfinished run: the line fell silent in the middle of it."""
        found: list[Frame | Text | FrameFault] = []
        if self._run:
            self._give_back("unfinished", found)
        self._run = None
        return found

    def _extend(self, piece: bytes, found: list[Frame | Text | FrameFault]) -> None:
        if not piece:
            return
        if self._run is None:
            found.append(Text(data=piece, offset=self._offset))
        else:
            room = FRAME_BYTES_MAX - 2 - len(self._run)
            self._run += piece[:room]
            if len(piece) > room:
                self._give_back("long", found)
                self._run = None
                found.append(Text(data=piece[room:], offset=self._offset + room))
        self._offset += len(piece)

    def _zero(self, found: list[Frame | Text | FrameFault]) -> None:
        if self._run:
            try:
                kind, body = decode_run(bytes(self._run))
            except FrameError as exc:
                self._give_back(exc.rule, found)
            else:
                found.append(Frame(kind=kind, body=body, offset=self._run_offset))
                self._run = None
                self._offset += 1
                return
        self._run = bytearray()
        self._run_offset = self._offset
        self._offset += 1

    def _give_back(self, rule: str, found: list[Frame | Text | FrameFault]) -> None:
        run = bytes(self._run or b"")
        found.append(FrameFault(data=run, offset=self._run_offset, rule=rule))
