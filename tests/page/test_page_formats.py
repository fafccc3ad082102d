"""The page reads bytes as the host does: same values, and nothing more is accepted."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_bench import needs_node, run_node

from tidy_rules import ROOT
from wattest.errors import CborError, DecodeError, NoteError
from wattest.settlement.quantity import to_base
from wattest.wire import cbor
from wattest.wire.note import parse_checkpoint, parse_note
from wattest.wire.record import Record
from wattest.wire.record_reader import parse_record

pytestmark = needs_node
RECORDS = json.loads((ROOT / "tests" / "vectors" / "records.json").read_text(encoding="utf-8"))
DATA = os.environ.get("WATTEST_TEST_DATA")


def cbor_verdict(data: bytes) -> dict[str, Any]:
    try:
        return {"value": cbor.encode(cbor.decode(data)).hex()}
    except CborError as exc:
        return {"rule": exc.rule}


def record_verdict(data: bytes) -> dict[str, Any]:
    try:
        return {"value": record_form(parse_record(data))}
    except DecodeError as exc:
        return {"rule": exc.rule}


def record_form(record: Record) -> dict[str, Any]:
    return {
        "kid": record.kid.hex(),
        "serial": record.serial,
        "ctx": int(record.ctx),
        "seq": str(record.seq),
        "time": None if record.time_ms is None else str(record.time_ms),
        "mono": str(record.mono_ms),
        "input": int(record.input),
        "status": record.status,
        "err": record.err,
        "event": None if record.event is None else int(record.event.kind),
        "prev": record.prev.hex(),
        "digest": record.digest.hex(),
        "content": record.content_digest.hex(),
        "registers": [
            [each.obis.hex(), str(to_base(each.mantissa, each.scale, each.unit))]
            for each in record.registers
        ],
    }


def random_item(chance: random.Random, depth: int = 0) -> Any:
    kinds = ["int", "big", "bytes", "text", "bool"] + (["list", "map"] * 2 if depth < 4 else [])
    match chance.choice(kinds):
        case "int":
            return chance.randint(-300, 300)
        case "big":
            return chance.choice((-1, 1)) * chance.getrandbits(chance.choice((16, 31, 33, 63)))
        case "bytes":
            return chance.randbytes(chance.choice((0, 1, 23, 24, 70, 300)))
        case "text":
            return "".join(chance.choice("aé€𝄞") for _ in range(chance.randint(0, 30)))
        case "bool":
            return chance.random() < 0.5
        case "list":
            return [random_item(chance, depth + 1) for _ in range(chance.randint(0, 4))]
        case _:
            keys = [chance.choice((chance.randint(-50, 300), f"k{n}")) for n in range(4)]
            return {key: random_item(chance, depth + 1) for key in keys}


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Change, drop or add one to three bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(changed)) if changed else 0
        match chance.randint(0, 3):
            case 0 if changed:
                changed[place] ^= 1 << chance.randint(0, 7)
            case 1 if changed:
                del changed[place]
            case 2:
                changed.insert(place, chance.randrange(256))
            case _ if changed:
                changed[place] = chance.randrange(256)
    return bytes(changed)


def compare(
    what: str, items: list[bytes], expected: Callable[[bytes], dict[str, Any]], folder: Path
) -> list[dict[str, Any]]:
    """Read the items with both programs; return what the page said."""
    given = [{"what": what, "data": item.hex()} for item in items]
    found = run_node("run_formats.mjs", given, folder)
    for item, verdict in zip(items, found, strict=True):
        wanted = expected(item)
        assert verdict.get("value") == wanted.get("value"), item.hex()
    return found


def test_sha_256_is_the_one_of_the_standard_library(tmp_path: Path) -> None:
    chance = random.Random(1)
    items = [chance.randbytes(size) for size in (*range(130), 1000, 65_536)]
    compare("sha256", items, lambda item: {"value": hashlib.sha256(item).hexdigest()}, tmp_path)


def test_random_cbor_and_its_mutations_are_read_alike(tmp_path: Path) -> None:
    chance = random.Random(2)
    sound = [cbor.encode(random_item(chance)) for _ in range(400)]
    items = sound + [mutated(chance, chance.choice(sound)) for _ in range(2500)]
    items += [chance.randbytes(chance.randint(0, 12)) for _ in range(1000)]
    found = compare("cbor", items, cbor_verdict, tmp_path)
    refused = [verdict["rule"] for verdict in found if "rule" in verdict]
    assert len(refused) > 1000
    assert {"shortest-head", "map-order", "truncated", "trailing", "utf-8"} <= set(refused)
    wanted = [cbor_verdict(item).get("rule") for item in items]
    assert [verdict.get("rule") for verdict in found] == wanted


@pytest.mark.skipif(not DATA, reason="WATTEST_TEST_DATA names no folder with vectors")
def test_the_examples_of_the_cbor_standard_are_read_alike(tmp_path: Path) -> None:
    path = Path(DATA or "", "vectors", "cbor", "appendix_a.json")
    if not path.is_file():
        pytest.skip("no examples of the CBOR standard in WATTEST_TEST_DATA")
    examples = json.loads(path.read_text(encoding="utf-8"))
    found = compare("cbor", [bytes.fromhex(e["hex"]) for e in examples], cbor_verdict, tmp_path)
    assert sum("value" in verdict for verdict in found) > 20


def test_records_of_the_vectors_and_their_mutations_are_read_alike(tmp_path: Path) -> None:
    chance = random.Random(3)
    sound = [bytes.fromhex(vector["record"]) for vector in RECORDS["records"]]
    items = sound + [mutated(chance, chance.choice(sound)) for _ in range(1500)]
    found = compare("record", items, record_verdict, tmp_path)
    assert all("value" in verdict for verdict in found[: len(sound)])
    assert 150 < sum("value" in verdict for verdict in found) < 1400


def test_signatures_of_the_vectors_hold_and_a_changed_one_does_not(tmp_path: Path) -> None:
    point = bytes.fromhex(RECORDS["public"])
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + point
    sound = [bytes.fromhex(vector["record"]) for vector in RECORDS["records"]]
    changed = [record[:-1] + bytes((record[-1] ^ 1,)) for record in sound]
    given = [
        {"what": "signature", "data": record.hex(), "options": {"spki": spki.hex()}}
        for record in sound + changed
    ]
    found = [verdict["value"] for verdict in run_node("run_formats.mjs", given, tmp_path)]
    assert found == [True] * len(sound) + [False] * len(changed)


def test_notes_and_their_mutations_are_read_alike(tmp_path: Path) -> None:
    def verdict(data: bytes) -> dict[str, Any]:
        try:
            return {"value": parse_checkpoint(parse_note(data).text).size}
        except NoteError as exc:
            return {"rule": exc.rule}

    root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    signature = "Az3grlgtPICikS85SfpBpDPdDsfJ5r2C0BtcfKgU1xn6NS1Nz+RVFGpRd0RgCLvFhbTWBBJw3w=="
    text = f"wattest/demo\n1440\n{root}\n\n\u2014 wattest/demo {signature}\n".encode()
    chance = random.Random(4)
    items = [text] + [mutated(chance, text) for _ in range(1200)]
    found = compare("note", items, verdict, tmp_path)
    assert 50 < sum("value" in each for each in found) < 1150
