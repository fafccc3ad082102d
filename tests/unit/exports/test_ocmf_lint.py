"""The lint: each rule found where it breaks, with what the existing verifier does about it.

pyocmf holds a second reading of that verifier's code: where both judge, they must agree.
"""

from __future__ import annotations

import random
import warnings
from typing import Any

import pyocmf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocmf_samples import SIGNER, payload_of, text_of, with_reading

from wattest.errors import OcmfError
from wattest.exports.ocmf import Digits, write_json
from wattest.exports.ocmf_container import read_items, write_lines, write_xml
from wattest.exports.ocmf_lint import LintReport, OcmfItem, lint_ocmf
from wattest.exports.ocmf_rules import RULES
from wattest.exports.ocmf_verifier import is_compensated, is_counted, obis_groups


def linted(*payloads: dict[str, Any], spki: bytes | None = SIGNER.spki) -> LintReport:
    return lint_ocmf([OcmfItem(data=text_of(payload), spki=spki) for payload in payloads])


def rules(report: LintReport) -> set[int]:
    return {finding.rule.number for finding in report.all_findings}


def test_sound_session_has_no_finding() -> None:
    report = linted(payload_of())
    assert report.all_findings == ()
    assert report.passed


def test_rules_are_numbered_without_a_gap_and_say_both_sides() -> None:
    assert sorted(RULES) == list(range(1, len(RULES) + 1))
    assert all(rule.standard and rule.verifier for rule in RULES.values())


TWO = [Digits("1.25"), Digits("3.50")]
REGISTERS = payload_of()["RD"]
BREAKS: dict[str, tuple[dict[str, Any], int, bool]] = {
    "no version": (payload_of(FV=None), 5, True),
    "version 1.4": (payload_of(FV="1.4"), 5, True),
    "no page": (payload_of(PG=None), 6, True),
    "page of one letter": (payload_of(PG="T"), 6, True),
    "page with a zero": (payload_of(PG="T01"), 7, False),
    "no meter": (payload_of(MS=None), 8, False),
    "no user block": (payload_of(IT=None), 9, False),
    "user unknown": (payload_of(IL="UNKNOWN"), 10, True),
    "level nobody knows": (payload_of(IL="SURELY"), 40, False),
    "flags are no list": (payload_of(IF="NONE"), 11, True),
    "no readings": (payload_of(RD=None), 12, True),
    "readings are no objects": (payload_of(RD=[1]), 12, True),
    "empty readings": (payload_of(RD=[]), 43, False),
    "time with a colon": (with_reading(1, TM="2026-01-01T13:00:00,000+00:00 S"), 13, False),
    "letter of time unknown": (with_reading(1, TM="2026-01-01T13:00:00,000+0000 Z"), 13, False),
    "no letter at first": (with_reading(0, TM="2026-01-01T12:00:00,000+0000"), 14, True),
    "relative at first": (with_reading(0, TM="2026-01-01T12:00:00,000+0000 R"), 15, True),
    "reason unknown": (with_reading(1, TX="Q"), 16, False),
    "only a beginning": (payload_of(RD=REGISTERS[:1]), 17, False),
    "only an end": (payload_of(RD=REGISTERS[1:]), 17, False),
    "two beginnings": (payload_of(RD=[REGISTERS[0], *REGISTERS]), 18, True),
    "export register": (payload_of(RD=[{**r, "RI": "1-0:2.8.0"} for r in REGISTERS]), 18, True),
    "register 198": (payload_of(RD=[{**r, "RI": "1-0:1.8.0*198"} for r in REGISTERS]), 18, True),
    "no value": (with_reading(1, RV=None), 19, True),
    "value is a word": (with_reading(1, RV="much"), 19, True),
    "value is a text": (with_reading(1, RV=" 3.5"), 20, False),
    "six decimals": (with_reading(1, RV=Digits("3.500000")), 21, False),
    "register inherited": (with_reading(1, RI=None), 22, True),
    "no unit": (with_reading(0, RU=None), 42, True),
    "unit of work": (with_reading(1, RU="MJ"), 23, False),
    "code is no OBIS": (with_reading(1, RI="energy"), 24, True),
    "no status": (with_reading(0, ST=None), 25, True),
    "status unknown": (with_reading(1, ST="Q"), 41, True),
    "meter not well": (with_reading(1, ST="T"), 26, True),
    "energy not usable": (with_reading(1, EF="E"), 27, True),
    "time not usable": (with_reading(1, EF="t"), 28, False),
    "current unknown": (with_reading(1, RT="3P"), 29, False),
    "register goes down": (with_reading(1, RV=Digits("1.249")), 30, True),
    "time goes back": (with_reading(1, TM="2026-01-01T11:59:59,999+0000 S"), 30, True),
    "own key in a reading": (with_reading(1, XV=Digits("1")), 31, False),
    "foreign key at the top": (payload_of(QQ=1), 31, False),
    "long tariff": (payload_of(TT="t" * 251), 39, False),
}


@pytest.mark.parametrize(("payload", "rule", "refused"), BREAKS.values(), ids=BREAKS)
def test_broken_rule_is_found_and_what_becomes_of_it_is_said(
    payload: dict[str, Any], rule: int, refused: bool
) -> None:
    report = linted(payload)
    assert rule in rules(report)
    assert report.refused is refused
    assert all(text.signature.state == "valid" for text in report.texts)


def test_session_whose_readings_are_swapped_is_refused_even_under_a_good_signature() -> None:
    begin, end = payload_of()["RD"]
    swapped = [{**end, "TX": "B"}, {**begin, "TX": "E"}]
    report = linted(payload_of(RD=swapped))
    assert [finding.rule.number for finding in report.all_findings] == [30, 30]
    # Only their order in the list: the verifier goes by TX, so it does not matter to it.
    assert linted(payload_of(RD=[end, begin])).passed


def test_swapping_readings_of_a_signed_text_breaks_its_signature() -> None:
    text = text_of(payload_of())
    begin, end = (write_json(reading).encode() for reading in payload_of()["RD"])
    swapped = text.replace(begin + b"," + end, end + b"," + begin)
    assert swapped != text
    report = lint_ocmf([OcmfItem(data=swapped, spki=SIGNER.spki)])
    assert rules(report) == {35}
    assert report.refused


SECTIONS = {
    "algorithm unknown": ('{"SA":"RSA-2048","SD":"00"}', {32}),
    "no signature": ("{}", {33}),
    "not hexadecimal": ('{"SD":"xyz"}', {33}),
    "encoding unknown": ('{"SE":"base32","SD":"00"}', {33}),
    "kind of signature unknown": ('{"SM":"text/plain","SD":"00"}', {34, 35}),
    "key that OCMF has not": ('{"QQ":1,"SD":"00"}', {31, 35}),
}


@pytest.mark.parametrize(("section", "numbers"), SECTIONS.values(), ids=SECTIONS)
def test_signature_section_is_checked(section: str, numbers: set[int]) -> None:
    text = f"OCMF|{write_json(payload_of())}|{section}".encode()
    assert rules(lint_ocmf([OcmfItem(data=text, spki=SIGNER.spki)])) == numbers


@pytest.mark.parametrize(
    ("data", "rule"),
    [(b"", 1), (b"OCMF|{}", 1), (b"XXXX|{}|{}", 1), (b"OCMF|{|{}", 4), (b"OCMF|{\xff}|{}", 3)],
)
def test_text_without_the_form_is_a_finding_and_refused(data: bytes, rule: int) -> None:
    report = lint_ocmf([OcmfItem(data=data)])
    assert rules(report) == {rule}
    assert report.refused


def test_fourth_part_is_a_key_that_does_not_belong_there() -> None:
    text = text_of(payload_of()) + b"|" + SIGNER.spki.hex().encode()
    report = lint_ocmf([OcmfItem(data=text, spki=SIGNER.spki)])
    assert rules(report) == {2}
    assert report.passed


# ---- several texts ----


def fiscal(number: int, **changes: Any) -> dict[str, Any]:
    reading = {key: value for key, value in REGISTERS[0].items() if key != "TX"}
    return {"FV": "1.3", "PG": f"F{number}", "MS": "METER-1", "RD": [reading], **changes}


def test_missing_pages_of_a_day_are_named() -> None:
    day = [fiscal(number) for number in range(40, 136)]
    assert linted(*day).passed
    report = linted(*(text for text in day if text["PG"] not in {"F50", "F70", "F71", "F72"}))
    (finding,) = report.findings
    assert finding.message == "missing: F50, F70 to F72"
    assert not report.refused, "that verifier does not compare pages"
    assert not report.passed, "ours does"


def test_page_that_stands_twice_is_named() -> None:
    other = fiscal(7, MS="METER-2")
    assert linted(fiscal(6), fiscal(7), other).passed
    (same,) = linted(fiscal(6), fiscal(7), fiscal(7)).findings
    assert same.message == "page F7 stands 2 times: the same text"
    (differs,) = linted(fiscal(6), fiscal(7), fiscal(7, WE=[1])).findings
    assert differs.message == "page F7 stands 2 times: different texts"


def test_letters_and_signers_have_pages_of_their_own() -> None:
    texts = [payload_of(PG="T5"), fiscal(1), fiscal(9, GS="gateway"), fiscal(2)]
    assert linted(*texts).findings == ()


def pair(begin: dict[str, Any], end: dict[str, Any]) -> LintReport:
    items = [
        OcmfItem(data=text_of(payload), spki=SIGNER.spki, transaction="7", context=context)
        for payload, context in ((begin, "begin"), (end, "end"))
    ]
    return lint_ocmf(items)


def half(number: int, **changes: Any) -> dict[str, Any]:
    return payload_of(PG=f"T{number + 1}", RD=[{**REGISTERS[number], **changes}])


def test_pair_of_texts_is_judged_as_one_transaction() -> None:
    assert pair(half(0), half(1)).passed
    assert 26 in rules(pair(half(0), half(1, ST="D")))
    assert 30 in rules(pair(half(0), half(1, RV=Digits("0.5"))))
    assert 38 in rules(pair(half(1), half(0)))
    report = pair(half(0), {**half(1), "MS": "METER-2"})
    assert not report.refused
    assert not report.complete
    alone = lint_ocmf([OcmfItem(data=text_of(half(0)), transaction="7", context="begin")])
    assert rules(alone) == {17}
    both = [OcmfItem(data=text_of(half(0)), transaction="7", context="begin")] * 2
    assert 38 in rules(lint_ocmf(both))


# ---- files ----


def test_lines_and_xml_carry_texts_unchanged() -> None:
    texts = [text_of(payload_of(ID='<&>"]]>')).decode(), text_of(fiscal(1)).decode()]
    from_lines = read_items(write_lines(texts).encode(), SIGNER.spki)
    from_xml = read_items(write_xml([(text, SIGNER.spki) for text in texts]).encode())
    assert [item.data.decode() for item in from_lines] == texts
    assert from_lines == from_xml
    assert all(text.signature.state == "valid" for text in lint_ocmf(from_xml).texts)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_xml_with_a_document_type_is_refused_in_every_encoding_it_may_have(encoding: str) -> None:
    grown = '<!DOCTYPE values [<!ENTITY a "OCMF|{}|{}">]><values>&a;</values>'
    xml = f'<?xml version="1.0"?>{grown}'.encode(encoding)
    with pytest.raises(OcmfError, match="doctype at byte 0"):
        read_items(xml)


# ---- beside pyocmf ----


def judged_by_pyocmf(payload: dict[str, Any]) -> bool:
    """Whether pyocmf says that the verifier refuses the text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyocmf.SpecWarning)
        text = pyocmf.OCMF.from_string(text_of(payload).decode())
        return bool(text.check_eichrecht(errors_only=True))


CHOICES: dict[str, list[Any]] = {
    "TM": [f"2026-01-01T1{hour}:00:00,000+0000 {letter}" for hour in "123" for letter in "USIR"],
    "TX": ["B", "E", "P", "C", "L", "X"],
    "RV": [Digits("1.25"), Digits("3.5"), Digits("3.500")],
    "ST": ["G", "G", "G", "G", "T", "D"],
    "EF": ["", "", "", "t", "E", "Et"],
}
CODES = [
    "01-00:01.08.00*FF",
    "1-b:1.8.0",
    "1-0:98.8.0",
    "1-0:B2.8.0*FF",
    "1-0:2.8.0",
    "1-0:C0.8.0",
]


def test_verdict_about_readings_is_that_of_pyocmf() -> None:
    """Goal: our model of the verifier is no private idea. Method: 1,500 drawn sessions."""
    chance = random.Random(20260101)
    refused = 0
    for _ in range(1500):
        code = chance.choice(CODES)
        readings = []
        for reason in ("B", "E"):
            drawn = {key: chance.choice(values) for key, values in CHOICES.items()}
            if chance.random() < 0.8:
                drawn["TX"] = reason
            readings.append({**REGISTERS[0], **drawn, "RI": code})
        payload = payload_of(RD=readings, IL=chance.choice(["NONE", "TRUSTED", "INVALID"]))
        report = linted(payload, spki=None)
        if 17 in rules(report):
            continue  # a text without both ends: pyocmf judges its readings one by one
        assert report.refused == judged_by_pyocmf(payload), write_json(payload)
        refused += report.refused
    assert 300 < refused < 1400


@pytest.mark.parametrize(
    "code",
    [*CODES, "1-0:9E.8.0", "1-0:C8.8.0", "1-0:1.8.0*200", "1-0:1.8.0*198", "1-0:1.7.0", "x"],
)
def test_registers_that_count_are_those_of_pyocmf(code: str) -> None:
    obis = pyocmf.OBIS.from_string(code)
    assert is_counted(code) is obis.is_law_relevant
    assert is_compensated(code) is obis.is_loss_compensated


def test_obis_groups_are_hexadecimal() -> None:
    assert obis_groups("01-00:B2.08.00*FF") == (1, 0, 0xB2, 8, 0, 255)
    assert obis_groups("1-0:1.8.0") == (1, 0, 1, 8, 0, 0)
    assert obis_groups("energy") is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([Digits("1e999999999"), Digits("-0"), Digits("7"), Digits("9" * 400)])
    | st.sampled_from(["", "B", "E", "1.3", "1e9999999999999999999", "T1", "NaN", "1-0:1.8.0"])
    | st.sampled_from(
        ["2026-13-41T25:61:61,000+9999 S", "2026-01-01T12:00:00,000-2359 R", "\u0663"]
    )
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(st.sampled_from(["", *payload_of()]), st.sampled_from(list(REGISTERS[0])), JSON)
def test_lint_says_something_about_anything_and_never_fails(
    key: str, field: str, value: Any
) -> None:
    payload = payload_of(**{key: value}) if key else with_reading(1, **{field: value})
    text = f"OCMF|{write_json(payload)}|".encode()
    for section in ({"SD": "00"}, {"SD": "00", "SA": value}, {"SD": value, "SE": value}):
        data = text + write_json({**section, "SM": value}).encode()
        assert lint_ocmf([OcmfItem(data=data, spki=SIGNER.spki)]).refused
