"""The host's end of the link, made of other people's codecs: cobs, cbor2, hmac, cryptography."""

import base64
import hmac
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cobs import cobs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

RECORD, HELLO, REPLY, TAKEN, SHOWN = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One record, decoded and verified."""

    position: int
    data: bytes
    claims: dict[int, Any]

    @property
    def body(self) -> dict[int, Any]:
        return self.claims[-65537]

    @property
    def seq(self) -> int:
        return self.body[1]

    @property
    def ctx(self) -> int:
        return self.body[2]

    @property
    def event(self) -> dict[int, Any]:
        return self.body.get(17, {})

    @property
    def mantissas(self) -> list[int]:
        return [register[1] for register in self.body[6]]

    @property
    def digest(self) -> bytes:
        return sha256(self.data).digest()


def verify(data: bytes, public: bytes) -> dict[int, Any]:
    """Claims of a record whose signature holds; raises otherwise."""
    tag = cbor2.loads(data)
    assert tag.tag == 18
    protected, unprotected, payload, signature = tag.value
    assert unprotected == {}
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    der = utils.encode_dss_signature(
        int.from_bytes(signature[:32], "big"),
        int.from_bytes(signature[32:], "big"),
    )
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    point.verify(der, signed, ec.ECDSA(hashes.SHA256()))
    return cbor2.loads(payload)


def line(kind: int, body: bytes) -> bytes:
    """A printable line from the host."""
    covered = bytes([kind]) + body
    crc = zlib.crc32(covered).to_bytes(4, "little")
    return b"~" + base64.b64encode(covered + crc) + b"\n"


def hello_line() -> bytes:
    return line(0x10, b"")


def ack_line(key: bytes, position: int, digest: bytes) -> bytes:
    body = position.to_bytes(4, "big") + digest[:8]
    return line(0x11, body + hmac.digest(key, b"\x11" + body, "sha256")[:8])


def command_line(key: bytes, counter: int, op: int, *arguments: Any) -> bytes:
    body = cbor2.dumps({1: counter, 2: op, **dict(enumerate(arguments, start=3))})
    return line(0x12, body + hmac.digest(key, b"\x12" + body, "sha256")[:16])


def split_frames(stream: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Valid frames (kind, body) and everything else as text."""
    frames = []
    text = bytearray()
    parts = stream.split(b"\x00")
    for index, part in enumerate(parts):
        try:
            plain = cobs.decode(part)
        except cobs.DecodeError:
            plain = b""
        if (
            0 < index < len(parts) - 1
            and len(plain) > 4
            and zlib.crc32(plain[:-4]) == int.from_bytes(plain[-4:], "little")
        ):
            frames.append((plain[0], plain[1:-4]))
        else:
            text += part
    return frames, bytes(text)


@dataclass(slots=True)
class HostSide:
    """Takes what a node sends; acknowledges if it is told to."""

    command_key: bytes
    stream: bytearray = field(default_factory=bytearray)
    text: bytearray = field(default_factory=bytearray)
    records: list[Decoded] = field(default_factory=list)
    hellos: list[dict[int, Any]] = field(default_factory=list)
    replies: list[dict[int, Any]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    shown: list[Decoded] = field(default_factory=list)
    counter: int = 0

    def receive(self, data: bytes) -> list[Decoded]:
        """Records in this piece of the stream, new or not."""
        self.stream += data
        end = self.stream.rfind(b"\x00")
        if end < 0 or (self.stream.count(b"\x00") % 2):
            return []
        piece, rest = bytes(self.stream[: end + 1]), self.stream[end + 1 :]
        self.stream = bytearray(rest)
        frames, text = split_frames(piece)
        self.text += text
        found = []
        for kind, body in frames:
            if kind == HELLO:
                self.hellos.append(cbor2.loads(body))
            elif kind == REPLY:
                self.replies.append(cbor2.loads(body))
            elif kind == TAKEN:
                self.taken.append(int.from_bytes(body, "big"))
            elif kind == RECORD:
                found.append(self._decode(body))
            elif kind == SHOWN:
                self.shown.append(self._decode(bytes(4) + body))
        self.records += found
        return found

    def acknowledge(self, record: Decoded) -> bytes:
        return ack_line(self.command_key, record.position, record.digest)

    def command(self, op: int, *arguments: Any) -> bytes:
        self.counter += 1
        return command_line(self.command_key, self.counter, op, *arguments)

    def unique_records(self) -> list[Decoded]:
        """Each record once, in order of identity's first arrival."""
        seen: dict[bytes, Decoded] = {}
        for record in self.records:
            seen.setdefault(record.data, record)
        return list(seen.values())

    def _decode(self, body: bytes) -> Decoded:
        data = body[4:]
        claims = verify(data, self.hellos[-1][8])
        return Decoded(position=int.from_bytes(body[:4], "big"), data=data, claims=claims)
