"""From signed records to readings: registers, times that later events tell, input changes."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from settlement_bench import ROOT

from wattest.settlement import ReadingBook, collect_readings, node_of_enrolment, reading_of_record
from wattest.settlement.quantity import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    OBIS_USE,
    format_obis,
    parse_obis,
    to_base,
)
from wattest.wire.enrolment import Enrolment, EnrolmentKind
from wattest.wire.record import Event, EventKind, Input, Record
from wattest.wire.record_reader import parse_record

SHARED: dict[str, Any] = json.loads(
    (ROOT / "tests" / "vectors" / "records.json").read_text(encoding="utf-8")
)
RECORDS: dict[str, Record] = {
    entry["name"]: parse_record(bytes.fromhex(entry["record"])) for entry in SHARED["records"]
}
UNTIMED = RECORDS["fiscal reading, clock never set"]
TIME_SET = RECORDS["time set for the first time"]
TIMED = RECORDS["fiscal reading on the grid"]


def test_reading_has_the_registers_of_its_record_in_base_counts() -> None:
    reading = reading_of_record(TIMED, index=7)
    assert reading.registers[OBIS_IMPORT] == TIMED.import_milliwatthours
    assert reading.registers[OBIS_EXPORT] == TIMED.export_milliwatthours
    assert reading.registers[OBIS_USE] == TIMED.use_s
    assert (reading.identity, reading.index) == (TIMED.identity, 7)
    assert reading.payload_digest == TIMED.content_digest


def test_time_set_event_gives_earlier_records_of_its_boot_a_time() -> None:
    assert TIME_SET.event is not None
    book = ReadingBook()
    book.add(UNTIMED, index=0)
    assert book.readings()[0].time_ms is None
    book.add(TIME_SET, index=1)
    derived = book.readings()[0]
    expected = TIME_SET.event.fields[3] - (TIME_SET.mono_ms - UNTIMED.mono_ms)
    assert (derived.time_ms, derived.time_derived) == (expected, True)


def test_derived_times_do_not_depend_on_the_order_of_arrival() -> None:
    later = replace(
        TIME_SET,
        seq=TIME_SET.seq + 1,
        mono_ms=TIME_SET.mono_ms + 60_000,
        event=Event(kind=EventKind.TIME_SET, fields={3: 1_900_000_000_000, 4: 2}),
    )
    entries = [(0, UNTIMED), (1, TIME_SET), (2, TIMED), (3, later)]
    outcomes = {
        tuple(sorted((r.identity, r.time_ms or 0) for r in collect_readings(order)))
        for order in itertools.permutations(entries)
    }
    assert len(outcomes) == 1
    assert TIME_SET.event is not None
    expected = TIME_SET.event.fields[3] - (TIME_SET.mono_ms - UNTIMED.mono_ms)
    assert (UNTIMED.identity, expected) in outcomes.pop()


def test_time_set_event_of_another_boot_tells_nothing() -> None:
    other = replace(TIME_SET, bootseed=b"another.")
    readings = collect_readings([(0, UNTIMED), (1, other)])
    assert readings[0].time_ms is None


def test_records_beyond_the_cut_off_are_left_out_with_the_times_they_tell() -> None:
    readings = collect_readings([(0, UNTIMED), (5, TIME_SET)], size=5)
    assert [(reading.index, reading.time_ms) for reading in readings] == [(0, None)]


@pytest.mark.parametrize(
    ("record_input", "change", "seen"),
    [(1, (0, 1), (1, 1)), (0, (1, 0), (1, 0)), (0, (2, 1), (2, 1)), (0, (0, 0), (0, 0))],
)
def test_input_event_taints_the_side_that_was_not_the_sensor(
    record_input: int, change: tuple[int, int], seen: tuple[int, int]
) -> None:
    record = replace(
        TIME_SET,
        input=Input(record_input),
        event=Event(kind=EventKind.INPUT, fields={2: change[0], 3: change[1]}),
    )
    reading = reading_of_record(record, index=0)
    assert (reading.input, reading.input_after) == seen


def test_reading_from_injected_input_says_so() -> None:
    reading = reading_of_record(RECORDS["fiscal reading from injected input"], index=0)
    assert (reading.input, reading.input_after) == (1, 1)


def test_reading_with_a_silent_sensor_is_not_good() -> None:
    record = RECORDS["fiscal reading with a sensor that did not answer"]
    assert not reading_of_record(record, index=0).status_ok
    assert reading_of_record(TIMED, index=0).status_ok


def test_transaction_keeps_its_reason() -> None:
    assert reading_of_record(RECORDS["transaction begins"], index=0).tx == "B"


def test_node_is_what_its_enrolment_says() -> None:
    enrolment = Enrolment(
        kid=TIMED.kid,
        spki=b"",
        serial="N-1",
        kind=EnrolmentKind.BENCH,
        board="emulated-esp32",
        cfg=bytes(16),
        demo=True,
        power_max_milliwatts=5_000_000,
        enrolled_ms=0,
        asset="roof",
    )
    node = node_of_enrolment(enrolment, index=3)
    assert (node.kid, node.asset, node.kind, node.demo) == (TIMED.kid, "roof", 2, True)
    assert (node.power_max_milliwatts, node.index) == (5_000_000, 3)


@pytest.mark.parametrize(
    ("mantissa", "scale", "unit", "base"),
    [
        (1234, -3, 30, 1234),
        (5, 3, 30, 5_000_000),
        (1999, -6, 30, 1),
        (-1, -6, 27, -1),
        (90, 0, 7, 90),
        (1, 1, 7, 10),
        (3, 0, 255, 3),
        (3, 0, 13, 3000),
    ],
)
def test_register_becomes_whole_base_counts(
    mantissa: int, scale: int, unit: int, base: int
) -> None:
    assert to_base(mantissa, scale, unit) == base


def test_obis_codes_are_read_and_written() -> None:
    assert parse_obis("1-0:1.8.0*255") == OBIS_IMPORT
    assert parse_obis("0000600800FF") == OBIS_USE
    assert format_obis(OBIS_EXPORT) == "1-0:2.8.0*255"
    with pytest.raises(ValueError, match=r"OBIS code like 1-0:1\.8\.0"):
        parse_obis("1-0:1.8.0*256")
