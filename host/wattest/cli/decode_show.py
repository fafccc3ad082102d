"""Draws what `decode` found, for people."""

from __future__ import annotations

from typing import Any

from wattest.cli.decode_kinds import Explained, plain
from wattest.cli.output import bad, good

_HEX_COLUMNS = 32
_HEX_BYTES_MAX = 1024


def show(explained: Explained, *, depth: int = 0) -> None:
    """Print a value, what is inside it, and its bytes."""
    indent = "  " * depth
    print(f"{indent}{explained.what}, {len(explained.data)} bytes")
    for name, value in explained.fields:
        _show_field(name, value, indent + "  ")
    if explained.fault:
        print(f"{indent}  {bad(explained.fault)}")
    _show_second_look(explained, indent + "  ")
    for part in explained.parts:
        show(part, depth=depth + 1)
    if not explained.parts and explained.what not in {"text", "cbor"}:
        _show_hex(explained.data, indent + "  ")


def _show_field(name: str, value: Any, indent: str) -> None:
    if name == "registers":
        for register in value:
            label = f"{register['name']} ({register['obis'].hex()})"
            print(f"{indent}{label:<38} {register['value']} {register['unit']}")
        return
    text = "absent" if value is None else plain(value)
    print(f"{indent}{name:<12} {text!r}" if name == "text" else f"{indent}{name:<12} {text}")


def _show_second_look(explained: Explained, indent: str) -> None:
    look = explained.look
    if look is None:
        return
    said = {True: good("holds"), False: bad("does NOT hold"), None: "not checked, no --key"}
    agrees = good("reads the same values") if look.cbor2_agrees else bad("reads other values")
    print(f"{indent}{'cbor2':<12} {agrees}")
    print(f"{indent}{'signature':<12} OpenSSL: {said[look.openssl]}; ecdsa: {said[look.ecdsa]}")


def _show_hex(data: bytes, indent: str) -> None:
    for start in range(0, min(len(data), _HEX_BYTES_MAX), _HEX_COLUMNS):
        print(f"{indent}{start:04x}  {data[start : start + _HEX_COLUMNS].hex(' ', 4)}")
    if len(data) > _HEX_BYTES_MAX:
        print(f"{indent}and {len(data) - _HEX_BYTES_MAX} bytes more")
