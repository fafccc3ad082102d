"""OCMF: a text in three parts, of which the exact bytes of the second are signed.

    OCMF|{"FV":"1.3","PG":"T1",...,"RD":[...]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045..."}

Reading keeps the bytes as they came and numbers as they are spelled: 12.590 and 12.59 are two
texts with two signatures. Writing is ASCII without spaces and without a bar inside the parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from wattest.errors import OcmfError

HEADER: Final = "OCMF"
SEPARATOR: Final = "|"
TEXT_BYTES_MAX: Final = 1 << 20
_DEPTH_MAX = 8


class Digits(str):
    """A JSON number, as it is spelled."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ocmf:
    """A text that has the form of OCMF; whether it obeys the rest is `lint_ocmf`'s business.

    Args:
        payload_text: the second part, exactly: what is signed.
        signature_text: the third part, exactly.
        payload: the second part as JSON; numbers are `Digits`.
        signature: the third part as JSON, likewise.
    """

    payload_text: str
    signature_text: str
    payload: Mapping[str, Any]
    signature: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The whole text."""
        return SEPARATOR.join((HEADER, self.payload_text, self.signature_text))

    @property
    def page(self) -> tuple[str, int] | None:
        """Letter and number of ``PG``, or None if it is not of that form."""
        return page_of(self.payload.get("PG"))


def read_ocmf(data: bytes | str) -> Ocmf:
    """Read one OCMF text; white space around it is not part of it.

    Raises:
        OcmfError: rule ``size``, ``ascii``, ``sections``, ``header``, ``json``, ``duplicate-key``,
            ``depth`` or ``object``, with the offset in the text.
    """
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    raw = raw.strip(b" \t\r\n")
    if len(raw) > TEXT_BYTES_MAX:
        raise OcmfError("size", TEXT_BYTES_MAX, f"{len(raw)} bytes, at most {TEXT_BYTES_MAX}")
    for offset, byte in enumerate(raw):
        if not 0x20 <= byte < 0x7F:
            raise OcmfError("ascii", offset, f"byte {byte:02x}, expected printable ASCII")
    text = raw.decode("ascii")
    parts = text.split(SEPARATOR)
    if parts[0] != HEADER:
        raise OcmfError("header", 0, f"expected {HEADER}|, got {text[:12]!r}")
    if len(parts) != 3:
        raise OcmfError("sections", 0, f"expected 3 parts between bars, got {len(parts)}")
    _, payload_text, signature_text = parts
    begin = len(HEADER) + 1
    return Ocmf(
        payload_text=payload_text,
        signature_text=signature_text,
        payload=_json_object(payload_text, begin),
        signature=_json_object(signature_text, begin + len(payload_text) + 1),
    )


def page_of(value: Any) -> tuple[str, int] | None:
    """Return letter and number of a page such as ``T12``; None if it is not one."""
    if type(value) is not str or value[:1] not in {"T", "F"}:
        return None
    digits = value[1:]
    if not (digits.isascii() and digits.isdigit()) or (digits[0] == "0" and len(digits) > 1):
        return None
    return value[0], int(digits)


def write_json(value: Any) -> str:
    """Write JSON as OCMF wants it: ASCII, no spaces, no bar, `Digits` as they are.

    Raises:
        ValueError: a float, which has no exact digits, or a kind JSON does not have.
    """
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value).replace(SEPARATOR, "\\u007C")
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        pairs = (f"{write_json(str(key))}:{write_json(item)}" for key, item in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "[" + ",".join(map(write_json, value)) + "]"
    raise ValueError(f"expected text, a whole number, Digits, a list or a map, got {value!r}")


def join_ocmf(payload_text: str, signature: Mapping[str, Any]) -> str:
    """Put a signed payload and its signature section together."""
    return SEPARATOR.join((HEADER, payload_text, write_json(signature)))


def _json_object(text: str, base: int) -> dict[str, Any]:
    if text.count("[") + text.count("{") > len(text) // 2 and len(text) > 2 * _DEPTH_MAX:
        raise OcmfError("depth", base, "nothing but brackets")
    try:
        value = json.loads(
            text,
            parse_float=Digits,
            parse_int=Digits,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise OcmfError("json", base + error.pos, error.msg.lower()) from None
    except _DuplicateKey as error:
        raise OcmfError("duplicate-key", base, f"{error} stands twice") from None
    except RecursionError:
        raise OcmfError("depth", base, "too deep") from None
    if not isinstance(value, dict):
        raise OcmfError("object", base, "expected a JSON object")
    if _depth(value) > _DEPTH_MAX:
        raise OcmfError("depth", base, f"deeper than {_DEPTH_MAX}")
    return value


class _DuplicateKey(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKey(repr(key))
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no number", name, 0)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
