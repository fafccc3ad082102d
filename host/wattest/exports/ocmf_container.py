"""The files OCMF texts travel in: one text a line, or the XML of the existing verifier.

    <values><value transactionId="7" context="Transaction.Begin">
      <signedData format="OCMF" encoding="plain">OCMF|...</signedData>
      <publicKey encoding="plain">3059...</publicKey>
    </value></values>

A file this program writes has one value for each text and no transaction, because each text has
both ends of its session. The key comes first there, as the schema wants; readers take any order.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Final, NoReturn
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from wattest.errors import OcmfError
from wattest.exports.ocmf_lint import OcmfItem
from wattest.exports.ocmf_signature import read_key

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
_CONTEXTS = {"Transaction.Begin": "begin", "Transaction.End": "end"}


def read_items(data: bytes, spki: bytes | None = None) -> list[OcmfItem]:
    """Return the texts of a file, in its order.

    Args:
        data: OCMF texts one a line, or XML.
        spki: key for every text; None: the one that the XML gives with each.

    Raises:
        OcmfError: rule ``xml``, ``doctype``, ``encoding``, ``key`` or ``empty``.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        items = _from_xml(data, spki)
    else:
        items = [OcmfItem(data=line, spki=spki) for line in data.splitlines() if line.strip()]
    if not items:
        raise OcmfError("empty", 0, "no OCMF text in it")
    return items


def write_lines(texts: Iterable[str]) -> str:
    """Return texts one a line."""
    return "".join(f"{text}\n" for text in texts)


def write_xml(texts: Sequence[tuple[str, bytes]]) -> str:
    """Return the XML the existing verifier opens.

    Args:
        texts: each with its key, SubjectPublicKeyInfo DER.
    """
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<values>"]
    for text, spki in texts:
        lines += [
            " <value>",
            f'  <publicKey encoding="plain">{spki.hex()}</publicKey>',
            f'  <signedData format="OCMF" encoding="plain">{escape(text)}</signedData>',
            " </value>",
        ]
    return "\n".join([*lines, "</values>", ""])


def _from_xml(data: bytes, spki: bytes | None) -> list[OcmfItem]:
    try:
        # A document type is refused while it is parsed: bytes need not spell it in ASCII.
        root = ET.fromstring(data, ET.XMLParser(target=_PlainTree()))  # noqa: S314
    except (ET.ParseError, LookupError, ValueError) as error:
        raise OcmfError("xml", 0, str(error)) from None
    if root.tag != "values":
        raise OcmfError("xml", 0, f"expected <values>, got <{root.tag}>")
    return [_value(number, value, spki) for number, value in enumerate(root.iter("value"), 1)]


class _PlainTree(ET.TreeBuilder):
    """Builds a tree; without a document type there are no entities to grow."""

    def doctype(self, *_: str | None) -> NoReturn:
        raise OcmfError("doctype", 0, "expected none")


def _value(number: int, value: ET.Element, spki: bytes | None) -> OcmfItem:
    signed, key = value.find("signedData"), value.find("publicKey")
    if signed is None or not (signed.text or "").strip():
        raise OcmfError("xml", 0, f"value {number}: expected signedData with a text")
    text = (signed.text or "").strip()
    if spki is None and key is not None and (key.text or "").strip():
        try:
            spki = read_key(key.text or "")
        except ValueError as error:
            raise OcmfError("key", 0, f"value {number}: {error}") from None
    return OcmfItem(
        data=_decoded(number, text, signed.get("encoding", "plain")),
        spki=spki,
        transaction=value.get("transactionId"),
        context=_CONTEXTS.get(value.get("context", ""), ""),
    )


def _decoded(number: int, text: str, encoding: str) -> bytes:
    try:
        if encoding == "plain":
            return text.encode("utf-8", "surrogateescape")
        if encoding == "hex":
            return bytes.fromhex(text)
        if encoding == "base64":
            return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise OcmfError("encoding", 0, f"value {number}: {error}") from None
    raise OcmfError("encoding", 0, f"value {number}: plain, hex or base64, got {encoding!r}")
