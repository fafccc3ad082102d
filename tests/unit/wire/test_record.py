"""Records: exact values, every broken rule named, one way back to the bytes."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_oracle import BODY, KID, SPKI, event, reading, registers, seal, unsigned, vectors

from wattest.errors import DecodeError, SignatureInvalid
from wattest.verify.signature import load_key, verify_es256
from wattest.wire import Ctx, EventKind, Input, Tsync, cbor, parse_record
from wattest.wire.claims import claims_of
from wattest.wire.cose import record_to_be_signed
from wattest.wire.record import UNIT_WATTHOUR, Register
from wattest.wire.record_schema import parse_record_strictly

VECTORS = [(one["name"], bytes.fromhex(one["record"])) for one in vectors()["records"]]
GOOD = seal(reading())


def outcome(parse: Any, data: bytes) -> Any:
    """The record, or the rule that refused it."""
    try:
        return parse(data)
    except DecodeError as exc:
        return (type(exc), exc.rule, exc.offset)


def verified(data: bytes) -> Any:
    """The record if it parses and its signature holds, else the error."""
    try:
        record = parse_record(data)
        verify_es256(load_key(SPKI), record_to_be_signed(record.encoded), record.encoded[-64:])
    except (DecodeError, SignatureInvalid) as exc:
        return exc
    return record


@pytest.mark.parametrize("data", [v[1] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_shared_vector_reads_as_cbor2_reads_it(data: bytes) -> None:
    payload = cbor2.loads(data).value[2]
    record = parse_record(data)
    assert claims_of(record) == cbor2.loads(payload)
    assert cbor.encode(claims_of(record)) == payload
    assert record == parse_record_strictly(data)


@pytest.mark.parametrize("one", vectors()["records"], ids=[v[0] for v in VECTORS])
def test_shared_vector_has_its_identity_and_digest(one: dict[str, Any]) -> None:
    record = parse_record(bytes.fromhex(one["record"]))
    kid = bytes.fromhex(vectors()["kid"])
    assert record.identity == (kid, one["ctx"], one["seq"])
    assert record.digest.hex() == one["sha256"]


def test_reading_has_every_value_under_its_full_name() -> None:
    record = parse_record(GOOD)
    assert (record.kid, record.serial, record.seq, record.ctx) == (KID, "WIRE-0001", 7, Ctx.FISCAL)
    assert (record.time_ms, record.tsync, record.mono_ms) == (
        1_767_268_800_000,
        Tsync.SYNCHRONISED,
        60_000,
    )
    assert (record.import_milliwatthours, record.export_milliwatthours) == (123_456, 89)
    assert (record.use_s, record.power_milliwatts) == (60, -48_000)
    assert (record.status, record.err, record.tx, record.evt) == ("G", "", None, 3)
    assert (record.input, record.event, record.bootcount) == (Input.SENSOR, None, 1)


@pytest.mark.parametrize(
    ("scale", "mantissa", "expected"),
    [
        (-3, 5, 5),
        (0, 5, 5000),
        (3, -5, -5_000_000),
        (-6, 5000, 5),
        (-6, 5001, None),
        (-6, -5000, -5),
    ],
)
def test_register_scales_exactly_or_not_at_all(
    scale: int, mantissa: int, expected: int | None
) -> None:
    energy = [bytes.fromhex("0100010800ff"), mantissa, scale, UNIT_WATTHOUR]
    record = parse_record(unsigned(reading(body={6: [energy]})))
    assert record.import_milliwatthours == expected
    assert record.export_milliwatthours is None
    assert record.registers == (
        Register(obis=energy[0], mantissa=mantissa, scale=scale, unit=UNIT_WATTHOUR),
    )


def test_energy_in_another_unit_is_not_taken_for_watthours() -> None:
    energy = [bytes.fromhex("0100010800ff"), 5, -3, 31]
    assert parse_record(unsigned(reading(body={6: [energy]}))).import_milliwatthours is None


def test_unknown_claims_and_extensions_are_kept() -> None:
    claims = reading(claims={1: "issuer", -70_000: [1, {2: b"x"}]}, body={24: 5, 1000: {1: True}})
    record = parse_record(unsigned(claims))
    assert dict(record.extra_claims) == {1: "issuer", -70_000: [1, {2: b"x"}]}
    assert dict(record.extra_body) == {24: 5, 1000: {1: True}}
    assert claims_of(record) == claims


def test_transaction_and_loss_are_kept() -> None:
    user = [True, "TRUSTED", ["RFID_PLAIN"], "LOCAL", "a-b"]
    record = parse_record(
        unsigned(reading(body={2: 1, 8: "Et", 9: "B", 13: 0, 14: {1: 3, 2: -3, 3: 0}, 15: user}))
    )
    assert record.user == (True, "TRUSTED", ("RFID_PLAIN",), "LOCAL", "a-b")
    assert (record.tx, record.err, record.current_kind) == ("B", "Et", 0)
    assert record.loss == {1: 3, 2: -3, 3: 0}


def test_boot_event_carries_its_claims() -> None:
    extra = {256: bytes(17), 261: 4, 263: 0, 270: "node", 271: ["1", "2"]}
    record = parse_record(
        unsigned(event({1: 1, 2: 5, 3: 60_000, 4: 2, 5: 11}, claims=extra, body={3: None, 4: 0}))
    )
    assert record.event is not None
    assert (record.event.kind, record.event.fields) == (
        EventKind.BOOT,
        {2: 5, 3: 60_000, 4: 2, 5: 11},
    )
    assert record.boot is not None
    assert (record.ueid, record.boot.uptime_s, record.boot.debug_state) == (bytes(17), 4, 0)
    assert (record.boot.software_name, record.boot.software_versions) == ("node", ("1", "2"))
    assert record.time_ms is None


@pytest.mark.parametrize("kind", [EventKind.BOOT, EventKind.IDENTIFY])
def test_nonce_belongs_to_the_identify_event_alone(kind: EventKind) -> None:
    fields = {1: 7} if kind is EventKind.IDENTIFY else {1: 1, 2: 0, 3: 0, 4: 0, 5: 0}
    data = unsigned(event(fields, claims={10: bytes(16)}))
    if kind is EventKind.IDENTIFY:
        assert parse_record(data).nonce == bytes(16)
    else:
        assert outcome(parse_record, data)[1] == "nonce"


@pytest.mark.parametrize("data", [GOOD, seal(event({1: 2, 3: 5, 4: 2}))], ids=["reading", "event"])
def test_truncation_at_every_byte_is_refused(data: bytes) -> None:
    for size in range(len(data)):
        assert isinstance(verified(data[:size]), DecodeError)


@pytest.mark.parametrize("data", [GOOD, seal(event({1: 2, 3: 5, 4: 2}))], ids=["reading", "event"])
def test_one_flipped_bit_of_every_byte_is_refused(data: bytes) -> None:
    assert verified(data).encoded == data
    for index in range(len(data)):
        flipped = bytearray(data)
        flipped[index] ^= 1 << index % 8
        assert isinstance(verified(bytes(flipped)), DecodeError | SignatureInvalid), index


SMALL = st.sampled_from([0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1])
SIGNED = st.one_of(SMALL, SMALL.map(lambda value: -1 - value))
COMMON = st.fixed_dictionaries(
    {
        1: SMALL,
        2: st.integers(0, 1),
        3: st.one_of(st.none(), SIGNED),
        4: st.integers(0, 4),
        5: SMALL,
        6: st.tuples(SIGNED, SIGNED, SIGNED, SIGNED).map(lambda values: registers(*values)),
        7: st.sampled_from("GTDRMXIOSEFNg"),
        8: st.sampled_from([None, "E", "t", "Et", "tE", ""]),
        9: st.sampled_from([None, "B", "T", "Z"]),
        10: SMALL,
        13: st.sampled_from([None, 0, 1, 2]),
        16: st.integers(0, 3),
    }
)


@settings(max_examples=300)
@given(COMMON, st.integers(0, 34), SMALL)
def test_one_pass_and_tables_never_differ_on_values(
    body: dict[int, Any], serial_size: int, bootcount: int
) -> None:
    data = unsigned(reading(body=body, claims={2: "S" * serial_size, 267: bootcount}))
    assert outcome(parse_record, data) == outcome(parse_record_strictly, data)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_one_pass_and_tables_never_differ_on_damage(at: int, put: bytes, drop: int) -> None:
    data = GOOD[:at] + put + GOOD[at + drop :]
    assert outcome(parse_record, data) == outcome(parse_record_strictly, data)


def test_body_key_is_the_private_use_claim() -> None:
    assert BODY in cbor2.loads(cbor2.loads(GOOD).value[2])
