"""The way from bytes to a `Record`."""

from __future__ import annotations

from wattest.wire.record import Record
from wattest.wire.record_schema import parse_record_strictly


def parse_record(data: bytes) -> Record:
    """Read a record strictly; its signature is not checked.

    Args:
        data: the COSE_Sign1 message, at most 1,024 bytes, and nothing after it.

    Raises:
        CoseError: not the envelope of a record; names the rule and the byte offset.
        RecordError: the payload breaks a rule of deterministic CBOR or of the schema.
    """
    return parse_record_strictly(data)
