"""`wattest decode` finds out what bytes are, and where they stop being right."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from wattest.cli import decode_kinds, main
from wattest.errors import CborError, CoseError, RecordError, UsageError
from wattest.ledger import CheckpointSigner
from wattest.wire import cbor, encode_frame, encode_line, kid_of, spki_der

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "records.json").read_text())
RECORDS = [bytes.fromhex(vector["record"]) for vector in VECTORS["records"]]
KEY = bytes.fromhex(VECTORS["public"])


def decoded(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Run ``wattest decode --json`` and return its code and document."""
    code = main.main(["decode", "--json", *argv])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("data", RECORDS, ids=[vector["name"] for vector in VECTORS["records"]])
def test_record_is_explained_and_holds_by_three_implementations(data: bytes) -> None:
    explained = decode_kinds.explain(data, key=KEY)
    assert explained.sound
    assert explained.look is not None
    assert explained.look.as_json() == {
        "cbor2_agrees": True,
        "signature_openssl": True,
        "signature_ecdsa": True,
    }


def test_record_shows_exact_registers(capsys: pytest.CaptureFixture[str]) -> None:
    position = next(i for i, v in enumerate(VECTORS["records"]) if "on the grid" in v["name"])
    code, document = decoded([RECORDS[position].hex()], capsys)
    assert code == 0
    assert document["kid"] == VECTORS["kid"]
    registers = {r["name"]: (r["value"], r["unit"]) for r in document["registers"]}
    assert registers["active energy import"] == ("1234.567", "Wh")
    assert document["second_opinion"]["signature_openssl"] is None


def test_another_key_does_not_verify_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    other = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
    other += bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    code, document = decoded(["--key", other.hex(), RECORDS[0].hex()], capsys)
    assert code == 1
    assert document["second_opinion"]["signature_openssl"] is False
    assert document["second_opinion"]["signature_ecdsa"] is False


def test_key_that_is_no_point_does_not_verify() -> None:
    explained = decode_kinds.explain(RECORDS[0], key=bytes(63) + b"\x01")
    assert explained.look is not None
    assert (explained.look.openssl, explained.look.ecdsa) == (False, False)


def test_every_flipped_bit_of_a_record_is_noticed() -> None:
    data = RECORDS[2]
    for bit in range(0, 8 * len(data), 5):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            explained = decode_kinds.explain(bytes(flipped), key=KEY)
        except (CborError, CoseError, RecordError):
            continue
        assert not explained.sound, f"bit {bit}"


def test_stream_is_split_into_text_frames_and_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = encode_frame(1, bytes(4) + RECORDS[0])
    broken = bytearray(encode_frame(4, bytes(4)))
    broken[3] ^= 0x40
    stream = b"MicroPython v1.27\r\n" + frame + b"hello\n" + encode_frame(4, bytes([0, 0, 1, 0]))
    (tmp_path / "frames.bin").write_bytes(stream + bytes(broken))
    code, document = decoded([str(tmp_path / "frames.bin")], capsys)
    assert code == 1
    kinds = [part["what"] for part in document["parts"]]
    assert kinds[:4] == ["text", "frame", "text", "frame"]
    assert "damaged frame" in kinds
    assert document["parts"][1]["parts"][0]["serial"] == VECTORS["serial"]
    assert document["parts"][3]["bytes"] == 256


def test_hello_and_reply_of_a_node_are_told_by_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = bytes(range(64))
    kid = kid_of(spki_der(key))
    hello = {1: kid, 2: "HP-0001", 3: 0, 4: 9, 5: 7, 6: 3, 7: 1, 8: key, 9: 0}
    stream = encode_frame(2, cbor.encode(hello)) + encode_frame(3, cbor.encode({1: 4, 2: 0}))
    code, document = decoded([stream.hex()], capsys)
    assert code == 0
    told, answered = document["parts"]
    assert (told["kid"], told["serial"]) == (kid.hex(), "HP-0001")
    assert (told["next_position"], told["unacknowledged_position"]) == (9, 7)
    assert told["answers"] == 0
    assert (answered["counter"], answered["refusal"]) == (4, 0)


def test_lines_to_a_node_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    line = encode_line(0x11, bytes(20))
    code, document = decoded([(line + line).hex()], capsys)
    assert code == 0
    assert [part["kind"] for part in document["parts"]] == ["11 ack", "11 ack"]


def test_checkpoint_note_is_told_with_what_was_not_checked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    signed = CheckpointSigner("wattest/test", bytes(32)).sign(3, bytes(range(32)))
    (tmp_path / "checkpoint").write_bytes(signed.note)
    code, document = decoded([str(tmp_path / "checkpoint")], capsys)
    assert code == 0
    assert document["size"] == 3
    assert document["signed by, not checked"][0].startswith("wattest/test ")


def test_ledger_entry_is_told_by_its_kind() -> None:
    explained = decode_kinds.explain(b"\x01" + RECORDS[2])
    assert explained.what == "ledger entry"
    assert explained.parts[0].what == "record"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "truncated"),
        (b"\x18\x01", "shortest-head"),
        (b"\xf6", "null"),
        (b"\xa2\x02\x01\x01\x01", "map-order"),
    ],
)
def test_cbor_that_is_not_deterministic_is_named_by_rule(data: bytes, rule: str) -> None:
    with pytest.raises(CborError, match=rule):
        decode_kinds.explain(data)


def test_truncation_at_every_byte_of_a_record_is_named() -> None:
    for size in range(1, len(RECORDS[0])):
        with pytest.raises((CoseError, RecordError), match="at byte"):
            decode_kinds.explain(RECORDS[0][:size])


def test_bytes_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"a1 01:02\n")))
    code, document = decoded(["-"], capsys)
    assert (code, document["value"]) == (0, {"1": 2})


@pytest.mark.parametrize("source", ["no-such-file", "abc", "0xff", ""])
def test_source_that_is_neither_file_nor_hex_is_refused(source: str) -> None:
    from wattest.cli.decode import read_source

    with pytest.raises(UsageError, match="neither a file nor an even number"):
        read_source(source)


def test_show_prints_fields_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["decode", "--key", KEY.hex(), RECORDS[2].hex()]) == 0
    out = capsys.readouterr().out
    assert "VECTOR-0001" in out
    assert "(clock unknown)" in out
    assert "OpenSSL: holds; ecdsa: holds" in out
    assert "0000  d2 84 58 32" in out
