"""``wattest decode``: what bytes say, or the rule and the offset where they stop being right."""

from __future__ import annotations

import argparse
import string
import sys
from pathlib import Path

from wattest.cli.options import Commands, add_json
from wattest.errors import ConfigError, UsageError

_BYTES_MAX = 64 * 1024 * 1024
_HEX_MARKS = str.maketrans("", "", " \t\r\n:")
_KEY_BYTES = 64

_DESCRIPTION = """\
Decode a signed record, a stream of frames as a node sends it, lines as a host sends them, a
checkpoint, a ledger entry, or plain CBOR; the kind is found out. A record is also read by
cbor2, and its signature checked by OpenSSL and by ecdsa when the key is given.
"""

_EXAMPLES = """\
examples:
  wattest decode OUT/frames.bin
  wattest decode d2845820a3012604...
  printf a201020304 | wattest decode --json -
"""


def add_command(commands: Commands) -> None:
    """Add ``decode`` to the command line."""
    parser = commands.add_parser(
        "decode",
        help="show what a record, frame stream, checkpoint or CBOR says",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "source", metavar="FILE|HEX|-", help="a file, hexadecimal digits, or - for stdin"
    )
    parser.add_argument(
        "--key",
        type=_public_key,
        metavar="HEX",
        help="public key of the node, x and y, 64 bytes: check the signatures of records",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decode and show.

    Returns:
        0 when everything decodes and no checked signature is wrong, else 1.
    """
    from wattest.cli.decode_kinds import explain
    from wattest.cli.decode_show import show
    from wattest.cli.output import print_json

    explained = explain(read_source(args.source), key=args.key)
    if args.json:
        print_json(explained.as_json())
    else:
        show(explained)
    return 0 if explained.sound else 1


def read_source(source: str) -> bytes:
    """Return the bytes that ``source`` stands for.

    Text that holds nothing but hexadecimal digits stands for the bytes they spell.

    Raises:
        ConfigError: the file cannot be read or is too large.
        UsageError: neither a file nor hexadecimal digits.
    """
    if source == "-":
        return _from_hex(sys.stdin.buffer.read(_BYTES_MAX))
    path = Path(source)
    try:
        if source and path.exists():
            if path.stat().st_size > _BYTES_MAX:
                raise ConfigError(f"at most {_BYTES_MAX} bytes can be decoded", path=source)
            return _from_hex(path.read_bytes())
    except OSError as error:
        reason = error.strerror or "cannot be read"
        if "name too long" not in reason.lower():
            raise ConfigError(reason.lower(), path=source) from error
    digits = source.translate(_HEX_MARKS)
    if not digits or set(digits) - set(string.hexdigits) or len(digits) % 2:
        raise UsageError(
            f"decode: {source[:40]!r} is neither a file nor an even number of hexadecimal digits"
        )
    return bytes.fromhex(digits)


def _from_hex(data: bytes) -> bytes:
    try:
        digits = data.decode("ascii").translate(_HEX_MARKS)
    except UnicodeDecodeError:
        return data
    if not digits or set(digits) - set(string.hexdigits) or len(digits) % 2:
        return data
    return bytes.fromhex(digits)


def _public_key(text: str) -> bytes:
    digits = text.translate(_HEX_MARKS)
    if set(digits) - set(string.hexdigits) or len(digits) != 2 * _KEY_BYTES:
        raise argparse.ArgumentTypeError("expected 128 hexadecimal digits: x and y of the key")
    return bytes.fromhex(digits)
