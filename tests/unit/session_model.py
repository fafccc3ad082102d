"""A node written from docs/formats.md alone, with cbor2, cobs, hmac and ecdsa; and a bad cable."""

from __future__ import annotations

import base64
import hmac
import random
import zlib
from collections import deque
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cobs import cobs
from ecdsa import NIST256p, SigningKey

COMMAND_KEY = sha256(b"command key").digest()
RING_BYTES = 260
WINDOW = 8
RETRY_MS = 3000
RETRY_MS_MAX = 60_000


def frame(kind: int, body: bytes) -> bytes:
    content = bytes((kind,)) + body
    return b"\x00" + cobs.encode(content + zlib.crc32(content).to_bytes(4, "little")) + b"\x00"


def mac(content: bytes, size: int) -> bytes:
    return hmac.new(COMMAND_KEY, content, "sha256").digest()[:size]


@dataclass
class ModelNode:
    """What a node does with its journal and its port; `tick` is one turn of its loop."""

    secret: bytes = b"node"
    journal: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    counter: int = 0
    commands: list[dict[int, Any]] = field(default_factory=list)
    overflowed: bool = False
    ring: bytearray = field(default_factory=bytearray)
    line: bytearray = field(default_factory=bytearray)
    out: bytearray = field(default_factory=bytearray)
    next_send: int = 0
    taken: int = 0
    answers: int = 0
    retry_ms: int = RETRY_MS
    retry_at_ms: int = 0
    hung: bool = False

    def __post_init__(self) -> None:
        key = SigningKey.from_string(sha256(self.secret).digest(), curve=NIST256p).verifying_key
        self.public = key.to_string()
        self.kid = sha256(key.to_der()).digest()[:8]

    def seal(self) -> bytes:
        """Append a record; to this model it is any bytes with 64 at the end."""
        number = len(self.journal).to_bytes(4)
        record = number + sha256(self.kid + number).digest() * 4 + bytes(64)
        self.journal.append(record)
        return record

    def restart(self) -> None:
        """Lose what is not in flash, then say hello unasked."""
        self.ring.clear()
        self.line.clear()
        self.out.clear()
        self.hung = False
        self.taken = self.answers = 0
        self.out += b"rst:0x1 (POWERON_RESET)\r\n"
        self.say_hello()
        self.go_back()

    def say_hello(self, answers: int = 0) -> None:
        fields = {
            1: self.kid,
            2: "MODEL-1",
            3: self.acknowledged,
            4: len(self.journal),
            5: self.acknowledged,
            6: self.counter,
            7: 1,
            8: self.public,
            9: answers,
        }
        self.out += frame(2, cbor2.dumps(fields))

    def go_back(self) -> None:
        self.next_send = self.acknowledged

    def hear(self, data: bytes) -> None:
        """Bytes arrive at the port; the ring drops what it cannot hold."""
        room = RING_BYTES - len(self.ring)
        self.overflowed |= len(data) > room
        self.ring += data[:room]

    def tick(self, now_ms: int) -> bytes:
        """Read the port, send what the window allows; return what went out."""
        if self.hung:
            return b""
        if self.ring:
            self.taken += len(self.ring)
            data, self.ring = bytes(self.ring), bytearray()
            for byte in data:
                if byte == 10:
                    self.obey(bytes(self.line), now_ms)
                    self.line.clear()
                elif len(self.line) < 200:
                    self.line.append(byte)
            self.out += frame(4, self.taken.to_bytes(4))
        if self.next_send > self.acknowledged and now_ms >= self.retry_at_ms:
            self.go_back()
            self.retry_at_ms = now_ms + self.retry_ms
            self.retry_ms = min(2 * self.retry_ms, RETRY_MS_MAX)
        while self.next_send < min(len(self.journal), self.acknowledged + WINDOW):
            if self.next_send == self.acknowledged:
                self.retry_at_ms = now_ms + self.retry_ms
            self.out += frame(1, self.next_send.to_bytes(4) + self.journal[self.next_send])
            self.next_send += 1
        out, self.out = bytes(self.out), bytearray()
        return out

    def obey(self, line: bytes, now_ms: int) -> None:
        try:
            content = base64.b64decode(line.removeprefix(b"~"), validate=True)
        except ValueError:
            return
        content, crc = content[:-4], content[-4:]
        if not line.startswith(b"~") or zlib.crc32(content).to_bytes(4, "little") != crc:
            return
        if content[0] == 0x10:
            self.taken = 0
            self.answers += 1
            self.say_hello(self.answers)
            self.go_back()
        elif content[0] == 0x11 and hmac.compare_digest(mac(content[:-8], 8), content[-8:]):
            self.prune(int.from_bytes(content[1:5]), content[5:13], now_ms)
        elif content[0] == 0x12:
            self.command(content)

    def prune(self, position: int, digest: bytes, now_ms: int) -> None:
        if not self.acknowledged <= position < len(self.journal):
            return
        if sha256(self.journal[position]).digest()[:8] == digest:
            self.acknowledged = position + 1
            self.next_send = max(self.next_send, self.acknowledged)
            self.retry_ms = RETRY_MS
            self.retry_at_ms = now_ms + RETRY_MS

    def command(self, content: bytes) -> None:
        fields = cbor2.loads(content[1:-16])
        refusal = 0
        if not hmac.compare_digest(mac(content[:-16], 16), content[-16:]):
            refusal = 1
        elif fields[1] <= self.counter:
            refusal = 2
        else:
            self.counter = fields[1]
            self.commands.append(fields)
            if fields[2] == 6:
                self.next_send = fields[3]
        self.out += frame(3, cbor2.dumps({1: fields[1], 2: refusal}))


@dataclass
class Cable:
    """A serial cable that loses, doubles, damages and reorders; ``worst`` is once in so many."""

    seed: int
    worst: int = 0
    plugged: bool = True
    _late: deque[bytes] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def carry(self, data: bytes) -> bytes:
        """What arrives of ``data`` now."""
        if not self.plugged:
            self._late.clear()
            return b""
        out = bytearray(b"".join(self._late))
        self._late.clear()
        pieces = data.split(b"\x00\x00") if data else []
        for index, piece in enumerate(pieces):
            one = (
                (b"\x00" if index else b"") + piece + (b"\x00" if index + 1 < len(pieces) else b"")
            )
            match self.random.randrange(self.worst) if self.worst else -1:
                case 0:
                    continue
                case 1:
                    out += one + one
                case 2 if one:
                    damaged = bytearray(one)
                    damaged[self.random.randrange(len(one))] ^= 1 << self.random.randrange(8)
                    out += damaged
                case 3:
                    self._late.append(one)
                case _:
                    out += one
        return bytes(out)
