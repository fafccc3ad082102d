"""Dialects are data that people write: every wrong key is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.errors import ConfigError
from wattest.instruments.dialect import InstrumentKind, dialect_names, load_dialect

GOOD = """
title = "a load"
kind = "load"
identity = "ACME"
tcp_port = 5025
baud = 9600
switch = [":INPut"]
current = ":CURRent"
current_max_ma = 1000
voltage_max_mv = 1000
"""


def test_the_dialects_that_come_with_the_project_can_be_read():
    assert {load_dialect(name).kind for name in dialect_names()} == set(InstrumentKind)
    assert dialect_names() == ("rigol-dl3000", "scpi-supply", "siglent-sdl1000x")


def test_a_dialect_may_be_a_file_of_the_user(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    dialect = load_dialect(str(path))
    assert (dialect.name, dialect.switch, dialect.mode) == ("mine", (":INPut",), "")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="rigol-dl3000") as caught:
        load_dialect("rigol-dl300")
    assert "did you mean 'rigol-dl3000'" in caught.value.diagnostics()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('kind = "load"', 'kind = "battery"', "kind: one of load, supply expected"),
        ('identity = "ACME"', 'identity = "("', "identity: a regular expression expected"),
        ('switch = [":INPut"]', "switch = []", "switch: at least one header expected"),
        ('switch = [":INPut"]', 'switch = ["IN PUT"]', "switch: at least one header expected"),
        ('current = ":CURRent"', 'current = "1 A"', "current: a SCPI header"),
        ('current = ":CURRent"', "", "current"),
        ('kind = "load"', 'kind = "supply"', "voltage"),
        ("tcp_port = 5025", "tcp_port = 70000", "tcp_port"),
        ("baud = 9600", "baud = 9600\nbuad = 1", "buad"),
        ("baud = 9600", 'baud = 9600\nmode = ":MODE"', "fixed"),
    ],
)
def test_what_is_wrong_in_a_dialect_is_named(tmp_path: Path, old: str, new: str, expected: str):
    path = tmp_path / "wrong.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=expected) as caught:
        load_dialect(str(path))
    assert str(path) in str(caught.value)
