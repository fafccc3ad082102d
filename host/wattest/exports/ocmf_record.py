"""From records of a node to OCMF payloads (docs/formats.md section 1.2, docs/ocmf.md).

A session's payload, as its node signs it, follows from two records to the last byte. What the
bench signs has the same readings, names the bench beside the meter and carries the records: the
node's own proof stays inside the text.

Numbers of pages are those of the node's own counters: F is the seq of a fiscal reading, T counts
sessions by the seq of their end. No exporter can use one twice for two contents, and a record that
is missing is a number that is missing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wattest.errors import VerificationError
from wattest.exports.ocmf import Digits, write_json
from wattest.exports.ocmf_signature import sealed
from wattest.settlement.session import Session
from wattest.verify.signature import signature_der
from wattest.wire.record import OBIS_EXPORT, UNIT_WATTHOUR, Ctx, Record, Register

FORMAT_VERSION: Final = "1.3"
"""Not 1.4: the verifier that people have refuses it."""
EXPORT_VERSION: Final = "wattest-ocmf/1"
"""GV of the texts the bench signs: a version of the rules here, not of the program, so that an
update of the program never signs another text under a number that is used."""
RECORDS_KEY: Final = "XC"
OBIS_TOTAL_EXPORT: Final = bytes.fromhex("0100c00800ff")
"""C0: total export at the mains, which other verifiers take for billing where they ignore 02."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMALS_MAX = 5
_KILO = 3
_SYNC = "UISR"
_CURRENT = ("AC", "DC")


def why_no_text(*records: Record) -> str:
    """Return why no text can be made of these records, or ``""``."""
    for record in records:
        if record.time_ms is None:
            return "the clock of the node was not set"
        register = record.registers[0]
        if register.unit != UNIT_WATTHOUR:
            return f"the first register is of unit {register.unit}, expected 30 (Wh)"
    return ""


def node_payload(session: Session) -> str:
    """Return the payload of a session that its node signs.

    Raises:
        VerificationError: there is none, see `why_no_text`.
    """
    return write_json(_payload(session.end, (session.begin, session.end), session.number, {}))


def node_text(session: Session) -> str:
    """Return the OCMF text of a session under the signature of its node.

    Raises:
        VerificationError: the node has not signed it, or there is no text.
    """
    signature = session.signature
    if signature is None:
        raise VerificationError(
            f"session T{session.number} of key {session.end.kid.hex()}: its end carries no "
            "signature of the node",
            hint="export it with --mode gateway",
        )
    return sealed(node_payload(session), signature_der(signature))


def gateway_session_payload(session: Session, gateway: dict[str, str]) -> str:
    """Return the payload of a session that the bench signs.

    Args:
        session: of any node.
        gateway: GI and GS of the bench.

    Raises:
        VerificationError: there is none, see `why_no_text`.
    """
    records = (session.begin, session.end)
    return write_json(_payload(session.end, records, session.number, gateway))


def gateway_reading_payload(record: Record, gateway: dict[str, str]) -> str:
    """Return the payload of a fiscal reading that the bench signs.

    Args:
        record: of ctx 0.
        gateway: GI and GS of the bench.

    Raises:
        VerificationError: there is none, see `why_no_text`.
    """
    return write_json(_payload(record, (record,), record.seq, gateway))


def _payload(
    last: Record, records: tuple[Record, ...], number: int, gateway: dict[str, str]
) -> dict[str, Any]:
    reason = why_no_text(*records)
    if reason:
        raise VerificationError(f"record {_place(last)}: no OCMF text: {reason}")
    transaction = last.ctx is Ctx.TRANSACTION
    payload: dict[str, Any] = {"FV": FORMAT_VERSION}
    if gateway:
        payload |= {**gateway, "GV": EXPORT_VERSION}
    payload |= {"PG": f"{'T' if transaction else 'F'}{number}", "MS": last.serial}
    if transaction:
        known, level, flags, kind, name = last.user or (False, "NONE", (), "NONE", "")
        payload |= {"IS": known, "IL": level, "IF": flags, "IT": kind, "ID": name}
    payload["RD"] = [reading for record in records for reading in _readings(record)]
    payload["WC"] = last.cfg.hex()
    payload["WE"] = [record.evt for record in records]
    if gateway:
        payload[RECORDS_KEY] = [base64.b64encode(record.encoded).decode() for record in records]
    return payload


def _readings(record: Record) -> Iterator[dict[str, Any]]:
    """Yield the billing register; of a fiscal reading, energy in both directions."""
    yield _reading(record, record.registers[0])
    if record.ctx is Ctx.FISCAL:
        for register in record.registers[1:]:
            if register.obis == OBIS_EXPORT and register.unit == UNIT_WATTHOUR:
                yield _reading(record, register)


def _reading(record: Record, register: Register) -> dict[str, Any]:
    assert record.time_ms is not None
    value, unit = value_of(register)
    reading: dict[str, Any] = {"TM": time_text(record.time_ms, int(record.tsync))}
    if record.tx:
        reading["TX"] = record.tx
    reading |= {"RV": value, "RI": obis_text(register.obis), "RU": unit}
    if record.current_kind is not None:
        reading["RT"] = _CURRENT[record.current_kind]
    return {**reading, "EF": record.err, "ST": record.status}


def value_of(register: Register) -> tuple[Digits, str]:
    """Return the digits of a register of watt-hours and their unit, all of them and no more."""
    decimals = max(0, _KILO - register.scale)
    unit = "kWh"
    shift = register.scale - _KILO
    if decimals > _DECIMALS_MAX:
        decimals, unit, shift = max(0, -register.scale), "Wh", register.scale
    digits = str(abs(register.mantissa) * 10 ** max(0, shift))
    digits = digits.rjust(decimals + 1, "0")
    sign = "-" if register.mantissa < 0 else ""
    whole, rest = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return Digits(f"{sign}{whole}.{rest}" if decimals else f"{sign}{whole}"), unit


def obis_text(obis: bytes) -> str:
    """Return an OBIS code in the two-digit hexadecimal form of OCMF 1.4.

    Total import stays what it is; total export becomes C0, its name in OCMF.
    """
    a, b, c, d, e, f = OBIS_TOTAL_EXPORT if obis == OBIS_EXPORT else obis
    return f"{a:02X}-{b:02X}:{c:02X}.{d:02X}.{e:02X}*{f:02X}"


def time_text(time_ms: int, tsync: int) -> str:
    """Return an instant as OCMF wants it: UTC with a comma and without a colon, and the letter.

    Raises:
        VerificationError: beyond the years that have four digits.
    """
    try:
        instant = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        raise VerificationError(f"time {time_ms} ms: not a year of four digits") from None
    stamp = instant.isoformat(timespec="milliseconds").replace(".", ",").replace("+00:00", "+0000")
    return f"{stamp} {_SYNC[tsync]}"


def _place(record: Record) -> str:
    return f"({record.kid.hex()}, {int(record.ctx)}, {record.seq})"
