"""OCMF of real chargers, with the verdicts that were computed elsewhere."""

from __future__ import annotations

import json
import warnings
from typing import Any
from xml.etree import ElementTree as ET

import pyocmf
import pytest
import xmlschema
from third_party import vectors

from wattest.exports.ocmf_container import read_items, write_xml
from wattest.exports.ocmf_lint import lint_ocmf

FOLDER = vectors() / "ocmf"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((FOLDER / "expected.json").read_text())[
    "files"
]
# What the existing verifier makes of them, from its code: a register *198 is none that it counts.
REFUSED = {
    "20211007-device-with-evt-ocmf-sss-ses.xml": {18},
    "VW_OCMF_load.xml": set(),
    "test_ocmf_ebee_01.xml": set(),
    "test_ocmf_keba_kcp30.xml": set(),
    "test_ocmf_keba_kcp30_fail.xml": {35},
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_signatures_and_pages_of_real_files_are_as_expected(name: str) -> None:
    report = lint_ocmf(read_items((FOLDER / name).read_bytes()))
    assert [(text.name, str(text.signature.state)) for text in report.texts] == [
        (entry["PG"], entry["signature"]) for entry in EXPECTED[name]
    ]
    assert {text.signature.curve for text in report.texts} == {"secp256r1"}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_verdicts_about_real_files_name_the_rules(name: str) -> None:
    report = lint_ocmf(read_items((FOLDER / name).read_bytes()))
    failing = {item.rule.number for item in report.all_findings if item.rule.fails}
    assert failing == REFUSED[name]
    assert report.passed is not bool(failing)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_pyocmf_agrees_about_real_files(name: str) -> None:
    values = ET.fromstring((FOLDER / name).read_bytes()).findall("value")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyocmf.SpecWarning)
        texts = [pyocmf.OCMF.from_string(v.findtext("signedData") or "") for v in values]
        signed = [
            text.verify_signature("".join((value.findtext("publicKey") or "").split()))
            for text, value in zip(texts, values, strict=True)
        ]
        other = texts[1] if len(texts) == 2 else None
        faults = texts[0].check_eichrecht(other, errors_only=True)
    assert (all(signed) and not faults) is not bool(REFUSED[name])


def test_xml_that_is_written_is_valid_by_the_verifiers_schema() -> None:
    schema = xmlschema.XMLSchema(FOLDER / "values.xsd")
    items = read_items((FOLDER / "VW_OCMF_load.xml").read_bytes())
    written = write_xml([(item.data.decode(), item.spki or b"") for item in items] * 2)
    assert schema.is_valid(written)
    assert read_items(written.encode()) == items * 2
