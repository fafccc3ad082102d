"""Strict reading of TOML that people write: every error names the file, the key, expected, got.

A ``Table`` hands out typed values and remembers what was asked for; ``finish`` refuses the rest,
with the nearest known name. Decimals become exact ``Fraction`` values; nothing becomes a float.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Final

from wattest.errors import ConfigError
from wattest.units import format_decimal, parse_decimal, parse_duration_ns

NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
NAME_EXPECTED: Final = "a name of letters, digits, '-', '_' or '.', at most 32 characters"
_FILE_BYTES_MAX = 4 * 1024 * 1024


class _Required(Enum):
    REQUIRED = 0


REQUIRED: Final = _Required.REQUIRED
"""Default of a key that must be present."""


def read_table(path: Path) -> Table:
    """Read one TOML file.

    Raises:
        ConfigError: no such file, a folder in its place, not UTF-8, broken TOML.
    """
    return parse_table(read_text(path), str(path))


def read_text(path: Path, *, bytes_max: int = _FILE_BYTES_MAX) -> str:
    """Read a text file that a person wrote or exported.

    Args:
        path: the file.
        bytes_max: a larger one is refused.

    Raises:
        ConfigError: it cannot be read, is too large for what it is, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError("file expected, got nothing there", path=str(path)) from None
    except IsADirectoryError:
        raise ConfigError("file expected, got a folder", path=str(path)) from None
    except OSError as exc:
        raise ConfigError(f"cannot be read: {exc.strerror}", path=str(path)) from exc
    if len(data) > bytes_max:
        raise ConfigError(f"at most {bytes_max} bytes expected, got {len(data)}", path=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError(
            f"UTF-8 expected, got byte {exc.start} that is not", path=str(path)
        ) from exc


def parse_table(text: str, path: str) -> Table:
    """Parse TOML text; ``path`` is what errors call it.

    Raises:
        ConfigError: broken TOML, ``nan`` or ``inf``.
    """
    try:
        return Table(tomllib.loads(text, parse_float=_exact), path)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as exc:
        raise ConfigError(f"broken TOML: {exc}", path=path) from exc


def _exact(text: str) -> Fraction:
    return parse_decimal(text.replace("_", ""))


class Table:
    """One TOML table, asked key by key.

    Args:
        values: the parsed table, decimals as ``Fraction``.
        path: the file it came from, for errors.
        prefix: dotted key of this table inside the file, or ``""``.
    """

    def __init__(self, values: Mapping[str, object], path: str, prefix: str = "") -> None:
        self.values = values
        self.path = path
        self.prefix = prefix
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._known.add(key)
        return key in self.values

    def error(self, key: str, message: str, *, hint: str = "") -> ConfigError:
        """Make the error for a key of this table; the caller raises it."""
        return ConfigError(message, path=self.path, key=self.dotted(key), hint=hint)

    def dotted(self, key: str) -> str:
        """Return the full dotted name of a key."""
        return ".".join(part for part in (self.prefix, key) if part)

    def finish(self) -> None:
        """Refuse every key nobody asked for.

        Raises:
            ConfigError: an unknown key, with the nearest known name.
        """
        for key in self.values:
            if key not in self._known:
                near = difflib.get_close_matches(key, sorted(self._known), n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {self._names()}"
                raise self.error(key, "unknown key", hint=hint)

    def text(
        self,
        key: str,
        default: str | _Required = REQUIRED,
        *,
        pattern: str = r"[ -~]{1,80}",
        expected: str = "1 to 80 printable ASCII characters",
    ) -> str:
        """Return a string that matches ``pattern`` whole."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a string", value)
        if key in self.values and re.fullmatch(pattern, value) is None:
            raise self._wrong(key, expected, value)
        return value

    def name(self, key: str, default: str | _Required = REQUIRED) -> str:
        """Return a name: letters, digits, ``-``, ``_`` and ``.``, at most 32 characters."""
        return self.text(key, default, pattern=NAME_PATTERN, expected=NAME_EXPECTED)

    def choice(self, key: str, options: Sequence[str], default: str | _Required = REQUIRED) -> str:
        """Return one of a few words."""
        value = self._get(key, default)
        if not isinstance(value, str) or (key in self.values and value not in options):
            near = difflib.get_close_matches(str(value), options, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise self._wrong(key, f"one of {', '.join(options)}", value, hint=hint)
        return value

    def integer(
        self,
        key: str,
        default: int | _Required = REQUIRED,
        *,
        minimum: int = 0,
        maximum: int = 2**63 - 1,
    ) -> int:
        """Return a whole number within bounds."""
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(key, "a whole number", value)
        if key in self.values and not minimum <= value <= maximum:
            raise self._wrong(key, f"{minimum} to {maximum}", value)
        return value

    def decimal(
        self,
        key: str,
        default: Fraction | int | _Required = REQUIRED,
        *,
        minimum: Fraction | int | None = None,
        maximum: Fraction | int | None = None,
    ) -> Fraction:
        """Return a number exactly as written; a string such as ``"1/3"`` also fits."""
        value = self._get(key, default)
        if isinstance(value, str):
            value = self._fraction(key, value)
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            raise self._wrong(key, "a number", value)
        exact = Fraction(value)
        low = minimum is None or exact >= minimum
        high = maximum is None or exact <= maximum
        if key in self.values and not (low and high):
            raise self._wrong(key, _bounds(minimum, maximum), value)
        return exact

    def flag(self, key: str, default: bool | _Required = REQUIRED) -> bool:
        """Return true or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def duration_ns(
        self,
        key: str,
        default: int | _Required = REQUIRED,
        *,
        minimum_ns: int = 0,
        maximum_ns: int = 20 * 366 * 86_400 * 10**9,
    ) -> int:
        """Return a duration written like ``"90s"`` or ``"24h"``, in nanoseconds."""
        value = self._get(key, default)
        if key not in self.values and isinstance(value, int):
            return value
        if not isinstance(value, str):
            raise self._wrong(key, "a duration such as '90s'", value)
        try:
            duration = parse_duration_ns(value)
        except ValueError as exc:
            raise self.error(key, str(exc)) from None
        if not minimum_ns <= duration <= maximum_ns:
            raise self._wrong(key, f"a duration of at least {minimum_ns} ns", value)
        return duration

    def instant_ms(self, key: str, default: int | _Required = REQUIRED) -> int:
        """Return an offset date-time such as ``2026-06-15T00:00:00Z``, ms since 1970 UTC."""
        value = self._get(key, default)
        if key not in self.values and isinstance(value, int):
            return value
        if not isinstance(value, dt.datetime) or value.tzinfo is None:
            raise self._wrong(key, "a date-time with offset, such as 2026-06-15T00:00:00Z", value)
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return (value - epoch) // dt.timedelta(milliseconds=1)

    def strings(self, key: str, default: Sequence[str] | _Required = REQUIRED) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self._get(key, default)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._wrong(key, "a list of strings", value)
        for item in value:
            if not isinstance(item, str):
                raise self._wrong(key, "a list of strings", value)
        return tuple(value)

    def table(self, key: str) -> Table:
        """Return a table inside this one; an absent one is empty."""
        value = self._get(key, REQUIRED) if key in self else {}
        if not isinstance(value, Mapping):
            raise self._wrong(key, "a table", value)
        return Table(value, self.path, self.dotted(key))

    def tables(self, key: str) -> tuple[Table, ...]:
        """Return an array of tables; an absent one is empty."""
        value = self._get(key, REQUIRED) if key in self else []
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._wrong(key, "an array of tables", value)
        result = []
        for number, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise self._wrong(f"{key}[{number}]", "a table", item)
            result.append(Table(item, self.path, f"{self.dotted(key)}[{number}]"))
        return tuple(result)

    def names(self) -> tuple[str, ...]:
        """Return the keys in file order and mark them all as known."""
        self._known.update(self.values)
        return tuple(self.values)

    def raw(self, key: str) -> object:
        """Return a value as parsed, for a reader with rules of its own."""
        return self._get(key, REQUIRED)

    def _get(self, key: str, default: object) -> object:
        self._known.add(key)
        if key in self.values:
            return self.values[key]
        if default is REQUIRED:
            near = difflib.get_close_matches(
                key, [name for name in self.values if name not in self._known], n=1
            )
            hint = f"found {near[0]!r}: did you mean {key!r}?" if near else ""
            raise self.error(key, "value expected, got nothing", hint=hint)
        return default

    def _fraction(self, key: str, text: str) -> Fraction:
        numerator, slash, denominator = text.partition("/")
        try:
            value = parse_decimal(numerator.strip())
            return value / parse_decimal(denominator.strip()) if slash else value
        except (ValueError, ZeroDivisionError):
            raise self._wrong(key, "a number such as 0.25 or '1/4'", text) from None

    def _wrong(self, key: str, expected: str, value: object, *, hint: str = "") -> ConfigError:
        return self.error(key, f"{expected} expected, got {describe(value)}", hint=hint)

    def _names(self) -> str:
        return ", ".join(sorted(self._known)) or "nothing"


def describe(value: object) -> str:
    """Show a value the way the person wrote it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        return format_decimal(value, 9).rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _bounds(minimum: Fraction | int | None, maximum: Fraction | int | None) -> str:
    if maximum is None:
        return f"at least {describe(minimum)}"
    if minimum is None:
        return f"at most {describe(maximum)}"
    return f"{describe(minimum)} to {describe(maximum)}"
