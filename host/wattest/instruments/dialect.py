"""What differs between instruments, as data: ``bench/instruments/*.toml``, docs/stimulus.md."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wattest.data import data_root
from wattest.errors import ConfigError
from wattest.tables import Table, read_table

_HEADER = r"(:?[A-Za-z]+)+"
_EXPECTED_HEADER = "a SCPI header such as :SOURce:CURRent:LEVel"


class InstrumentKind(StrEnum):
    """How an instrument makes power flow."""

    LOAD = "load"
    """Sinks a set current from a supply that is there."""
    SUPPLY = "supply"
    """Drives a set voltage into a resistor that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The command headers of one family of instruments, without question marks.

    Args:
        name: file name without ``.toml``.
        title: what a person calls it.
        kind: load or supply.
        identity: regular expression that the answer to ``*IDN?`` begins with.
        tcp_port: raw socket port.
        baud: speed of its serial port.
        switch: headers that switch input or output; the first that the unit answers is used.
        current: sets the current: of a supply its limit.
        voltage: sets the voltage of a supply, else "".
        function: selects what is kept constant, or "".
        constant_current: argument of ``function``, or "".
        mode: tells fixed from list mode, or "".
        fixed: what ``mode`` answers in fixed mode, or "".
        current_max_ma: largest current it is asked for.
        voltage_max_mv: largest voltage it is asked for, or may see.
    """

    name: str
    title: str
    kind: InstrumentKind
    identity: str
    tcp_port: int
    baud: int
    switch: tuple[str, ...]
    current: str
    voltage: str
    function: str
    constant_current: str
    mode: str
    fixed: str
    current_max_ma: int
    voltage_max_mv: int


def dialect_names() -> tuple[str, ...]:
    """Return the names of the dialects that come with the project, sorted."""
    return tuple(sorted(path.stem for path in (data_root() / "bench/instruments").glob("*.toml")))


def load_dialect(name_or_path: str) -> Dialect:
    """Read a dialect by its name, or by the path of a ``.toml`` file.

    Raises:
        ConfigError: there is none, or something in it is wrong: names the key.
    """
    if name_or_path.endswith(".toml"):
        return _read(read_table(Path(name_or_path)), Path(name_or_path).stem)
    names = dialect_names()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, n=1)
        raise ConfigError(
            f"one of {', '.join(names)} expected, got {name_or_path!r}",
            path="dialect",
            hint=f"did you mean {near[0]!r}?" if near else "or give the path of a .toml file",
        )
    path = data_root() / "bench/instruments" / f"{name_or_path}.toml"
    return _read(read_table(path), name_or_path)


def _read(table: Table, name: str) -> Dialect:
    identity = table.text("identity")
    try:
        re.compile(identity)
    except re.error as exc:
        raise table.error("identity", f"a regular expression expected: {exc}") from exc
    kind = InstrumentKind(table.choice("kind", [kind.value for kind in InstrumentKind]))
    switch = table.strings("switch")
    if not switch or not all(re.fullmatch(_HEADER, header) for header in switch):
        raise table.error("switch", f"at least one header expected, {_EXPECTED_HEADER}")
    dialect = Dialect(
        name=name,
        title=table.text("title"),
        kind=kind,
        identity=identity,
        tcp_port=table.integer("tcp_port", minimum=1, maximum=65_535),
        baud=table.integer("baud", minimum=300, maximum=4_000_000),
        switch=switch,
        current=_header(table, "current"),
        voltage=_header(table, "voltage") if kind is InstrumentKind.SUPPLY else "",
        function=_header(table, "function", ""),
        constant_current=table.text("constant_current", "") if "function" in table else "",
        mode=_header(table, "mode", ""),
        fixed=table.text("fixed") if "mode" in table else "",
        current_max_ma=table.integer("current_max_ma", minimum=1),
        voltage_max_mv=table.integer("voltage_max_mv", minimum=1),
    )
    table.finish()
    return dialect


def _header(table: Table, key: str, default: str | None = None) -> str:
    if default is not None and key not in table:
        return default
    return table.text(key, pattern=_HEADER, expected=_EXPECTED_HEADER)
