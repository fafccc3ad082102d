"""What tests/vectors/records.json is made of: a chain of records of one key.

Run as a program it writes the file anew; a test compares the file with what this module makes.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from oracle import key_id, public_key, registers, sign_record

VECTORS = Path(__file__).parent.parent / "vectors" / "records.json"
PRIVATE = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
CFG = sha256(b"vector configuration").digest()[:16]
SEED_1 = bytes.fromhex("0102030405060708")
NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC

Step = tuple[str, dict[int, Any], dict[str, Any]]


def _steps() -> list[Step]:
    """Name, extra claims, body without seq, evt, prev and cfg of each record, in order."""
    return _first_steps() + _later_steps()


def _first_steps() -> list[Step]:
    first = {"ctx": 2, "mono": 412, "registers": registers(0, 0, 0, 0)}
    boot_claims = {
        256: bytes.fromhex("02240ac4123456"),
        261: 0,
        263: 0,
        270: "wattest-node",
        271: ["0.1.0"],
    }
    meter = registers(1_234_567, 89, 3_600, 48_000)
    return [
        ("key event, first record of the key", {}, {**first, "event": {1: 9, 2: 0}}),
        (
            "boot event after power on",
            boot_claims,
            {**first, "event": {1: 1, 2: 1, 3: 0, 4: 0, 5: 0}},
        ),
        ("fiscal reading, clock never set", {}, {"ctx": 0, "mono": 60_000, "registers": meter}),
        (
            "time set for the first time",
            {},
            {
                "ctx": 2, "time": NOON_MS - 17, "tsync": 2, "mono": 61_003, "registers": meter,
                "event": {1: 2, 3: NOON_MS - 17, 4: 2},
            },
        ),
    ]  # fmt: skip


def _later_steps() -> list[Step]:
    export = registers(1_234_567, 4_294_967_296_000, 86_400, -150_250)
    user = [True, "NONE", [], "CENTRAL", "session-0001"]
    return [
        (
            "fiscal reading on the grid",
            {},
            {"ctx": 0, "time": NOON_MS, "tsync": 2, "mono": 61_020, "registers": export},
        ),
        (
            "transaction begins",
            {},
            {
                "ctx": 1, "time": NOON_MS + 500, "tsync": 2, "mono": 61_520,
                "registers": export, "tx": "B", "user": user,
            },
        ),
        (
            "fiscal reading with a sensor that did not answer",
            {},
            {
                "ctx": 0, "time": NOON_MS + 60_000, "tsync": 1, "mono": 121_020,
                "registers": export, "status": "D", "err": "Et",
            },
        ),
        (
            "transaction ends",
            {},
            {
                "ctx": 1, "time": NOON_MS + 90_500, "tsync": 1, "mono": 151_520,
                "registers": export, "tx": "E", "user": user,
            },
        ),
        (
            "identify event answers a nonce",
            {10: bytes(range(16))},
            {
                "ctx": 2, "time": NOON_MS + 91_000, "tsync": 1, "mono": 152_020,
                "registers": export, "event": {1: 7},
            },
        ),
        (
            "fiscal reading from injected input",
            {},
            {
                "ctx": 0, "time": NOON_MS + 120_000, "tsync": 1, "mono": 181_020,
                "registers": export, "input": 1,
            },
        ),
    ]  # fmt: skip


def _body(step: dict[str, Any], seq: int, evt: int, prev: bytes) -> dict[int, Any]:
    keyed = {
        1: seq,
        2: step["ctx"],
        3: step.get("time"),
        4: step.get("tsync", 0),
        5: step["mono"],
        6: step["registers"],
        7: step.get("status", "G"),
        8: step.get("err"),
        9: step.get("tx"),
        10: evt,
        11: prev,
        12: CFG,
        13: 1,
        15: step.get("user"),
        16: step.get("input", 0),
        17: step.get("event"),
    }
    return {key: value for key, value in keyed.items() if value is not None}


def build() -> dict[str, Any]:
    """The whole file as a JSON value; bytes are hex."""
    seqs = [0, 0, 0]
    prev = bytes(32)
    records = []
    for position, (name, extra, step) in enumerate(_steps()):
        seqs[step["ctx"]] += 1
        body = _body(step, seqs[step["ctx"]], seqs[2], prev)
        claims = {2: "VECTOR-0001", **extra, 267: 1, 268: SEED_1, -65537: body}
        claims = dict(sorted(claims.items(), key=lambda item: (item[0] < 0, item[0])))
        encoded = sign_record(PRIVATE, claims)
        prev = sha256(encoded).digest()
        records.append(
            {
                "name": name,
                "position": position,
                "seq": seqs[step["ctx"]],
                "ctx": step["ctx"],
                "record": encoded.hex(),
                "sha256": prev.hex(),
            },
        )
    public = public_key(PRIVATE)
    return {
        "source": "made by cbor2 and ecdsa from tests/firmware/vector_records.py;"
        " the key is that of RFC 6979 A.2.5",
        "private": PRIVATE.hex(),
        "public": public.hex(),
        "kid": key_id(public).hex(),
        "serial": "VECTOR-0001",
        "cfg": CFG.hex(),
        "bootseed": SEED_1.hex(),
        "records": records,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text())
