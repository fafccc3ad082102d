"""C2SP signed notes and checkpoints: text <-> frozen values, strictly.

    wattest/demo                                     origin
    1440                                             size: entries in the ledger
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=     root, base64
                                                     (empty line)
    — wattest/demo Az3grlgt...                       em dash, key name, base64(key id | signature)

This module knows no keys: ``wattest.ledger.checkpoint`` signs and verifies.

Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from wattest.errors import NoteError

ROOT_BYTES = 32
KEY_ID_BYTES = 4
ED25519_TYPE = b"\x01"
COSIGNATURE_TYPE = b"\x04"
PUBLIC_KEY_BYTES = 32

_NOTE_BYTES_MAX = 65_536
_SIGNATURES_MAX = 64
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line.

    Attributes:
        name: key name; no white space, no plus.
        key_id: first 4 bytes of the key hash.
        signature: what the key's algorithm made of the note text.
    """

    name: str
    key_id: bytes
    signature: bytes

    def to_line(self) -> str:
        """Return the line as a note carries it, with its newline."""
        return f"{_DASH}{self.name} {_to_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A text and the signatures over it; nothing in it is trusted until one of them is verified.

    Attributes:
        text: the signed text, with its final newline.
        signatures: in the order of the lines.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """Return the note as UTF-8."""
        return "".join((self.text, "\n", *(line.to_line() for line in self.signatures))).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A tree head: which ledger, how many entries, and the RFC 6962 root over them.

    Attributes:
        origin: identity of the ledger, ``wattest/<name>``.
        size: number of entries, >= 0.
        root: 32 bytes.
        extensions: further lines; kept when read, never written by us.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the note text that is signed."""
        lines = (self.origin, str(self.size), _to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def is_key_name(name: str) -> bool:
    """Tell whether ``name`` may name a key: not empty, no white space, no plus, no control."""
    return bool(name) and not any(c.isspace() or c == "+" or c < " " for c in name)


def ed25519_key_id(name: str, public_key: bytes, kind: bytes = ED25519_TYPE) -> bytes:
    """Return the 4-byte key id of an Ed25519 key.

    Args:
        name: key name.
        public_key: 32 bytes, RFC 8032.
        kind: what it signs: notes, or checkpoints as a witness.

    Source:
        c2sp.org/signed-note, Ed25519 signatures; c2sp.org/tlog-cosignature.
    """
    return hashlib.sha256(name.encode() + b"\n" + kind + public_key).digest()[:KEY_ID_BYTES]


def verifier_key_text(name: str, public_key: bytes, kind: bytes) -> str:
    """Write a verifier key, ``name+key id in hex+base64(kind | key)``, on one line."""
    key_id = ed25519_key_id(name, public_key, kind)
    return f"{name}+{key_id.hex()}+{_to_base64(kind + public_key)}"


def parse_verifier_key(text: str, kind: bytes) -> tuple[str, bytes]:
    """Read a verifier key of one kind.

    Args:
        text: the line, without newline.
        kind: ``ED25519_TYPE`` of a log, ``COSIGNATURE_TYPE`` of a witness.

    Returns:
        Name, and public key of 32 bytes.

    Raises:
        NoteError: the line is malformed, of another kind, or its key id is not that of the key.
    """
    name, _, rest = text.partition("+")
    key_id, _, blob = rest.partition("+")
    offset = len(name.encode("utf-8", "replace"))
    try:
        text.encode()
        raw = base64.b64decode(blob.encode(), validate=True)
        stated = bytes.fromhex(key_id)
    except (binascii.Error, ValueError) as exc:
        raise NoteError("verifier-key", offset, str(exc)) from exc
    if raw[:1] != kind or len(raw) != 1 + PUBLIC_KEY_BYTES or not is_key_name(name):
        what = "an Ed25519 key" if kind == ED25519_TYPE else "a witness's key"
        raise NoteError("verifier-key", 0, f"expected name+key id+key, {what}")
    if ed25519_key_id(name, raw[1:], kind) != stated:
        raise NoteError("verifier-key", offset, "key id is not that of the key")
    if verifier_key_text(name, raw[1:], kind) != text:
        raise NoteError("verifier-key", offset, "not the canonical spelling")
    return name, raw[1:]


def parse_note(data: bytes) -> SignedNote:
    """Read a signed note.

    Args:
        data: the whole note, at most 64 KiB.

    Raises:
        NoteError: a rule of the format is broken; names the rule and the byte offset.
    """
    if len(data) > _NOTE_BYTES_MAX:
        raise NoteError("size", _NOTE_BYTES_MAX, f"at most {_NOTE_BYTES_MAX}, got {len(data)}")
    try:
        note = data.decode()
    except UnicodeDecodeError as exc:
        raise NoteError("utf-8", exc.start) from exc
    for place, char in enumerate(note):
        if char < " " and char != "\n":
            raise NoteError("control-character", _offset(note, place), repr(char))
    if not note.endswith("\n"):
        raise NoteError("final-newline", len(data))
    split = note.rfind("\n\n")
    if split < 0:
        raise NoteError("empty-line", len(data), "expected one between text and signatures")
    text = note[: split + 1]
    lines = note[split + 2 :].splitlines(keepends=True)
    if not lines:
        raise NoteError("signature", len(data), "expected at least one line")
    if len(lines) > _SIGNATURES_MAX:
        raise NoteError("signature", len(data), f"at most {_SIGNATURES_MAX} lines")
    return SignedNote(text=text, signatures=_signatures(lines, _offset(note, split + 2)))


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """Read signature lines without a note, as a witness answers them.

    Args:
        data: whole lines, 1 to 64 of them, UTF-8.

    Raises:
        NoteError: a rule of the format is broken; names the rule and the byte offset.
    """
    if len(data) > _NOTE_BYTES_MAX:
        raise NoteError("size", _NOTE_BYTES_MAX, f"at most {_NOTE_BYTES_MAX}, got {len(data)}")
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError as exc:
        raise NoteError("utf-8", exc.start) from exc
    if not 1 <= len(lines) <= _SIGNATURES_MAX:
        raise NoteError("signature", 0, f"1 to {_SIGNATURES_MAX} lines, got {len(lines)}")
    return _signatures(lines, 0)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint note.

    Args:
        text: the note's text, with its final newline.

    Raises:
        NoteError: a rule of the format is broken; names the rule and the byte offset.
    """
    if not text.endswith("\n"):
        raise NoteError("final-newline", len(text.encode()))
    lines = text[:-1].split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line.encode()) + 1)
    if len(lines) < 3:
        raise NoteError("lines", offsets[-1], f"at least 3, got {len(lines)}")
    for line, offset in zip(lines, offsets, strict=False):
        if not line:
            raise NoteError("lines", offset, "expected no empty line")
    origin, size, root, *extensions = lines
    digits = size.isascii() and size.isdigit()
    if not digits or (size[0] == "0" and size != "0") or len(size) > 19:
        raise NoteError("size", offsets[1], f"decimal without leading zero, got {size[:24]!r}")
    root_bytes = _from_base64(root, offsets[2])
    if len(root_bytes) != ROOT_BYTES:
        raise NoteError("root", offsets[2], f"{ROOT_BYTES} bytes, got {len(root_bytes)}")
    return Checkpoint(origin=origin, size=int(size), root=root_bytes, extensions=tuple(extensions))


def _signatures(lines: Sequence[str], offset: int) -> tuple[NoteSignature, ...]:
    signatures = []
    for line in lines:
        signatures.append(_parse_signature(line, offset))
        offset += len(line.encode())
    return tuple(signatures)


def _parse_signature(line: str, offset: int) -> NoteSignature:
    if not line.startswith(_DASH) or not line.endswith("\n"):
        raise NoteError("signature", offset, "expected an em dash, name, base64, newline")
    name, _, blob = line[len(_DASH) : -1].rpartition(" ")
    if not is_key_name(name):
        raise NoteError("key-name", offset + len(_DASH.encode()), repr(name[:64]))
    raw = _from_base64(blob, offset + len(f"{_DASH}{name} ".encode()))
    if len(raw) <= KEY_ID_BYTES:
        raise NoteError("signature", offset, f"more than {KEY_ID_BYTES} bytes, got {len(raw)}")
    return NoteSignature(name=name, key_id=raw[:KEY_ID_BYTES], signature=raw[KEY_ID_BYTES:])


def _offset(note: str, place: int) -> int:
    return len(note[:place].encode())


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str, offset: int) -> bytes:
    try:
        data = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NoteError("base64", offset, str(exc)) from exc
    # Two spellings of one signature would be two notes: padding bits must be zero.
    if _to_base64(data) != text:
        raise NoteError("base64", offset, "not the canonical spelling")
    return data
