"""Draws what `decode` found, for people."""

from __future__ import annotations

from wattest.cli.decode_kinds import Explained, plain
from wattest.cli.output import bad, good
from wattest.wire.describe import hex_dump

_HEX_BYTES_MAX = 1024


def show(explained: Explained, *, depth: int = 0) -> None:
    """Print a value, what is inside it, and its bytes."""
    indent = "  " * depth
    print(f"{indent}{explained.what}, {len(explained.data)} bytes")
    for line in explained.lines:
        note = f"  ({line.note})" if line.note else ""
        print(f"{indent}  {line.label:<23} {line.value}{note}")
    for name, value in () if explained.lines else explained.fields:
        print(f"{indent}  {name:<23} {_value_text(name, value)}")
    if explained.fault:
        print(f"{indent}  {bad(explained.fault)}")
    _show_second_look(explained, indent + "  ")
    for part in explained.parts:
        show(part, depth=depth + 1)
    if not explained.parts and explained.what not in {"text", "cbor"}:
        _show_hex(explained.data, indent + "  ")


def _value_text(name: str, value: object) -> str:
    if name == "text":
        return repr(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return str(plain(value))


def _show_second_look(explained: Explained, indent: str) -> None:
    look = explained.look
    if look is None:
        return
    said = {True: good("holds"), False: bad("does NOT hold"), None: "not checked, no --key"}
    agrees = good("reads the same values") if look.cbor2_agrees else bad("reads other values")
    print(f"{indent}{'cbor2':<23} {agrees}")
    print(f"{indent}{'signature':<23} OpenSSL: {said[look.openssl]}; ecdsa: {said[look.ecdsa]}")


def _show_hex(data: bytes, indent: str) -> None:
    for line in hex_dump(data[:_HEX_BYTES_MAX]):
        print(f"{indent}{line}")
    if len(data) > _HEX_BYTES_MAX:
        print(f"{indent}and {len(data) - _HEX_BYTES_MAX} bytes more")
