"""Texts of a wattest bench hold the records of the node: whether they say the same.

The bench could sign another value than the node's. Here the text is made again from the records
inside, and with the node's key their own signatures are checked: only the node is left to trust.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from wattest.errors import DecodeError, VerificationError
from wattest.exports.ocmf import Ocmf, read_ocmf
from wattest.exports.ocmf_record import (
    EXPORT_VERSION,
    RECORDS_KEY,
    gateway_reading_payload,
    gateway_session_payload,
)
from wattest.exports.ocmf_verifier import Broken
from wattest.settlement.session import sessions_of
from wattest.verify.signature import load_key, verify_es256
from wattest.wire import Ctx, Record, kid_of, parse_record
from wattest.wire.cose import SIGNATURE_BYTES, record_to_be_signed


def inside_faults(ocmf: Ocmf, name: str, node_spki: bytes | None) -> Iterator[Broken]:
    """Yield what is wrong with the records inside a text of a wattest bench; nothing for others.

    Args:
        ocmf: the text.
        name: its page.
        node_spki: key of the node, SubjectPublicKeyInfo DER, or None: signatures inside are not
            checked then.
    """
    if ocmf.payload.get("GV") != EXPORT_VERSION:
        return
    where = f"{name} {RECORDS_KEY}"
    try:
        records = _records(ocmf.payload.get(RECORDS_KEY))
        payload = _payload_again(records, ocmf.payload)
    except (DecodeError, VerificationError, ValueError) as error:
        yield 44, where, str(error)
        return
    if payload != ocmf.payload_text:
        yield 44, where, f"they give another text: {_differences(payload, ocmf.payload)}"
    if node_spki is None:
        return
    for record in records:
        try:
            _check(record, node_spki)
        except VerificationError as error:
            place = f"({record.kid.hex()}, {int(record.ctx)}, {record.seq})"
            yield 45, where, f"record {place}: {error}"


def _records(value: Any) -> list[Record]:
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        raise ValueError("expected a list of records in base64")
    try:
        return [parse_record(base64.b64decode(item, validate=True)) for item in value]
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None


def _payload_again(records: list[Record], payload: Mapping[str, Any]) -> str:
    gateway = {key: str(payload.get(key, "")) for key in ("GI", "GS")}
    if len(records) == 1 and records[0].ctx is Ctx.FISCAL:
        return gateway_reading_payload(records[0], gateway)
    sessions = sessions_of(enumerate(records))
    if len(records) != 2 or len(sessions) != 1:
        raise ValueError("expected a fiscal reading, or the two records of a session")
    return gateway_session_payload(sessions[0], gateway)


def _differences(text: str, payload: Mapping[str, Any]) -> str:
    again = read_ocmf(f"OCMF|{text}|{{}}").payload
    keys = [key for key in {**payload, **again} if payload.get(key) != again.get(key)]
    return ", ".join(keys) or "its order or its spelling"


def _check(record: Record, spki: bytes) -> None:
    if kid_of(spki) != record.kid:
        raise VerificationError("signed by another key than the one given")
    signature = record.encoded[-SIGNATURE_BYTES:]
    verify_es256(load_key(spki), record_to_be_signed(record.encoded), signature)
