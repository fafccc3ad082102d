"""A node for the verifier's tests: seals a chain of records with other people's code."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wattest.wire import Enrolment, EnrolmentKind

BODY = -65537
START_MS = 1_767_268_800_000
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CODES = ("0100010800ff", "0100020800ff", "0000600800ff", "0100100700ff")
SHAPES = ((-3, 30), (-3, 30), (0, 7), (-3, 27))


@dataclass
class Node:
    """What a node remembers; every `seal` moves it on."""

    secret: int = 7
    serial: str = "CHAIN-0001"
    cfg: bytes = bytes(range(16))
    seqs: list[int] = field(default_factory=lambda: [0, 0, 0])
    prev: bytes = bytes(32)
    mono_ms: int = 0
    offset_ms: int | None = START_MS
    bootcount: int = 1
    bootseed: bytes = b"bootseed"
    registers: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        self.key = ec.derive_private_key(self.secret, ec.SECP256R1())
        self.spki = self.key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = sha256(self.spki).digest()[:8]

    def enrolment(self, **changes: Any) -> Enrolment:
        """The enrolment that fits; ``changes`` make it not fit."""
        values = {
            "kid": self.kid,
            "spki": self.spki,
            "serial": self.serial,
            "kind": EnrolmentKind.BENCH,
            "board": "bench",
            "cfg": self.cfg,
            "demo": True,
            "power_max_milliwatts": 1_000_000,
            "enrolled_ms": START_MS,
            "asset": "test",
            **changes,
        }
        return Enrolment(**values)

    def clone(self, **changes: Any) -> Node:
        """A board with a copy of this node's flash."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Node(**{**values, "seqs": list(self.seqs), **changes})

    def sign(self, protected: bytes, payload: bytes) -> bytes:
        """r and s, 64 bytes."""
        message = cbor2.dumps(["Signature1", protected, b"", payload])
        der = self.key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32) + s.to_bytes(32)

    def seal(self, ctx: int = 0, after_ms: int = 60_000, **changes: Any) -> bytes:
        """Seal the next record; ``body`` and ``claims`` override what it would say."""
        self.mono_ms += after_ms
        self.seqs[ctx] += 1
        mantissas = changes.get("registers", self.registers)
        self.registers = tuple(mantissas)
        shaped = zip(CODES, mantissas, SHAPES, strict=True)
        body: dict[int, Any] = {
            1: self.seqs[ctx],
            2: ctx,
            3: None if self.offset_ms is None else self.offset_ms + self.mono_ms,
            4: 0 if self.offset_ms is None else 2,
            5: self.mono_ms,
            6: [[bytes.fromhex(code), value, *shape] for code, value, shape in shaped],
            7: "G",
            9: "C" if ctx == 1 else None,
            10: self.seqs[2],
            11: self.prev,
            12: self.cfg,
            16: 0,
            **changes.get("body", {}),
        }
        claims = {
            2: self.serial,
            **changes.get("claims", {}),
            267: self.bootcount,
            268: self.bootseed,
            BODY: {key: body[key] for key in sorted(body) if body[key] is not None},
        }
        data = self.wrap(claims)
        self.prev = sha256(data).digest()
        return data

    def event(self, kind: int, fields: dict[int, int], **changes: Any) -> bytes:
        """Seal an event."""
        body = {17: {1: kind, **fields}, **changes.pop("body", {})}
        return self.seal(2, body=body, **{"after_ms": 10, **changes})

    def first(self) -> bytes:
        """The key event, which is the first record of every key."""
        return self.event(9, {2: 0})

    def boot(self, cause: int = 1, registers_from: int = 2, **changes: Any) -> bytes:
        """Start anew: another bootseed, uptime from zero."""
        self.bootcount += 1
        self.bootseed = sha256(self.bootseed).digest()[:8]
        if self.offset_ms is not None:
            self.offset_ms += self.mono_ms + 5000
        self.mono_ms = 0
        return self.event(1, {2: cause, 3: 5000, 4: registers_from, 5: 0}, **changes)

    def wrap(self, claims: dict[int, Any]) -> bytes:
        """Sign claims as they are."""
        header = {1: -7, 4: self.kid, 16: "application/vnd.wattest.record+cwt"}
        protected, payload = cbor2.dumps(header), cbor2.dumps(claims)
        parts = [protected, {}, payload, self.sign(protected, payload)]
        return cbor2.dumps(cbor2.CBORTag(18, parts))


def other_signature(data: bytes) -> bytes:
    """The same content under the other signature that holds: (r, n - s)."""
    return data[:-32] + (ORDER - int.from_bytes(data[-32:])).to_bytes(32)


def received(data: bytes) -> int:
    """A reception time that is neither stale nor early, whatever the record says."""
    body = cbor2.loads(cbor2.loads(data).value[2])[BODY]
    return body.get(3, START_MS) + 100
