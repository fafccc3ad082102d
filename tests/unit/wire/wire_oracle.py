"""Records and envelopes by other people's code: cbor2 writes, ecdsa signs."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
from ecdsa import NIST256p, SigningKey

BODY = -65537
TYPE = "application/vnd.wattest.record+cwt"
KEY = SigningKey.from_string(sha256(b"wire oracle").digest(), curve=NIST256p, hashfunc=sha256)
PUBLIC = KEY.verifying_key.to_string()
SPKI = KEY.verifying_key.to_der()
KID = sha256(SPKI).digest()[:8]
CFG = bytes(range(16))
STANDARD = (
    ("0100010800ff", -3, 30),
    ("0100020800ff", -3, 30),
    ("0000600800ff", 0, 7),
    ("0100100700ff", -3, 27),
)


@cache
def vectors() -> dict[str, Any]:
    """The vectors that node and host share."""
    path = Path(__file__).parents[2] / "vectors" / "records.json"
    return json.loads(path.read_text(encoding="utf-8"))


def registers(*mantissas: int) -> list[list[Any]]:
    """The four standard registers."""
    return [
        [bytes.fromhex(obis), mantissa, scale, unit]
        for (obis, scale, unit), mantissa in zip(STANDARD, mantissas, strict=True)
    ]


def reading(**changes: Any) -> dict[int, Any]:
    """Claims of a reading; ``body`` and ``claims`` change it, None removes a key."""
    body = {
        1: 7,
        2: 0,
        3: 1_767_268_800_000,
        4: 2,
        5: 60_000,
        6: registers(123_456, 89, 60, -48_000),
        7: "G",
        10: 3,
        11: bytes(range(32)),
        12: CFG,
        16: 0,
        **changes.get("body", {}),
    }
    body = {key: value for key, value in body.items() if value is not None}
    claims = {2: "WIRE-0001", 267: 1, 268: bytes(8), BODY: body, **changes.get("claims", {})}
    return {key: value for key, value in claims.items() if value is not None}


def event(fields: Any, **changes: Any) -> dict[int, Any]:
    """Claims of an event."""
    body = {1: 3, 2: 2, 17: fields, **changes.get("body", {})}
    return reading(body=body, claims=changes.get("claims", {}))


def ordered(value: Any) -> Any:
    """Put map keys in bytewise order of their encodings, as RFC 8949 section 4.2.1 has it."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}
    if isinstance(value, list):
        return [ordered(item) for item in value]
    return value


def seal(claims: Any, *, protected: Any = None, payload: bytes | None = None) -> bytes:
    """Sign claims, or a payload already encoded."""
    header = ordered({1: -7, 4: KID, 16: TYPE} if protected is None else protected)
    head = header if isinstance(header, bytes) else cbor2.dumps(header)
    body = cbor2.dumps(ordered(claims)) if payload is None else payload
    signature = KEY.sign_deterministic(cbor2.dumps(["Signature1", head, b"", body]))
    return cbor2.dumps(cbor2.CBORTag(18, [head, {}, body, signature]))


def unsigned(claims: Any) -> bytes:
    """Wrap claims with a signature of zeros: quick, for tests that stop before it is looked at."""
    head = cbor2.dumps({1: -7, 4: KID, 16: TYPE})
    return cbor2.dumps(cbor2.CBORTag(18, [head, {}, cbor2.dumps(ordered(claims)), bytes(64)]))
