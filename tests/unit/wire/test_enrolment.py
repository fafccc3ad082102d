"""Enrolments and kept findings: entry bodies, one form."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from wire_oracle import CFG, KID, PUBLIC, SPKI, ordered

from wattest.errors import RecordError
from wattest.wire import (
    EnrolmentKind,
    kid_of,
    parse_enrolment,
    parse_finding,
    public_key_of,
    spki_der,
)

ENROLMENT = {1: KID, 2: SPKI, 3: "S-1", 4: 1, 5: "board", 6: CFG, 7: True, 8: 10**9, 9: -5, 10: ""}
FINDING = {1: "fork", 2: KID, 3: 0, 4: 17, 5: "two records", 6: b"bytes"}


def test_enrolment_comes_back() -> None:
    body = cbor2.dumps(ENROLMENT)
    enrolment = parse_enrolment(body)
    assert enrolment.to_cbor() == body
    assert (enrolment.kid, enrolment.spki, enrolment.kind) == (KID, SPKI, EnrolmentKind.EMULATED)
    assert (enrolment.demo, enrolment.power_max_milliwatts, enrolment.enrolled_ms) == (
        True,
        10**9,
        -5,
    )


@pytest.mark.parametrize(
    "optional",
    [
        {11: b"\x02" + bytes(6), 12: {1: "DKD 4711"}},
        {12: {1: "certificate.pdf", 2: bytes(32), 3: 1_800_000_000_000}},
        {13: 1, 14: bytes(8)},
        {13: 2},
    ],
)
def test_enrolment_with_more_in_it_comes_back(optional: dict[int, Any]) -> None:
    body = cbor2.dumps({**ENROLMENT, **optional})
    assert parse_enrolment(body).to_cbor() == body


@pytest.mark.parametrize("optional", [FINDING, {k: v for k, v in FINDING.items() if k != 6}])
def test_finding_comes_back(optional: dict[int, Any]) -> None:
    body = cbor2.dumps(optional)
    assert parse_finding(body).to_cbor() == body


@pytest.mark.parametrize("key", list(ENROLMENT))
def test_enrolment_with_a_key_missing_is_refused(key: int) -> None:
    body = cbor2.dumps({k: v for k, v in ENROLMENT.items() if k != key})
    with pytest.raises(
        RecordError, match=rf"^record: enrolment at byte 0 \(key {key} is missing\)"
    ):
        parse_enrolment(body)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({1: bytes(8)}, "enrolment-key"),
        ({2: SPKI[:-1]}, "enrolment-key"),
        ({2: b"\x30" + SPKI[1:-1] + b"x"}, "enrolment-key"),
        ({1: bytes(7)}, "enrolment"),
        ({3: ""}, "enrolment"),
        ({4: 3}, "enrolment"),
        ({6: bytes(15)}, "enrolment"),
        ({7: 1}, "enrolment"),
        ({8: -1}, "enrolment"),
        ({9: "x"}, "enrolment"),
        ({11: 1}, "enrolment"),
        ({11: bytes(6)}, "enrolment"),
        ({12: {}}, "enrolment"),
        ({12: {1: ""}}, "enrolment"),
        ({12: {1: "x", 4: 1}}, "enrolment"),
        ({12: {1: "x", 2: bytes(31)}}, "enrolment"),
        ({13: 0}, "enrolment"),
        ({13: 3}, "enrolment"),
        ({13: 1}, "enrolment"),
        ({14: bytes(8)}, "enrolment"),
        ({13: 2, 14: bytes(8)}, "enrolment"),
        ({13: 1, 14: KID}, "enrolment"),
        ({15: 1}, "enrolment"),
        ({9: 2**63}, "integer-range"),
    ],
)
def test_bad_enrolment_names_its_rule(changes: dict[int, Any], rule: str) -> None:
    with pytest.raises(RecordError, match=rf"^record: {rule} at byte \d+"):
        parse_enrolment(cbor2.dumps(ordered({**ENROLMENT, **changes})))


@pytest.mark.parametrize("changes", [{1: 5}, {3: -1}, {6: "text"}, {7: 0}])
def test_bad_finding_is_refused(changes: dict[int, Any]) -> None:
    with pytest.raises(RecordError, match=r"^record: finding at byte \d+ \(key \d\)"):
        parse_finding(cbor2.dumps({**FINDING, **changes}))


def test_body_that_is_no_map_is_refused() -> None:
    with pytest.raises(RecordError, match=r"^record: finding at byte 0 \(expected a map\)"):
        parse_finding(b"\x80")


def test_public_key_and_its_identifier_are_those_of_ecdsa() -> None:
    assert spki_der(PUBLIC) == SPKI
    assert public_key_of(SPKI) == PUBLIC
    assert kid_of(SPKI) == KID
    with pytest.raises(ValueError, match="public key: expected 64 bytes, got 65"):
        spki_der(b"\x04" + PUBLIC)
