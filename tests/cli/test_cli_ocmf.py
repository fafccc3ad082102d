"""`wattest ocmf lint` at the command line: what it prints, its exit code, and wrong input."""

from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from wattest.cli import main
from wattest.exports.ocmf import Digits, write_json
from wattest.exports.ocmf_container import write_xml
from wattest.exports.ocmf_signature import OcmfSigner

SIGNER = OcmfSigner(77)


def reading(reason: str, value: str, **changes: Any) -> dict[str, Any]:
    hour = 12 if reason == "B" else 13
    return {
        "TM": f"2026-01-01T{hour}:00:00,000+0000 S", "TX": reason, "RV": Digits(value),
        "RI": "01-00:01.08.00*FF", "RU": "kWh", "EF": "", "ST": "G", **changes,
    }  # fmt: skip


def text(page: str = "T1", **changes: Any) -> str:
    readings = [reading("B", "1.00"), reading("E", "2.50", **changes)]
    head = {"FV": "1.3", "PG": page, "MS": "M", "IS": False, "IL": "NONE", "IF": [], "IT": "NONE"}
    return SIGNER.sign(write_json({**head, "ID": "", "RD": readings}))


def lint(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main.main(["ocmf", "lint", *argv])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_sound_text_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.ocmf"
    file.write_text(text())
    key = SIGNER.spki.hex()
    assert lint([str(file), "--key", key], capsys) == (0, "T1: signature valid\naccepted\n", "")
    assert lint([str(file), "--key", SIGNER.public_key.hex()], capsys)[0] == 0
    code, out, _ = lint([str(file)], capsys)
    assert code == 0
    assert "no key was given, signatures are not checked" in out


def test_finding_names_the_rule_and_what_the_verifier_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.xml"
    file.write_text(write_xml([(text(ST="D"), SIGNER.spki)]))
    code, out, _ = lint([str(file)], capsys)
    assert code == 1
    assert out.splitlines() == [
        "T1: signature valid",
        "  fails T1 RD[1].ST: D: the meter was not well",
        "    rule 26: a reading of a meter that is not well is not billed",
        "    Transparenzsoftware 1.4.1: fails when ST is not G at either end",
        "refused: the Transparenzsoftware would not accept this",
    ]
    document = json.loads(lint([str(file), "--json"], capsys)[1])
    assert document["passed"] is False
    assert document["texts"][0]["findings"][0]["rule"] == 26


def test_text_is_read_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(text().encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert lint(["-", "--key", SIGNER.spki.hex()], capsys)[0] == 0


def test_text_cannot_write_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.ocmf"
    file.write_text(text(ST="\x1b[2J", RU="\x1b]0;x\x07"))
    code, out, _ = lint([str(file)], capsys)
    assert code == 1
    assert "\x1b" not in out
    assert "\x07" not in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ocmf: empty at byte 0 (no OCMF text in it)"),
        (b"<values/>", "ocmf: empty at byte 0"),
        (b"<values>", "ocmf: xml at byte 0 (no element found"),
        (b"<other/>", "ocmf: xml at byte 0 (expected <values>, got <other>)"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><values/>", "ocmf: doctype at byte 0 (expected none)"),
        (b"<values><value/></values>", "value 1: expected signedData with a text"),
        (
            b"<values><value><signedData encoding='rot13'>x</signedData></value></values>",
            "value 1: plain, hex or base64, got 'rot13'",
        ),
        (
            b"<values><value><signedData>x</signedData><publicKey>?</publicKey></value></values>",
            "ocmf: key at byte 0 (value 1: neither hexadecimal digits nor base64",
        ),
        (b"<values>\xff</values>", "ocmf: xml at byte 0"),
    ],
)
def test_file_that_is_none_is_one_clear_line_and_exit_1(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.xml"
    file.write_bytes(content)
    code, out, err = lint([str(file)], capsys)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1
    code, out, _ = lint([str(file), "--json"], capsys)
    assert code == 1
    assert json.loads(out)["passed"] is False


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere.xml"], "nowhere.xml: no such file or directory"),
        (["."], "is a directory"),
        (["x", "--key", "zz"], "neither hexadecimal digits nor base64"),
        ([], "the following arguments are required: FILE|-"),
    ],
)
def test_wrong_call_is_exit_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = lint(argv, capsys)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_payload_with_any_bytes_in_it_is_refused_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(7)
    file = tmp_path / "a"
    sound = text().encode()
    begin, end = sound.index(b"|") + 1, sound.rindex(b"|")
    for _ in range(40):
        data = bytearray(sound)
        for place in chance.sample(range(begin, end), chance.randrange(1, 4)):
            data[place] ^= chance.randrange(1, 256)
        file.write_bytes(data)
        code, _, err = lint([str(file), "--key", SIGNER.spki.hex()], capsys)
        assert code == 1
        assert "Traceback" not in err
