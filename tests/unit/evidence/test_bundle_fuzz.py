"""Whatever is in a file, the verifier ends with a verdict; what it lets pass is what was made."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import pytest
from forge import Forge
from mutants import pack_stored
from scenes import SCENES, Scene

from wattest.errors import CborError
from wattest.evidence.container import read_archive
from wattest.evidence.verdict import Verdict
from wattest.evidence.verify import verdict_of
from wattest.ledger import EntryKind
from wattest.wire import cbor

SEED = 4_711


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {name: make() for name, make in SCENES.items()}


@pytest.mark.parametrize("name", ["reading", "session"])
def test_no_byte_of_a_file_can_be_another(name: str, scenes: dict[str, Scene]) -> None:
    data = scenes[name].data
    members = read_archive(data)
    for at in range(len(data)):
        for mask in (0x01, 0x80):
            changed = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
            verdict = verdict_of(changed, log_key=scenes[name].bench.log)
            # a padding bit behind deflated data says nothing: then the content is the same
            assert not verdict.passed or read_archive(changed) == members, at


@pytest.mark.parametrize("name", SCENES)
def test_no_file_can_be_cut_off(name: str, scenes: dict[str, Scene]) -> None:
    data = scenes[name].data
    for stop in range(0, len(data), 7):
        assert verdict_of(data[:stop]).step == 1


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.long)])
def test_lying_log_gets_a_verdict_for_any_body(count: int, scenes: dict[str, Scene]) -> None:
    """Bodies are changed in any way, then proved, signed and digested: so it goes deep."""
    chance = random.Random(SEED)
    forges = {n: Forge.of(s.bench, s.data, s.witnesses) for n, s in scenes.items()}
    reached = set()
    for number in range(count):
        name = chance.choice(sorted(forges))
        forge = forges[name].copy()
        place = chance.choice(sorted(forge.chosen))
        kind, body = forge.entries[place]
        forge.put(place, _changed(body, chance))
        if kind == EntryKind.TERMS:
            _name_terms(forge, sha256(forge.entries[place][1]).digest())
        data = pack_stored(forge.members(restate=kind != EntryKind.STATEMENT))
        verdict = verdict_of(data, log_key=scenes[name].bench.log)
        assert isinstance(verdict, Verdict), number
        reached.add(verdict.step)
    assert {6, 7, 8, 10} <= reached


def _name_terms(forge: Forge, digest: bytes) -> None:
    """Let statements and manifest name the changed terms."""
    forge.about(terms=digest)
    for statement in forge.places(EntryKind.STATEMENT):
        forge.edit(statement, lambda document: document.update(terms=digest))


def _changed(body: bytes, chance: random.Random) -> bytes:
    """Change bytes of a body, or a value in it where it is CBOR."""
    if chance.random() < 0.5:
        at = chance.randrange(len(body))
        cut = chance.choice([0, 1, 1, 1, 2, 8])
        return body[:at] + chance.randbytes(chance.choice([0, 1, 1, 2, 8])) + body[at + cut :]
    try:
        value = cbor.decode(body, max_depth=12)
    except CborError:  # a signed message
        value = None
    if type(value) is not dict or not value:
        at = chance.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]
    _change_value(value, chance)
    return cbor.encode(value)


_ODD = (
    0,
    1,
    -1,
    2**63 - 1,
    -(2**63),
    "",
    "x" * 300,
    b"",
    b"\0" * 32,
    [],
    {},
    True,
    [[]],
    {"a": 1},
)


def _change_value(value: Any, chance: random.Random) -> None:
    """Put an odd value, or nothing, somewhere into nested maps and lists."""
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = chance.choice(list(keys))
        inner = value[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            value = inner
            continue
        if chance.random() < 0.15:
            del value[key]
        else:
            value[key] = chance.choice(_ODD)
        return
