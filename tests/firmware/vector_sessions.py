"""What tests/vectors/ocmf_sessions.json is made of: sessions, their records and OCMF texts.

Run as a program it writes the file anew; a test compares the file with what this module makes.
Texts come from `json`, times from `datetime`, numbers from `decimal`, signatures from ecdsa: none
of it is code of the node or of the host.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from ecdsa.util import sigdecode_string, sigencode_der, sigencode_string
from oracle import key_id, public_key, registers, sign_record, signing_key
from vector_records import CFG, NOON_MS, PRIVATE, SEED_1

VECTORS = Path(__file__).parent.parent / "vectors" / "ocmf_sessions.json"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FULL = {"time": NOON_MS, "tsync": 2, "milliwh": 1_234_567, "tx": "B", "mono": 61_520, "evt": 3}

# Name, serial, user id, seq of the first record, kind of current, the two readings.
Case = tuple[str, str, str, int, int, dict[str, Any], dict[str, Any]]


def _cases() -> list[Case]:
    """Each case is one session."""
    leap = (datetime(2028, 2, 29, 23, 59, 59, 999000, tzinfo=UTC) - EPOCH) // timedelta(
        milliseconds=1
    )
    return [
        ("first session of a key", "VECTOR-0001", "session-0001", 1, 1, FULL,
         {**FULL, "time": NOON_MS + 90_500, "milliwh": 2_400_000, "tx": "E", "mono": 152_020}),
        ("nobody is named, nothing flowed", "VECTOR-0001", "", 3, 0, {**FULL, "milliwh": 0},
         {**FULL, "time": NOON_MS + 1, "milliwh": 0, "tx": "E", "evt": 4}),
        ("texts with everything JSON and OCMF must not see", 'A"B\\C|D', 'x|y"z\\', 41, 1, FULL,
         {**FULL, "time": NOON_MS + 3_600_000, "milliwh": 1_234_570, "tx": "E"}),
        ("power failed, the last reading is no good", "S" * 32, "i" * 20, 999, 1, FULL,
         {**FULL, "time": NOON_MS + 7_200_000, "tsync": 1, "milliwh": 1_234_600, "tx": "P",
          "status": "D", "err": "Et", "evt": 17}),
        ("over the end of a leap day, a long way up the register", "VECTOR-0001", "night", 5, 1,
         {**FULL, "time": leap, "milliwh": (1 << 53) + 1},
         {**FULL, "time": leap + 2, "milliwh": (1 << 53) + 1_000_000, "tx": "E"}),
        ("an odd number before the first session", "VECTOR-0001", "after-a-break", 6, 1,
         {**FULL, "time": NOON_MS + 123}, {**FULL, "time": NOON_MS + 45_678, "tx": "E"}),
        ("the clock was set after it began", "VECTOR-0001", "early", 7, 1,
         {**FULL, "time": None, "tsync": 0}, {**FULL, "time": NOON_MS, "tx": "E"}),
        ("the clock was never set", "VECTOR-0001", "dark", 9, 1,
         {**FULL, "time": None, "tsync": 0}, {**FULL, "time": None, "tsync": 0, "tx": "E"}),
    ]  # fmt: skip


def _claims(case: Case, seq: int, step: dict[str, Any], signature: bytes | None) -> dict[int, Any]:
    _, serial, user, _, current, _, _ = case
    body = {
        1: seq, 2: 1, 3: step["time"], 4: step["tsync"], 5: step["mono"],
        6: registers(step["milliwh"], 0, 60, 1000), 7: step.get("status", "G"),
        8: step.get("err"), 9: step["tx"], 10: step["evt"], 11: sha256(serial.encode()).digest(),
        12: CFG, 13: current,
        15: [user != "", "NONE", [], "CENTRAL" if user else "NONE", user], 16: 0, 25: signature,
    }  # fmt: skip
    body = {key: value for key, value in body.items() if value is not None}
    return {2: serial, 267: 1, 268: SEED_1, -65537: body}


def _reading(step: dict[str, Any], current: int) -> str:
    instant = EPOCH + timedelta(milliseconds=step["time"])
    stamp = instant.strftime("%Y-%m-%dT%H:%M:%S,%f")[:-3]
    fields = {
        "TM": f"{stamp}+0000 {'UISR'[step['tsync']]}",
        "TX": step["tx"],
        "RV": "RV",
        "RI": "01-00:01.08.00*FF",
        "RU": "Wh",
        "RT": "DC" if current else "AC",
        "EF": step.get("err", ""),
        "ST": step.get("status", "G"),
    }
    value = f"{Decimal(step['milliwh']).scaleb(-3):.3f}"
    return _compact(fields).replace('"RV":"RV"', f'"RV":{value}')


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")).replace("|", "\\u007C")


def _text(case: Case) -> str | None:
    _, serial, user, seq, current, begin, end = case
    if begin["time"] is None or end["time"] is None:
        return None
    head = {
        "FV": "1.3", "PG": f"T{(seq + 2) // 2}", "MS": serial, "IS": user != "", "IL": "NONE",
        "IF": [], "IT": "CENTRAL" if user else "NONE", "ID": user,
    }  # fmt: skip
    readings = f"[{_reading(begin, current)},{_reading(end, current)}]"
    tail = {"WC": CFG.hex(), "WE": [begin["evt"], end["evt"]]}
    return f'{_compact(head)[:-1]},"RD":{readings},{_compact(tail)[1:]}'


def _session(case: Case) -> dict[str, Any]:
    name, serial, user, seq, current, begin, end = case
    key = signing_key(PRIVATE)
    text = _text(case)
    signature = der = None
    if text is not None:
        signature = key.sign_deterministic(
            text.encode(), hashfunc=sha256, sigencode=sigencode_string
        )
        r, s = sigdecode_string(signature, key.curve.order)
        der = sigencode_der(r, s, key.curve.order).hex()
    return {
        "name": name,
        "serial": serial,
        "user": user,
        "seq": seq,
        "current": current,
        "steps": [begin, end],
        "begin": sign_record(PRIVATE, _claims(case, seq, begin, None)).hex(),
        "end": sign_record(PRIVATE, _claims(case, seq + 1, end, signature)).hex(),
        "text": text,
        "signature": signature.hex() if signature else None,
        "der": der,
    }


def build() -> dict[str, Any]:
    """The whole file as a JSON value; bytes are hex."""
    public = public_key(PRIVATE)
    return {
        "source": "made by json, datetime, decimal, cbor2 and ecdsa from"
        " tests/firmware/vector_sessions.py; the key is that of RFC 6979 A.2.5",
        "private": PRIVATE.hex(),
        "public": public.hex(),
        "kid": key_id(public).hex(),
        "cfg": CFG.hex(),
        "sessions": [_session(case) for case in _cases()],
    }


def text() -> str:
    """The file's content."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text())
