"""From records to payloads: the node's text to the last byte, and what the bench makes of them."""

from __future__ import annotations

import base64
import warnings
from dataclasses import replace
from typing import Any

import pyocmf
import pytest
from ocmf_samples import GATEWAY, NODE_SPKI, SESSIONS, SIGNER, session_of

from wattest.errors import VerificationError
from wattest.exports.ocmf import read_ocmf
from wattest.exports.ocmf_record import (
    gateway_reading_payload,
    gateway_session_payload,
    node_payload,
    node_text,
    obis_text,
    time_text,
    value_of,
    why_no_text,
)
from wattest.settlement.session import Session, sessions_of
from wattest.wire.record import Ctx, Record, Register, Tsync

WITH_TEXT = [vector for vector in SESSIONS if vector["text"]]
WITHOUT = [vector for vector in SESSIONS if not vector["text"]]


def by_name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", WITH_TEXT, ids=by_name)
def test_text_of_a_session_follows_from_its_two_records(vector: dict[str, Any]) -> None:
    session = session_of(vector)
    assert node_payload(session) == vector["text"]
    assert session.signature == bytes.fromhex(vector["signature"])
    text = node_text(session)
    assert vector["der"] in text
    assert pyocmf.OCMF.from_string(text, strict=True).verify_signature(NODE_SPKI.hex())


@pytest.mark.parametrize("vector", WITHOUT, ids=by_name)
def test_session_without_a_time_has_no_text_and_no_signature(vector: dict[str, Any]) -> None:
    session = session_of(vector)
    assert session.signature is None
    assert why_no_text(session.begin, session.end) == "the clock of the node was not set"
    with pytest.raises(VerificationError, match="no OCMF text: the clock of the node was not set"):
        gateway_session_payload(session, GATEWAY)
    with pytest.raises(VerificationError, match="carries no signature of the node"):
        node_text(session)


@pytest.mark.parametrize("vector", WITH_TEXT, ids=by_name)
def test_text_of_the_bench_holds_the_same_readings_and_the_records(vector: dict[str, Any]) -> None:
    session = session_of(vector)
    text = SIGNER.sign(gateway_session_payload(session, GATEWAY))
    assert pyocmf.OCMF.from_string(text, strict=True).verify_signature(SIGNER.spki.hex())
    ours, nodes = read_ocmf(text).payload, read_ocmf(node_text(session)).payload
    assert {key: ours[key] for key in nodes} == nodes
    assert [ours["GI"], ours["GS"], ours["GV"]] == [
        "wattest bench",
        "wattest/test",
        "wattest-ocmf/1",
    ]
    records = [base64.b64decode(record) for record in ours["XC"]]
    assert records == [session.begin.encoded, session.end.encoded]


def fiscal_of(record: Record, **changes: Any) -> Record:
    return replace(record, ctx=Ctx.FISCAL, tx=None, user=None, **changes)


def test_fiscal_reading_has_both_directions_and_no_user() -> None:
    record = fiscal_of(session_of(SESSIONS[0]).begin, seq=17)
    text = SIGNER.sign(gateway_reading_payload(record, GATEWAY))
    payload = read_ocmf(text).payload
    assert payload["PG"] == "F17"
    assert not {"IS", "IL", "IF", "IT", "ID"} & set(payload)
    assert [(r["RI"], r["RV"], r["RU"]) for r in payload["RD"]] == [
        ("01-00:01.08.00*FF", "1234.567", "Wh"),
        ("01-00:C0.08.00*FF", "0.000", "Wh"),
    ]
    assert all("TX" not in reading for reading in payload["RD"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyocmf.SpecWarning)  # it wants IS without a transaction
        assert pyocmf.OCMF.from_string(text).verify_signature(SIGNER.spki.hex())


@pytest.mark.parametrize(
    ("mantissa", "scale", "digits", "unit"),
    [
        (12590, 0, "12.590", "kWh"),
        (12590, -3, "12.590", "Wh"),
        (5, 0, "0.005", "kWh"),
        (5, -2, "0.00005", "kWh"),
        (5, -3, "0.005", "Wh"),
        (5, -6, "0.000005", "Wh"),
        (7, 3, "7", "kWh"),
        (7, 6, "7000", "kWh"),
        (70, 2, "7.0", "kWh"),
        (0, -3, "0.000", "Wh"),
        (0, 6, "0", "kWh"),
        (-1, -3, "-0.001", "Wh"),
        (9_007_199_254_740_993, -3, "9007199254740.993", "Wh"),
    ],
)
def test_value_has_all_digits_of_the_register(
    mantissa: int, scale: int, digits: str, unit: str
) -> None:
    register = Register(obis=bytes(6), mantissa=mantissa, scale=scale, unit=30)
    assert value_of(register) == (digits, unit)


def test_codes_and_times_are_written_as_ocmf_wants_them() -> None:
    assert obis_text(bytes.fromhex("0100010800ff")) == "01-00:01.08.00*FF"
    assert obis_text(bytes.fromhex("0100020800ff")) == "01-00:C0.08.00*FF"
    assert time_text(0, 0) == "1970-01-01T00:00:00,000+0000 U"
    assert time_text(1_767_268_800_007, 2) == "2026-01-01T12:00:00,007+0000 S"
    with pytest.raises(VerificationError, match="not a year of four digits"):
        time_text(1 << 60, 2)


def test_register_that_is_no_energy_has_no_text() -> None:
    begin = session_of(SESSIONS[0]).begin
    power = Register(obis=bytes.fromhex("0100100700ff"), mantissa=1, scale=0, unit=27)
    assert why_no_text(replace(begin, registers=(power,))) == (
        "the first register is of unit 27, expected 30 (Wh)"
    )


# ---- pairing ----


def test_records_are_paired_by_key_and_number_in_any_order() -> None:
    first, second = session_of(SESSIONS[0]), session_of(SESSIONS[1])
    records = [(3, second.end), (0, first.begin), (2, second.begin), (1, first.end)]
    found = sessions_of(records)
    assert [(s.number, s.begin_index, s.end_index) for s in found] == [(1, 0, 1), (2, 2, 3)]


def test_half_a_session_is_none() -> None:
    first, second = session_of(SESSIONS[0]), session_of(SESSIONS[1])
    assert sessions_of([(0, first.begin)]) == ()
    assert sessions_of([(0, first.end)]) == ()
    assert sessions_of([(0, first.begin), (1, second.end)]) == ()
    other = replace(first.end, kid=bytes(8))
    assert sessions_of([(0, first.begin), (1, other)]) == ()
    assert sessions_of([(0, first.end), (1, replace(second.begin, seq=3))]) == ()


def session(**changes: Any) -> Session:
    plain = session_of(SESSIONS[0])
    return replace(plain, end=replace(plain.end, **changes))


def test_session_says_what_flowed_and_how_long_it_took() -> None:
    plain = session_of(SESSIONS[0])
    assert plain.import_milliwh == 2_400_000 - 1_234_567
    assert (plain.export_milliwh, plain.use_s, plain.duration_ms) == (0, 0, 90_500)
    assert plain.doubts == ()
    rebooted = session(bootseed=bytes(8), mono_ms=1)
    assert rebooted.duration_ms == 90_500
    assert session(bootseed=bytes(8), time_ms=None).duration_ms is None
    assert session(registers=plain.begin.registers[1:]).import_milliwh is None


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"time_ms": None, "tsync": Tsync.UNKNOWN}, "the last reading has no time"),
        ({"status": "D"}, "the last reading has status D"),
        ({"err": "Et"}, "the energy of the last reading is marked as not usable"),
        ({"err": "t"}, "the time of the last reading is marked as not usable"),
        ({"tx": "P"}, "a power failure ended it"),
        ({"bootseed": bytes(8)}, "the node was restarted in it"),
        ({"input": 1}, "input was injected, not the sensor"),
        ({"registers": ()}, "the import register is missing or went back"),
    ],
)
def test_doubts_about_a_session_are_named(changes: dict[str, Any], doubt: str) -> None:
    assert doubt in session(**changes).doubts
