"""The zip archive of a bundle, in one form only: what two readers see in it cannot differ.

Local headers with their data follow one another from the first byte, then the directory, then the
end record, and nothing else. Dates are fixed, so the same members give the same bytes.

Source: docs/evidence.md section 2; PKWARE APPNOTE 6.3.10 sections 4.3.7, 4.3.12, 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NoReturn

from wattest.evidence.verdict import RuleBroken

ARCHIVE_BYTES_MAX: Final = 64 << 20
UNPACKED_BYTES_MAX: Final = 128 << 20
MEMBERS_MAX: Final = 1_024
NAME_BYTES_MAX: Final = 64
FIRST_MEMBER: Final = "manifest.json"

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = 0x04034B50, 0x02014B50, 0x06054B50
_VERSION, _DATE = 20, 0x0021
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    name: bytes
    offset: int
    method: int
    crc: int
    size: int
    packed: bytes

    def local(self) -> bytes:
        """Return the local header without the name."""
        return _LOCAL.pack(
            _LOCAL_MARK, _VERSION, 0, self.method, 0, _DATE,
            self.crc, len(self.packed), self.size, len(self.name), 0,
        )  # fmt: skip

    def central(self) -> bytes:
        """Return the header in the directory without the name."""
        return _CENTRAL.pack(
            _CENTRAL_MARK, _VERSION, _VERSION, 0, self.method, 0, _DATE,
            self.crc, len(self.packed), self.size, len(self.name), 0, 0, 0, 0, 0, self.offset,
        )  # fmt: skip


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """Pack members: the manifest first, the others in the order of their names.

    Args:
        members: content by name; names of at most 64 ASCII characters.

    Raises:
        ValueError: no manifest, a name that is not allowed, or more than a bundle may hold.
    """
    if FIRST_MEMBER not in members:
        raise ValueError(f"expected a member {FIRST_MEMBER}")
    if len(members) > MEMBERS_MAX or sum(map(len, members.values())) > UNPACKED_BYTES_MAX:
        raise ValueError("more than a bundle may hold")
    names = [FIRST_MEMBER, *sorted(name for name in members if name != FIRST_MEMBER)]
    placed: list[_Member] = []
    body = bytearray()
    for name in names:
        member = _pack(name, members[name], len(body))
        placed.append(member)
        body += member.local() + member.name + member.packed
    directory = b"".join(member.central() + member.name for member in placed)
    count = len(placed)
    end = _END.pack(_END_MARK, 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body) + directory + end


def _pack(name: str, content: bytes, offset: int) -> _Member:
    encoded = name.encode("ascii")
    if not 1 <= len(encoded) <= NAME_BYTES_MAX:
        raise ValueError(f"expected a name of 1 to {NAME_BYTES_MAX} characters, got {name!r}")
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(content) + compressor.flush()
    method = _DEFLATED if len(packed) < len(content) else _STORED
    return _Member(
        name=encoded,
        offset=offset,
        method=method,
        crc=zlib.crc32(content),
        size=len(content),
        packed=packed if method == _DEFLATED else content,
    )


def read_archive(data: bytes) -> dict[str, bytes]:
    """Unpack an archive.

    Returns:
        Content by name, in the order of the archive.

    Raises:
        RuleBroken: rule ``zip``: it is not in the one form.
    """
    if len(data) > ARCHIVE_BYTES_MAX:
        _broken("", f"at most {ARCHIVE_BYTES_MAX} bytes expected, got {len(data)}")
    count, directory = _read_end(data)
    members, at = [], 0
    for _ in range(count):
        member = _read_local(data, at, directory)
        members.append(member)
        at += _LOCAL.size + len(member.name) + len(member.packed)
    if at != directory:
        _broken("", f"the directory expected at byte {at}, got {directory}")
    for member in members:
        expected = member.central() + member.name
        if data[at : at + len(expected)] != expected:
            _broken(_text(member.name), "the directory says something else than the local header")
        at += len(expected)
    if at != len(data) - _END.size:
        _broken("", f"the end record expected at byte {at}, got {len(data) - _END.size}")
    _check_names([_text(member.name) for member in members])
    if sum(member.size for member in members) > UNPACKED_BYTES_MAX:
        _broken("", f"at most {UNPACKED_BYTES_MAX} bytes unpacked expected, got more")
    return {_text(member.name): _unpack(member) for member in members}


def _read_end(data: bytes) -> tuple[int, int]:
    """Return the number of members and where the directory begins."""
    at = len(data) - _END.size
    if at < 0 or not data.startswith(b"PK\x03\x04"):
        _broken("", "not a bundle: a zip archive expected")
    mark, disk, start_disk, here, count, size, offset, comment = _END.unpack_from(data, at)
    if mark != _END_MARK:
        _broken("", "cut off: the end record of a zip archive expected at its end")
    if disk or start_disk or here != count or comment or offset + size != at:
        _broken("", "one archive on one disk without a comment expected")
    if not 1 <= count <= MEMBERS_MAX:
        _broken("", f"1 to {MEMBERS_MAX} members expected, got {count}")
    return count, offset


def _read_local(data: bytes, at: int, stop: int) -> _Member:
    begin = at + _LOCAL.size
    if begin > stop:
        _broken("", f"a member expected at byte {at}")
    _, _, _, method, _, _, crc, packed, size, name_bytes, _ = _LOCAL.unpack_from(data, at)
    name = data[begin : begin + name_bytes]
    content = data[begin + name_bytes : begin + name_bytes + packed]
    if begin + name_bytes + packed > stop:
        _broken(_text(name), "cut off")
    member = _Member(name=name, offset=at, method=method, crc=crc, size=size, packed=content)
    if method not in (_STORED, _DEFLATED) or data[at:begin] != member.local():
        _broken(_text(name), "a plain stored or deflated member with the fixed date expected")
    return member


def _check_names(names: list[str]) -> None:
    if names[0] != FIRST_MEMBER:
        _broken("", f"{FIRST_MEMBER} expected as the first member, got {names[0]!r}")
    for before, name in pairwise(names[1:]):
        if name <= before:
            _broken(name, "members in ascending order expected, each once")
    if FIRST_MEMBER in names[1:]:
        _broken(FIRST_MEMBER, "each member once expected")
    for name in names:
        if not 1 <= len(name) <= NAME_BYTES_MAX or not name.isascii():
            _broken("", f"a name of 1 to {NAME_BYTES_MAX} ASCII characters expected, got {name!r}")


def _unpack(member: _Member) -> bytes:
    name = _text(member.name)
    content = member.packed
    if member.method == _DEFLATED:
        inflater = zlib.decompressobj(-15)
        try:
            content = inflater.decompress(member.packed, member.size + 1)
        except zlib.error as exc:
            _broken(name, f"deflated data expected: {exc}")
        if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
            _broken(name, f"deflated data of exactly {member.size} bytes expected")
    if len(content) != member.size:
        _broken(name, f"{member.size} bytes expected, got {len(content)}")
    if zlib.crc32(content) != member.crc:
        _broken(name, f"CRC-32 {member.crc:08x} expected, got {zlib.crc32(content):08x}")
    return content


def _text(name: bytes) -> str:
    return name.decode("latin-1")


def _broken(where: str, message: str) -> NoReturn:
    raise RuleBroken("zip", where, message)
