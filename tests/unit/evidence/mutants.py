"""Mutations of bundles as data: how they are written down, and how they are read back.

tests/vectors/bundles/cases.json holds for each case a base bundle and patches:

    {"name": "...", "base": "statement", "told": true, "expect": {"passed": false, "step": 5,
     "rule": "inclusion"}, "members": {"entries.cbor": [[offset, delete, "hex"], ...]},
     "remove": [names], "digests": true, "archive": [[offset, delete, "hex"], ...]}

How a reader applies them, in this order:

1. ``members``: each patch deletes bytes of a base member at an offset and inserts others. Patches
   of one member go from its end to its begin. A member the base lacks starts out empty.
2. ``remove``: these members are left out.
3. ``digests``: ``files`` of the manifest is made anew from the other members.
4. With any of these the archive is packed anew: members stored, in the one form. Without, it is
   the base's file.
5. ``archive``: patches of the archive, likewise from its end to its begin.

``told``: the verifier is told the base's log key (``bases`` has it), or nothing.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate
from pathlib import Path
from typing import Any

from wattest.errors import CborError
from wattest.evidence.bundle import MANIFEST, digest_of
from wattest.evidence.container import read_archive
from wattest.evidence.manifest import canonical_json
from wattest.wire import cbor

FOLDER = Path(__file__).resolve().parents[2] / "vectors" / "bundles"
CASES = FOLDER / "cases.json"

Patch = list[Any]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a verifier must say."""

    passed: bool
    step: int | None = None
    rule: str | None = None


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A changed bundle.

    Attributes:
        name: unique; what was done.
        base: name of the bundle it was made from.
        members: its members with the manifest, or None for those of the base.
        archive: its file where that is not the plain one.
        told: whether the verifier is told the base's log key.
        expect: the verdict.
    """

    name: str
    base: str
    expect: Expected
    members: Mapping[str, bytes] | None = None
    archive: bytes | None = None
    told: bool = True


def pack_stored(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of members, all stored; the manifest first, the rest by name."""
    names = [MANIFEST, *sorted(name for name in members if name != MANIFEST)]
    names = [name for name in names if name in members]
    return zip_of([(name, members[name]) for name in names])


def zip_of(
    files: Sequence[tuple[str, bytes]], *, method: int = 0, comment: bytes = b"", date: int = 0x21
) -> bytes:
    """Return a zip archive of any files in any order, without compression."""
    body, directory = b"", b""
    for name, content in files:
        encoded = name.encode("latin-1")
        fixed = struct.pack(
            "<HHHHIIIHH", 0, method, 0, date, zlib.crc32(content), len(content), len(content),
            len(encoded), 0,
        )  # fmt: skip
        directory += (
            struct.pack("<IHH", 0x02014B50, 20, 20)
            + fixed
            + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
            + encoded
        )
        body += struct.pack("<IH", 0x04034B50, 20) + fixed + encoded + content
    count = len(files)
    end = struct.pack(
        "<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), len(body), len(comment)
    )
    return body + directory + end + comment


def with_digests(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return members with a manifest whose ``files`` are those of the others."""
    manifest = json.loads(members[MANIFEST])
    manifest["files"] = {
        name: {"bytes": digest_of(content).size, "sha256": digest_of(content).sha256.hex()}
        for name, content in members.items()
        if name != MANIFEST
    }
    return {**members, MANIFEST: canonical_json(manifest)}


def apply(case: Mapping[str, Any], base: bytes) -> bytes:
    """Return the file of a case."""
    members = read_archive(base)
    for name, patches in case.get("members", {}).items():
        members[name] = patched(members.get(name, b""), patches)
    for name in case.get("remove", ()):
        del members[name]
    if case.get("digests"):
        members = with_digests(members)
    changed = any(key in case for key in ("members", "remove", "digests"))
    archive = pack_stored(members) if changed else base
    return patched(archive, case.get("archive", []))


def patched(content: bytes, patches: Sequence[Patch]) -> bytes:
    for offset, delete, insert in patches:
        assert 0 <= offset <= offset + delete <= len(content), "a patch within the content"
        content = content[:offset] + bytes.fromhex(insert) + content[offset + delete :]
    return content


def encode(mutant: Mutant, base: bytes) -> dict[str, Any]:
    """Return a mutant as patches of its base."""
    case: dict[str, Any] = {"name": mutant.name, "base": mutant.base}
    if not mutant.told:
        case["told"] = False
    case["expect"] = {"passed": mutant.expect.passed, "step": mutant.expect.step}
    case["expect"]["rule"] = mutant.expect.rule
    before = read_archive(base)
    archive = base
    if mutant.members is not None:
        after = dict(mutant.members)
        archive = pack_stored(after)
        if MANIFEST in after and _fits(after):
            case["digests"] = True
            after[MANIFEST] = _with_files_of(after[MANIFEST], before[MANIFEST])
        removed = sorted(name for name in before if name not in after)
        patches = {
            name: difference(before.get(name, b""), content)
            for name, content in after.items()
            if before.get(name) != content
        }
        if patches or not (removed or "digests" in case):
            case["members"] = patches
        if removed:
            case["remove"] = removed
    if mutant.archive is not None:
        case["archive"] = difference(archive, mutant.archive)
    return case


def _fits(members: Mapping[str, bytes]) -> bool:
    try:
        return with_digests(members)[MANIFEST] == members[MANIFEST]
    except (ValueError, TypeError):
        return False


def _with_files_of(manifest: bytes, other: bytes) -> bytes:
    value = json.loads(manifest)
    value["files"] = json.loads(other)["files"]
    return canonical_json(value)


def difference(before: bytes, after: bytes) -> list[Patch]:
    """Return patches from the end to the begin that turn one content into another."""
    found: list[Patch] = []
    old, new = _pieces(before), _pieces(after)
    places = [0, *accumulate(len(piece) for piece in old)]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "replace" and b - a == d - c:
            for place, one, other in zip(places[a:b], old[a:b], new[c:d], strict=True):
                found += _changed(one, other, place)[::-1]
        elif tag != "equal":
            found += _changed(b"".join(old[a:b]), b"".join(new[c:d]), places[a])[::-1]
    return found[::-1]


def _pieces(content: bytes) -> list[bytes]:
    """Cut entries.cbor into its entries, anything else not at all."""
    try:
        items = cbor.decode(content, max_depth=2, max_bytes=1 << 20)
    except CborError:
        return [content]
    if not isinstance(items, list) or not items:
        return [content]
    return [cbor.head(4, len(items)), *map(cbor.encode, items)]


def _changed(before: bytes, after: bytes, base: int) -> list[Patch]:
    low = 0
    while low < min(len(before), len(after)) and before[low] == after[low]:
        low += 1
    high = 0
    while high < min(len(before), len(after)) - low and before[-1 - high] == after[-1 - high]:
        high += 1
    old, new = before[low : len(before) - high], after[low : len(after) - high]
    if len(old) == len(new):
        return _runs(old, new, base + low)
    return [[base + low, len(old), new.hex()]]


def _runs(old: bytes, new: bytes, base: int) -> list[Patch]:
    """Return one patch for each run of different bytes; short equal stretches join runs."""
    found: list[Patch] = []
    at = 0
    while at < len(old):
        if old[at] == new[at]:
            at += 1
            continue
        stop = at + 1
        while stop < len(old) and old[stop : stop + 6] != new[stop : stop + 6]:
            stop += 1
        found.append([base + at, stop - at, new[at:stop].hex()])
        at = stop
    return found[::-1]


def write_cases(path: Path, bases: Mapping[str, Mapping[str, str]], cases: Sequence[Any]) -> None:
    """Write cases.json, one case a line."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps({"format": 1, "bases": bases}, separators=(",", ":"))[:-1]
    path.write_text(f'{head},"cases":[\n{lines}\n]}}\n', encoding="utf-8")
