"""Bad load files: each is refused with one line that names file, line and column."""

import re

import pytest

from wattest.errors import ConfigError
from wattest.scenario.csv_load import parse_csv_load
from wattest.scenario.csv_options import CsvOptions, Fill, Interpolation

E = {"time_format": "elapsed"}
CASES = {
    "empty": ("", E, "load.csv: a header and at least one row expected, got 0 lines"),
    "only a header": ("time,p\n", E, "a header and at least one row expected, got 1 lines"),
    "only blank rows": ("time,p\n\n\n", E, "at least one row expected, got only a header"),
    "missing column": (
        "time,power\n0,1\n1,2\n",
        {**E, "column": "powr"},
        "load.csv: column: a column of the file expected, got 'powr'; did you mean 'power'?",
    ),
    "no such column at all": (
        "time,power\n0,1\n1,2\n",
        {**E, "column": "xyz"},
        "got 'xyz'; it has time, power",
    ),
    "column number too large": ("time,p\n0,1\n1,2\n", {**E, "column": "#3"}, "got '#3'"),
    "missing time column": ("time,p\n0,1\n1,2\n", {**E, "time": ("when",)}, "load.csv: time: "),
    "missing voltage column": (
        "time,p\n0,1\n1,2\n",
        {**E, "voltage_column": "u"},
        "load.csv: voltage_column: ",
    ),
    "two candidates": (
        "time,a,b\n0,1,2\n1,2,3\n",
        E,
        "one value column expected, got 2: a, b; name the column",
    ),
    "no time": ("a,p\nx,1\ny,2\n", {}, "a time in the first column ('a') or a step expected"),
    "NaN": (
        "time,p\n0,1\n1,NaN\n",
        E,
        "load.csv: line 3, column p: number expected, got none; missing = ",
    ),
    "NaN at the start, to be held": (
        "time,p\n0,nan\n1,2\n",
        {**E, "missing": Fill.HOLD},
        "line 2, column p: number expected, got none; no number beside it",
    ),
    "NaN at the end, to be interpolated": (
        "time,p\n0,1\n1,nan\n",
        {**E, "missing": Fill.LINEAR},
        "line 3, column p: number expected, got none; no number beside it",
    ),
    "no number": (
        "time,p\n0,1\n1,many\n",
        E,
        "load.csv: line 3, column p: number expected, got 'many'",
    ),
    "hexadecimal": ("time,p\n0,0x10\n1,2\n", E, "line 2, column p: number expected, got '0x10'"),
    "decimal comma": (
        "time;p\n0;1,5\n1;2,5\n",
        E,
        "number expected, got '1,5'; a decimal comma needs decimal = ','",
    ),
    "thousands point": (
        "time;p\n0;1.500,5\n1;2\n",
        {**E, "decimal": ","},
        "number expected, got '1.500,5'",
    ),
    "negative time": (
        "time,p\n-1,1\n0,2\n",
        E,
        "load.csv: line 2, column time: time not before zero expected, got -1",
    ),
    "negative unix time": (
        "time,p\n-5,1\n0,2\n",
        {"time_format": "unix"},
        "line 2, column time: time not before zero expected",
    ),
    "a year before 1970": (
        "time,p\n1969-12-31T23:59:59Z,1\n1970-01-01T00:00:00Z,2\n",
        {"time": ("time",)},
        "line 2, column time: time not before zero expected",
    ),
    "backward time": (
        "time,p\n0,1\n5,2\n3,3\n",
        E,
        "line 4, column time: a time after that of line 3 expected, got 2s earlier; backward =",
    ),
    "the same time twice": ("time,p\n0,1\n0,2\n", E, "line 3, column time: .* the same time"),
    "gap": (
        "time,p\n0,1\n1,2\n9,3\n",
        E,
        "line 4, column time: a row every 1s expected, got a gap of 8s after line 3; gap =",
    ),
    "broken time": (
        "time,p\n2026-06-15T12:00,1\nnoon,2\n",
        {},
        "line 3, column time: ISO date-time .* got 'noon'",
    ),
    "broken patterned time": (
        "time,p\n1/1/2026,1\n1/13/2026,2\n",
        {"time_format": "%d/%m/%Y"},
        "line 3, column time: time of the form %d/%m/%Y expected, got '1/13/2026'",
    ),
    "time with half a nanosecond": (
        "time,p\n0,1\n0.0000000005,2\n",
        E,
        "line 3, column time: whole nanoseconds expected",
    ),
    "pattern with month names": (
        "time,p\n1 Jan 2026,1\n",
        {"time_format": "%d %b %Y"},
        "load.csv: time_format: iso, elapsed, unix",
    ),
    "too few cells": ("time,p\n0,1\n1\n", E, "load.csv: line 3: 2 cells expected, got 1"),
    "too many cells": ("time,p\n0,1\n1,2,3\n", E, "line 3: 2 cells expected, got 3"),
    "a quote that never ends": ('time,p\n0,1\n1,"2\n', E, "line 3: broken CSV: "),
    "unknown unit": ("time,p\n0,1\n1,2\n", {**E, "unit": "hp"}, "load.csv: unit: one of uW, mW"),
    "current without voltage": (
        "time,i\n0,1\n1,2\n",
        {**E, "unit": "A"},
        "voltage_column: a voltage column expected for a current in A",
    ),
    "voltage of zero": (
        "time,i,u\n0,1,230\n1,2,0\n",
        {**E, "unit": "A", "column": "i", "voltage_column": "u"},
        "line 3, column u: voltage above zero expected",
    ),
    "energy with straight lines": (
        "time,e\n0,1\n1,2\n",
        {**E, "unit": "Wh", "interpolation": Interpolation.LINEAR},
        "interpolation: hold expected for Wh per interval, got linear",
    ),
    "one row": (
        "time,p\n0,1\n",
        E,
        "at least two rows expected, got one; give its length as step",
    ),
    "everything skipped": (
        "time,p\n0,1\n1,2\n",
        {**E, "skip_ns": 2 * 10**9},
        "load.csv: skip: less than 2s expected, got 2s",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_bad_load_file_is_refused_in_one_line(case):
    text, options, message = case
    with pytest.raises(ConfigError) as caught:
        parse_csv_load(text, CsvOptions(**options), path="load.csv", un_mv=48_000)
    line = caught.value.diagnostics()
    assert "\n" not in line
    assert line.startswith("load.csv: ")
    pattern = message if ".*" in message else re.escape(message)
    assert re.search(pattern, line), line
    assert caught.value.exit_code == 2
