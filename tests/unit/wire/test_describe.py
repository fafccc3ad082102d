"""A record in words: exact numbers, and every value of the record somewhere."""

from __future__ import annotations

import pytest
from wire_oracle import event, reading, unsigned, vectors

from wattest.wire import parse_record
from wattest.wire.describe import (
    decimal_text,
    describe_envelope,
    describe_record,
    hex_dump,
    obis_text,
    time_text,
)


def lines_of(data: bytes) -> dict[str, tuple[str, str]]:
    """Label to value and note."""
    return {line.label: (line.value, line.note) for line in describe_record(parse_record(data))}


@pytest.mark.parametrize(
    ("mantissa", "scale", "text"),
    [
        (123_456, -3, "123.456"),
        (5, -3, "0.005"),
        (-5, -3, "-0.005"),
        (0, -3, "0.000"),
        (-12_000, -3, "-12.000"),
        (12, 0, "12"),
        (-12, 2, "-1200"),
    ],
)
def test_decimal_keeps_every_digit(mantissa: int, scale: int, text: str) -> None:
    assert decimal_text(mantissa, scale) == text


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_268_800_123, "2026-01-01T12:00:00.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (2**62, f"{2**62} ms"),
    ],
)
def test_time_is_written_in_utc(time_ms: int, text: str) -> None:
    assert time_text(time_ms) == text


def test_obis_is_written_in_hex_groups() -> None:
    assert obis_text(bytes.fromhex("0100010800ff")) == "01-00:01.08.00*FF"


def test_reading_says_its_registers_with_units() -> None:
    lines = lines_of(unsigned(reading()))
    assert lines["active energy import"] == ("123.456 Wh", "01-00:01.08.00*FF")
    assert lines["active power"] == ("-48.000 W", "01-00:10.07.00*FF")
    assert lines["time in use"] == ("60 s", "00-00:60.08.00*FF")
    assert lines["status"] == ("G", "good")
    assert lines["time"] == ("2026-01-01T12:00:00.000Z", "clock synchronised")


def test_everything_optional_is_said() -> None:
    user = [True, "TRUSTED", ["RFID"], "LOCAL", "a-b"]
    body = {2: 1, 3: None, 8: "E", 9: "B", 13: 1, 14: {1: 1, 2: 2, 3: 3}, 15: user, 16: 1, 30: 9}
    lines = lines_of(unsigned(reading(body=body, claims={5: "new"})))
    assert lines["time"] == ("never set", "clock synchronised")
    assert lines["err"] == ("E", "energy not usable")
    assert lines["tx"] == ("B", "begin")
    assert lines["cur"] == ("1", "DC")
    assert lines["user"] == ("a-b", "TRUSTED LOCAL RFID")
    assert lines["loss"] == ("{1: 1, 2: 2, 3: 3}", "")
    assert lines["input"] == ("1", "injected")
    assert lines["key 30"] == ("9", "not known")
    assert lines["key 5"] == ("'new'", "not known")


def test_events_say_their_fields_by_name() -> None:
    lines = lines_of(unsigned(event({1: 2, 3: 0, 4: 2})))
    assert lines["event"] == ("time-set", "")
    assert lines["old-time"] == ("absent", "")
    assert lines["new-time"] == ("0", "1970-01-01T00:00:00.000Z")
    claims = {256: bytes(7), 261: 4, 263: 0, 270: "node", 271: ["1"]}
    lines = lines_of(unsigned(event({1: 1, 2: 1, 3: 0, 4: 2, 5: 0}, claims=claims)))
    assert lines["registers-from"] == ("2", "journal")
    assert lines["dbgstat"] == ("0", "debugging open")
    assert lines["software"] == ("node", "1")
    assert lines["ueid"] == ("00" * 7, "")
    lines = lines_of(unsigned(event({1: 7}, claims={10: bytes(8)})))
    assert lines["nonce"] == ("00" * 8, "answers a challenge")
    boot = {1: 1, 2: 1, 3: 0, 4: 2, 5: 0}
    lines = lines_of(unsigned(event(boot, body={24: bytes(9), 25: 1}, claims=claims)))
    assert lines["element"] == ("00" * 9, "has the key, says the node")
    assert lines["key 25"] == ("1", "not known")
    assert "key 24" not in lines


@pytest.mark.parametrize("one", vectors()["records"], ids=lambda one: one["name"])
def test_envelope_holds_the_hex_of_each_part(one: dict[str, str]) -> None:
    data = bytes.fromhex(one["record"])
    values = {line.label: line.value for line in describe_envelope(data)}
    assert values["kid"] == vectors()["kid"]
    assert one["record"].endswith(values["signature r"] + values["signature s"])
    assert values["payload"] in one["record"]
    assert describe_record(parse_record(data))[0].value == vectors()["kid"]


def test_hex_dump_has_sixteen_bytes_a_line() -> None:
    first, second = hex_dump(b"0123456789abcdef\x00\x7f")
    assert first == "0000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef"
    assert second.split("  ")[:2] == ["0010", "00 7f"]
    assert second.endswith("  ..")
    assert second.index("..") == first.index("0123456789abcdef")
