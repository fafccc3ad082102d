"""Acts of parties and the entry bodies nobody signs: one form, every other refused."""

from __future__ import annotations

import cbor2
import pytest
from wire_oracle import KID, PUBLIC

from wattest.errors import CoseError, RecordError
from wattest.wire import (
    Agreement,
    Anchor,
    DisputeAct,
    KeyRotation,
    LoggedEstimate,
    LogRotation,
    MachineDispute,
    PaymentAct,
    PaymentKind,
    ResolutionAct,
    kid_of,
    parse_act,
    parse_anchor,
    parse_estimate,
    parse_log_rotation,
    parse_machine_dispute,
    parse_record,
    seal_act,
    spki_der,
)
from wattest.wire.act import ACT_TYPE
from wattest.wire.cose import seal_sign1

WHO = {"contract": "wind", "party": "bakery", "time_ms": 1_767_225_600_000}
ACTS = [
    Agreement(**WHO, terms=bytes(32), public_key=PUBLIC),
    DisputeAct(**WHO, period=(0, 900), line="energy", window=(60, 120), reason="no wind"),
    DisputeAct(**WHO, period=(0, 9), line="energy", window=(6, 7), reason="x" * 200, quantity=5),
    ResolutionAct(**WHO, dispute=bytes(32), granted=0, text="both looked at the mast"),
    PaymentAct(
        **WHO, what=PaymentKind.FUND, amount_minor=1, currency="EUR", reference="bank 4711"
    ),
    KeyRotation(**WHO, public_key=PUBLIC),
]
PLAIN = [
    (MachineDispute(kid=KID, ctx=0, seq=7, first_index=3, finding_index=9), parse_machine_dispute),
    (
        LoggedEstimate(
            asset="turbine",
            quantity="export_energy",
            window=(1, 2),
            count=0,
            model=bytes(32),
            inputs=bytes(32),
            made_ms=-1,
        ),
        parse_estimate,
    ),
    (
        Anchor(
            size=9, root=bytes(32), method="witness", place="a.b/w", evidence=b"note", time_ms=3
        ),
        parse_anchor,
    ),
    (LogRotation(old="a+1+b", new="a+2+c", signature=bytes(64)), parse_log_rotation),
]


def sealed(payload: bytes) -> bytes:
    return seal_sign1(KID, payload, lambda _: bytes(64), typ=ACT_TYPE)


@pytest.mark.parametrize("act", ACTS)
def test_act_comes_back(act) -> None:
    body = seal_act(act, PUBLIC, lambda _: bytes(64))
    signed = parse_act(body)
    assert signed.act == act
    assert signed.message.kid == kid_of(spki_der(PUBLIC))
    assert cbor2.loads(signed.message.payload)[2] == "wind"
    assert cbor2.dumps(cbor2.loads(signed.message.payload), canonical=True) == act.payload()


@pytest.mark.parametrize(
    ("act", "key"), [(act, key) for act in ACTS for key in cbor2.loads(act.payload()) if key != 9]
)
def test_act_with_a_key_missing_or_of_another_type_is_refused(act, key: int) -> None:
    fields = cbor2.loads(act.payload())
    changed = {**fields, key: [None]}
    del fields[key]
    for payload in (fields, changed):
        with pytest.raises(RecordError):
            parse_act(sealed(cbor2.dumps(payload, canonical=True)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({1: 0}, "key 1"),
        ({1: True}, "key 1"),
        ({2: ""}, "key 2"),
        ({2: "x" * 65}, "key 2"),
        ({5: [9, 9]}, "key 5"),
        ({7: [1]}, "key 7"),
        ({8: ""}, "key 8"),
        ({9: 0}, "key 9"),
        ({10: 1}, "key 10"),
    ],
)
def test_field_out_of_its_bounds_is_named(changes, message: str) -> None:
    fields = {**cbor2.loads(ACTS[1].payload()), **changes}
    with pytest.raises(RecordError, match=message):
        parse_act(sealed(cbor2.dumps(fields, canonical=True)))


def test_signature_over_an_act_is_none_over_a_record() -> None:
    body = seal_act(ACTS[0], PUBLIC, lambda _: bytes(64))
    with pytest.raises(CoseError, match="typ"):
        parse_record(body)


def test_field_of_another_act_is_refused() -> None:
    fields = {**cbor2.loads(ACTS[3].payload()), 8: "reference"}
    with pytest.raises(RecordError, match="key 8"):
        parse_act(sealed(cbor2.dumps(fields, canonical=True)))


@pytest.mark.parametrize(("value", "parse"), PLAIN)
def test_plain_body_comes_back(value, parse) -> None:
    body = value.to_cbor()
    assert parse(body) == value
    assert cbor2.dumps(cbor2.loads(body), canonical=True) == body


@pytest.mark.parametrize(("value", "parse"), PLAIN)
def test_plain_body_is_refused_in_any_other_form(value, parse) -> None:
    fields = cbor2.loads(value.to_cbor())
    for key in fields:
        rest = {k: v for k, v in fields.items() if k != key}
        for other in (rest, {**fields, key: None}, {**fields, 99: 0}):
            with pytest.raises(RecordError):
                parse(cbor2.dumps(other, canonical=True))
    for text in (b"", b"\x80", value.to_cbor() + b"\0"):
        with pytest.raises(RecordError):
            parse(text)
