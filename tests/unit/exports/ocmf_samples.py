"""Sessions and keys for tests of OCMF, from the vectors node and host share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wattest.exports.ocmf import Digits, write_json
from wattest.exports.ocmf_signature import OcmfSigner
from wattest.settlement.session import Session
from wattest.wire import parse_record, spki_der

VECTORS = json.loads(
    (Path(__file__).parent.parent.parent / "vectors" / "ocmf_sessions.json").read_text()
)
SESSIONS = VECTORS["sessions"]
NODE_SPKI = spki_der(bytes.fromhex(VECTORS["public"]))
GATEWAY = {"GI": "wattest bench", "GS": "wattest/test"}
SIGNER = OcmfSigner(0x1234_5678_9ABC)


def session_of(vector: dict[str, Any]) -> Session:
    """Return a session of the vectors as the host reads it."""
    begin, end = (parse_record(bytes.fromhex(vector[side])) for side in ("begin", "end"))
    return Session(begin=begin, end=end, begin_index=4, end_index=9)


def payload_of(**changes: Any) -> dict[str, Any]:
    """Return a sound payload of a session; a change to None takes the key away."""
    reading = {
        "TM": "2026-01-01T12:00:00,000+0000 S",
        "TX": "B",
        "RV": Digits("1.250"),
        "RI": "01-00:01.08.00*FF",
        "RU": "kWh",
        "RT": "DC",
        "EF": "",
        "ST": "G",
    }
    last = {**reading, "TM": "2026-01-01T13:00:00,000+0000 S", "TX": "E", "RV": Digits("3.500")}
    payload: dict[str, Any] = {
        "FV": "1.3", "PG": "T1", "MS": "METER-1", "IS": True, "IL": "NONE", "IF": [],
        "IT": "CENTRAL", "ID": "s", "RD": [reading, last],
    }  # fmt: skip
    payload.update(changes)
    return {key: value for key, value in payload.items() if value is not None}


def with_reading(number: int, **changes: Any) -> dict[str, Any]:
    """Return a sound payload with one reading changed, likewise."""
    payload = payload_of()
    fields = {**payload["RD"][number], **changes}
    payload["RD"][number] = {key: value for key, value in fields.items() if value is not None}
    return payload


def text_of(payload: dict[str, Any]) -> bytes:
    """Return a payload under the signature of `SIGNER`."""
    return SIGNER.sign(write_json(payload)).encode()
