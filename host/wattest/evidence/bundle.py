"""A bundle in memory: entries, checkpoints and proofs, and the way to its file and back.

Source: docs/evidence.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from wattest.errors import CborError
from wattest.evidence.container import UNPACKED_BYTES_MAX, read_archive, write_archive
from wattest.evidence.manifest import FileDigest, Manifest, Subject, parse_manifest
from wattest.evidence.verdict import RuleBroken
from wattest.ledger.entry import Entry
from wattest.ledger.tree import leaf_hash
from wattest.wire import cbor

MANIFEST: Final = "manifest.json"
CHECKPOINT: Final = "checkpoint.txt"
ENTRIES: Final = "entries.cbor"
PROOF: Final = "proof.bin"


def cutoff_name(generation: int) -> str:
    """Return the member with the checkpoint that bounds a generation's evidence."""
    return f"cutoff-{generation}.txt"


def consistency_name(generation: int) -> str:
    """Return the member that proves that the newest checkpoint extends that one."""
    return f"consistency-{generation}.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose container holds: what is in it is still to be verified.

    Attributes:
        manifest: what it says of itself.
        digest: SHA-256 of the manifest, 32 bytes.
        entries: ascending by index.
        members: every member but the manifest, by name.
    """

    manifest: Manifest
    digest: bytes
    entries: tuple[Entry, ...]
    members: Mapping[str, bytes]


def make_entry(index: int, kind: int, body: bytes) -> Entry:
    """Return an entry with its leaf hash."""
    return Entry(index=index, kind=kind, body=body, leaf=leaf_hash(kind, body))


def encode_entries(entries: Sequence[Entry]) -> bytes:
    """Return entries.cbor."""
    return cbor.encode([[entry.index, entry.kind, entry.body] for entry in entries])


def pack(subject: Subject, *, maker: str, log: str, members: Mapping[str, bytes]) -> bytes:
    """Return the file of a bundle: the same members give the same bytes.

    Args:
        subject: what it proves.
        maker: program and version.
        log: verifier key of the log.
        members: every member but the manifest.

    Raises:
        ValueError: more than a bundle may hold.
    """
    files = {name: digest_of(content) for name, content in members.items()}
    manifest = Manifest(subject=subject, maker=maker, log=log, files=files)
    return write_archive({MANIFEST: manifest.encode(), **members})


def digest_of(content: bytes) -> FileDigest:
    """Return what the manifest says of a member."""
    return FileDigest(size=len(content), sha256=sha256(content).digest())


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle's file: step 1 of its verification.

    Raises:
        RuleBroken: rule ``zip``, ``format``, ``manifest``, ``digest`` or ``entries``.
    """
    members = read_archive(data)
    encoded = members.pop(MANIFEST)
    manifest = parse_manifest(encoded)
    _check_digests(manifest, members)
    return Bundle(
        manifest=manifest,
        digest=sha256(encoded).digest(),
        entries=_read_entries(members[ENTRIES]),
        members=members,
    )


def _check_digests(manifest: Manifest, members: Mapping[str, bytes]) -> None:
    for name in sorted({*manifest.files, *members}):
        if name not in members:
            raise RuleBroken("digest", name, "the manifest lists it, the archive lacks it")
        if name not in manifest.files:
            raise RuleBroken("digest", name, "the manifest does not list it")
        if digest_of(members[name]) != manifest.files[name]:
            raise RuleBroken("digest", name, "size and SHA-256 of the manifest expected")


def _read_entries(data: bytes) -> tuple[Entry, ...]:
    try:
        items = cbor.decode(data, max_depth=2, max_bytes=UNPACKED_BYTES_MAX)
    except CborError as exc:
        raise RuleBroken("entries", ENTRIES, str(exc)) from exc
    if type(items) is not list or not items:
        raise RuleBroken("entries", ENTRIES, "an array of at least one entry expected")
    entries = []
    last = -1
    for place, item in enumerate(items):
        where = f"{ENTRIES} place {place}"
        if type(item) is not list or [type(part) for part in item] != [int, int, bytes]:
            raise RuleBroken("entries", where, "[index, kind, body] expected")
        index, kind, body = item
        if not last < index or not 0 <= kind <= 255:
            raise RuleBroken("entries", where, "an index above the one before, kind 0 to 255")
        entries.append(make_entry(index, kind, body))
        last = index
    return tuple(entries)
