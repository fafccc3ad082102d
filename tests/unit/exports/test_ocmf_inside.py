"""A bench that signs another value than its node is found out by the records inside its text."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from ocmf_samples import GATEWAY, NODE_SPKI, SESSIONS, SIGNER, session_of

from wattest.exports.ocmf import read_ocmf
from wattest.exports.ocmf_lint import LintReport, OcmfItem, lint_ocmf
from wattest.exports.ocmf_record import gateway_reading_payload, gateway_session_payload
from wattest.wire.record import Ctx

SESSION = session_of(SESSIONS[0])
PAYLOAD = gateway_session_payload(SESSION, GATEWAY)


def linted(payload: str, node: bytes | None = None) -> LintReport:
    item = OcmfItem(data=SIGNER.sign(payload).encode(), spki=SIGNER.spki)
    return lint_ocmf([item], node_spki=node)


def messages(report: LintReport) -> list[tuple[int, str]]:
    return [(one.rule.number, one.message) for one in report.all_findings]


def with_records(*records: str | int) -> str:
    payload = json.loads(PAYLOAD)
    return PAYLOAD.replace(
        json.dumps(payload["XC"], separators=(",", ":")),
        json.dumps(list(records), separators=(",", ":")),
    )


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_text_that_says_what_its_records_say_has_no_finding() -> None:
    assert messages(linted(PAYLOAD)) == []
    assert messages(linted(PAYLOAD, NODE_SPKI)) == []


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ('"RV":2400.000', '"RV":2500.000', "RD"),
        ('"RV":2400.000', '"RV":2400.00', "RD"),
        ('"ID":"session-0001"', '"ID":"session-0002"', "ID"),
        ('"PG":"T1"', '"PG":"T2"', "PG"),
        ('"WE":[3,3]', '"WE":[3,4]', "WE"),
        ('"IL":"NONE","IF":[]', '"IF":[],"IL":"NONE"', "its order or its spelling"),
    ],
)
def test_bench_that_signs_something_else_is_found_out(old: str, new: str, keys: str) -> None:
    assert old in PAYLOAD
    report = linted(PAYLOAD.replace(old, new))
    assert messages(report) == [(44, f"they give another text: {keys}")]
    assert not report.refused, "the existing verifier cannot know"
    assert not report.passed


def test_records_under_another_key_are_found_out() -> None:
    report = linted(PAYLOAD, SIGNER.spki)
    assert [number for number, _ in messages(report)] == [45, 45]
    assert "signed by another key than the one given" in messages(report)[0][1]


def test_record_that_was_changed_is_found_out_with_the_nodes_key() -> None:
    changed = bytearray(SESSION.end.encoded)
    changed[-1] ^= 1
    payload = with_records(encoded(SESSION.begin.encoded), encoded(bytes(changed)))
    assert [number for number, _ in messages(linted(payload, NODE_SPKI))] == [45]
    assert messages(linted(payload)) == [], "without that key nobody can tell"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ((), "expected a fiscal reading, or the two records of a session"),
        ((1,), "expected a list of records in base64"),
        (("?",), "not base64"),
        (("AAAA",), "cose: tag at byte 0"),
        ((encoded(SESSION.begin.encoded),), "expected a fiscal reading, or the two records"),
        ((encoded(SESSION.begin.encoded),) * 2, "expected a fiscal reading, or the two records"),
    ],
)
def test_records_that_are_none_are_a_finding(records: tuple[str | int, ...], message: str) -> None:
    ((number, text),) = messages(linted(with_records(*records)))
    assert number == 44
    assert message in text


def test_texts_of_others_are_not_asked_for_records() -> None:
    assert messages(linted(PAYLOAD.replace("wattest-ocmf/1", "2.0").replace('"XC"', '"XD"'))) == []


def test_fiscal_reading_is_made_again_from_its_record() -> None:
    record = replace(SESSION.begin, ctx=Ctx.FISCAL, tx=None, user=None)
    payload = gateway_reading_payload(record, GATEWAY)
    # The record inside is still the one of the session: it is no fiscal reading.
    ((number, text),) = messages(linted(payload))
    assert (number, "expected a fiscal reading" in text) == (44, True)
    assert read_ocmf(SIGNER.sign(payload)).page == ("F", 1)
