"""Step 1: archives, manifests and entries in another than the one form."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mutants import Expected, Mutant, pack_stored, with_digests, zip_of
from scenes import Scene

from wattest.evidence.bundle import ENTRIES, MANIFEST
from wattest.evidence.container import read_archive
from wattest.evidence.manifest import canonical_json
from wattest.wire import cbor

BASE = "reading"
STEP = 1


def cases(scenes: Mapping[str, Scene]) -> Iterator[Mutant]:
    data = scenes[BASE].data
    members = read_archive(data)
    for name, archive in _archives(data, members):
        yield Mutant(name=name, base=BASE, archive=archive, expect=_fails("zip"))
    for name, change, rule in _MANIFESTS:
        manifest = json.loads(members[MANIFEST])
        change(manifest)
        changed = {**members, MANIFEST: canonical_json(manifest)}
        yield Mutant(name=name, base=BASE, members=changed, expect=_fails(rule))
    for name, manifest in _spellings(members[MANIFEST]):
        changed = {**members, MANIFEST: manifest}
        yield Mutant(name=name, base=BASE, members=changed, expect=_fails("manifest"))
    for name, entries in _entries(members[ENTRIES]):
        changed = with_digests({**members, ENTRIES: entries})
        yield Mutant(name=name, base=BASE, members=changed, expect=_fails("entries"))
    yield from _members(members)


def _fails(rule: str) -> Expected:
    return Expected(passed=False, step=STEP, rule=rule)


def _archives(data: bytes, members: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    files = list(members.items())
    stored = pack_stored(members)
    end = len(data) - 22
    yield "empty file", b""
    yield "text instead of an archive", b"time,power\n2026-01-01T00:00:00Z,1200\n"
    yield "cut off in the middle", data[: len(data) // 2]
    yield "cut off by one byte", data[:-1]
    yield "one byte behind the end", data + b"\0"
    yield "one byte before the beginning", b"\0" + data
    yield "a comment at the end", zip_of(files, comment=b"hello")
    yield "another date", zip_of(files, date=0x22)
    yield "manifest not first", zip_of([*files[1:], files[0]])
    yield "members out of order", zip_of([files[0], files[2], files[1], *files[3:]])
    yield "a member twice, both equal", zip_of([*files, files[-1]])
    yield "a member twice, the second another", zip_of([*files, (files[-1][0], b"x")])
    yield "manifest twice", zip_of([files[0], *files])
    yield "a name with a letter beyond ASCII", zip_of([*files, ("\xe9", b"")])
    yield "an empty name", zip_of([files[0], ("", b""), *files[1:]])
    yield "no members", struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0, 0, 0, 0, 0)
    yield "two disks", data[: end + 4] + b"\1\0" + data[end + 6 :]
    yield "fewer members than the directory", data[: end + 10] + b"\3\0" + data[end + 12 :]
    yield "directory one byte later", data[: end + 16] + _plus(data[end + 16 : end + 20], 1)
    yield "unknown method", zip_of(files, method=12)
    yield "stored content called deflated", zip_of(files, method=8)
    yield "encryption flag", stored[:6] + b"\1\0" + stored[8:]
    yield "wrong CRC of the first member", stored[:14] + b"\0\0\0\0" + stored[18:]
    yield "content changed under its CRC", _flipped(stored, stored.index(members["proof.bin"]))
    yield "local size changed, directory not", stored[:22] + _plus(stored[22:26], 1) + stored[26:]
    yield "gap before the directory", _with_gap(stored)
    yield "a member that unpacks to more than it says", _bomb(members, declared=1)
    yield "a member that unpacks to less than it says", _bomb(members, declared=5_000)
    yield "bytes behind deflated data", _bomb(members, declared=4_096, tail=b"\0")
    yield "members of 256 MiB together, so it says", _bomb(members, declared=1 << 28)


def _plus(field: bytes, number: int) -> bytes:
    return (int.from_bytes(field, "little") + number).to_bytes(len(field), "little")


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _with_gap(stored: bytes) -> bytes:
    start = int.from_bytes(stored[-6:-2], "little")
    return stored[:start] + b"\0" + stored[start:-6] + _plus(stored[-6:-2], 1) + stored[-2:]


def _bomb(members: Mapping[str, bytes], *, declared: int, tail: bytes = b"") -> bytes:
    """Return an archive with a deflated README of 4,096 zeros that declares another size."""
    content = bytes(4_096)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(content) + compressor.flush() + tail
    name = b"README.txt"
    fixed = struct.pack(
        "<HHHHIIIHH", 0, 8, 0, 0x21, zlib.crc32(content), len(packed), declared, len(name), 0
    )
    first = zip_of([(MANIFEST, members[MANIFEST])])
    start = int.from_bytes(first[-6:-2], "little")
    body = first[:start] + struct.pack("<IH", 0x04034B50, 20) + fixed + name + packed
    directory = (
        first[start:-22]
        + struct.pack("<IHH", 0x02014B50, 20, 20)
        + fixed
        + struct.pack("<HHHII", 0, 0, 0, 0, start)
        + name
    )
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 2, 2, len(directory), len(body), 0)
    return body + directory + end


def _set(*path: str, value: Any) -> Callable[[Any], None]:
    def change(manifest: Any) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        manifest[path[-1]] = value

    return change


def _drop(*path: str) -> Callable[[Any], None]:
    def change(manifest: Any) -> None:
        for key in path[:-1]:
            manifest = manifest[key]
        del manifest[path[-1]]

    return change


_FILE = {"bytes": 0, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
_MANIFESTS: list[tuple[str, Callable[[Any], None], str]] = [
    ("format of a newer version", _set("format", value="wattest-bundle/2"), "format"),
    ("format of another thing", _set("format", value="something/1"), "format"),
    ("format missing", _drop("format"), "format"),
    ("format is a number", _set("format", value=1), "format"),
    ("unknown form", _set("form", value="month"), "manifest"),
    ("form of another subject", _set("form", value="session"), "manifest"),
    ("maker missing", _drop("maker"), "manifest"),
    ("log is a number", _set("log", value=7), "manifest"),
    ("unknown key in the manifest", _set("comment", value="trust me"), "manifest"),
    ("key id with capital letters", _set("reading", "kid", value="ABCDEF0123456789"), "manifest"),
    ("key id too short", _set("reading", "kid", value="abcdef"), "manifest"),
    ("ctx 3", _set("reading", "ctx", value=3), "manifest"),
    ("number 0", _set("reading", "seq", value=0), "manifest"),
    ("a number that no double keeps", _set("reading", "seq", value=2**53), "manifest"),
    ("a truth for a number", _set("reading", "ctx", value=True), "manifest"),
    ("a null", _set("maker", value=None), "manifest"),
    ("a fraction", _set("reading", "seq", value=4.0), "manifest"),
    ("proof not listed", _drop("files", "proof.bin"), "manifest"),
    ("cut-off in a bundle of a reading", _set("files", "cutoff-1.txt", value=_FILE), "manifest"),
    ("unknown member listed", _set("files", "notes.txt", value=_FILE), "manifest"),
    ("README listed but not there", _set("files", "README.txt", value=_FILE), "digest"),
    ("size of a member wrong", _set("files", "proof.bin", "bytes", value=32), "digest"),
    ("digest of a member wrong", _set("files", "proof.bin", "sha256", value="00" * 32), "digest"),
    ("digest too short", _set("files", "proof.bin", "sha256", value="00"), "manifest"),
]


def _spellings(manifest: bytes) -> Iterator[tuple[str, bytes]]:
    value = json.loads(manifest)
    yield "white space in the manifest", json.dumps(value, sort_keys=True).encode()
    yield "a newline behind the manifest", manifest + b"\n"
    backwards = dict(reversed(list(value.items())))
    yield "keys in another order", json.dumps(backwards, separators=(",", ":")).encode()
    yield "a key twice", b'{"form":"reading",' + manifest[1:]
    yield "a letter as an escape", manifest.replace(b'"reading"', b'"\\u0072eading"', 1)
    yield "not JSON", b"maker = 'wattest'"
    yield "a list", b"[]"
    yield "bytes that are no UTF-8", manifest.replace(b"wattest bench", b"wattest \xff\xfe")
    yield "half of a surrogate pair", manifest.replace(b"wattest bench", b"\\ud800")
    yield "a number with an exponent", manifest.replace(b'"seq":4', b'"seq":4e0')
    yield "a number with a leading minus", manifest.replace(b'"ctx":0', b'"ctx":-0')


def _entries(entries: bytes) -> Iterator[tuple[str, bytes]]:
    items = cbor.decode(entries, max_depth=2)
    (first, second) = items[0], items[-1]
    yield "no entries", cbor.encode([])
    yield "entries are a map", cbor.encode({})
    yield "entries out of order", cbor.encode([second, first])
    yield "an entry twice", cbor.encode([first, first, second])
    yield "bytes behind the entries", entries + b"\0"
    yield "entries cut off", entries[:-1]
    yield "an array of another length", cbor.encode([[*first, 0], second])
    yield "a body that is a text", cbor.encode([[first[0], first[1], "body"], second])
    yield "an index that is a text", cbor.encode([["0", first[1], first[2]], second])
    yield "an index below zero", cbor.encode([[-1, first[1], first[2]], second])
    yield "a kind that is no byte", cbor.encode([[first[0], 256, first[2]], second])
    yield (
        "an index in more bytes than needed",
        entries.replace(b"\x82\x83\x00", b"\x82\x83\x18\x00", 1),
    )
    yield "an array of indefinite length", b"\x9f" + entries[1:] + b"\xff"
    yield "entries that are JSON", b"[]"


def _members(members: Mapping[str, bytes]) -> Iterator[Mutant]:
    def mutant(name: str, changed: Mapping[str, bytes], rule: str) -> Mutant:
        return Mutant(name=name, base=BASE, members=changed, expect=_fails(rule))

    unlisted = {**members, "notes.txt": b"hello"}
    yield mutant("a member the manifest does not list", unlisted, "digest")
    without = {name: content for name, content in members.items() if name != "proof.bin"}
    yield mutant("a listed member left out", without, "digest")
    without = {name: content for name, content in members.items() if name != MANIFEST}
    yield mutant("no manifest", without, "zip")
    for name in ("proof.bin", ENTRIES, "checkpoint.txt"):
        changed = {**members, name: _flipped(members[name], len(members[name]) // 2)}
        yield mutant(f"a bit of {name} without its digest", changed, "digest")
    readme = with_digests({**members, "README.txt": b"for people\n"})
    yield Mutant(
        name="a README that is listed", base=BASE, members=readme, expect=Expected(passed=True)
    )
