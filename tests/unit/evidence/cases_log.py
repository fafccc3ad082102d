"""Steps 2 to 5: checkpoints, witnesses, consistency, inclusion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from evidence_bench import EPOCH_MS, Meter, resigned, witness
from forge import Forge
from mutants import Expected, Mutant, with_digests
from scenes import Scene

from wattest.evidence.bundle import MANIFEST
from wattest.evidence.container import read_archive
from wattest.evidence.manifest import WitnessAsk, canonical_json
from wattest.ledger import CheckpointSigner, EntryKind
from wattest.ledger.tree import node_hash
from wattest.wire import cbor
from wattest.wire.entries import LogRotation, rotation_text
from wattest.wire.note import parse_note

BASE = "statement"
FOREIGN = CheckpointSigner("wattest/bench", bytes([9]) * 32)


def cases(scenes: Mapping[str, Scene]) -> Iterator[Mutant]:
    scene = scenes[BASE]
    forge = Forge.of(scene.bench, scene.data, scene.witnesses)
    members = read_archive(scene.data)
    for name, scened in scenes.items():
        expect = Expected(passed=True)
        changed = read_archive(scened.data)
        yield Mutant(name=f"{name} as it was made", base=name, members=changed, expect=expect)
        yield Mutant(
            name=f"{name}, log key untold", base=name, members=changed, expect=expect, told=False
        )
    yield from _signatures(forge, members)
    yield from _rotations(forge)
    yield from _witnesses(forge, members)
    yield from _consistency(forge, members)
    yield from _inclusion(forge, members)


def _case(name: str, step: int, rule: str, members: Mapping[str, bytes], **more: bool) -> Mutant:
    expect = Expected(passed=False, step=step, rule=rule)
    return Mutant(name=name, base=BASE, members=members, expect=expect, **more)


def _good(name: str, members: Mapping[str, bytes], **more: bool) -> Mutant:
    return Mutant(name=name, base=BASE, members=members, expect=Expected(passed=True), **more)


def _with(members: Mapping[str, bytes], **changes: bytes) -> dict[str, bytes]:
    """Replace members, named without their dots and dashes, and fit the digests."""
    names = {name.replace(".", "_").replace("-", "_"): name for name in members}
    return with_digests({**members, **{names[key]: value for key, value in changes.items()}})


def _signatures(forge: Forge, members: dict[str, bytes]) -> Iterator[Mutant]:
    foreign = forge.copy()
    foreign.signer = FOREIGN
    whole = foreign.members()
    yield _case("whole log signed again by another key", 2, "log-key", whole)
    yield _good("whole log signed again by another key, nobody told", whole, told=False)
    value = json.loads(whole[MANIFEST])
    value["log"] = forge.signer.verifier.to_text()
    lying = {**whole, MANIFEST: canonical_json(value)}
    yield _case("signed by another key under the log's name", 2, "log-signature", lying)
    note = members["checkpoint.txt"]
    text = parse_note(note).text
    lines = note[len(text) + 1 :]
    yield _case(
        "checkpoint with another root", 2, "log-signature",
        _with(members, checkpoint_txt=_swapped_root(note)),
    )  # fmt: skip
    yield _case(
        "checkpoint with another size", 2, "log-signature",
        _with(members, checkpoint_txt=note.replace(b"\n34\n", b"\n35\n")),
    )  # fmt: skip
    yield _case(
        "checkpoint without the log's line", 2, "log-signature",
        _with(members, checkpoint_txt=text.encode() + b"\n" + lines[lines.index(b"\n") + 1 :]),
    )  # fmt: skip
    yield _case(
        "checkpoint without any signature", 2, "note",
        _with(members, checkpoint_txt=text.encode() + b"\n"),
    )  # fmt: skip
    yield _case("empty checkpoint", 2, "note", _with(members, checkpoint_txt=b""))
    yield _case(
        "checkpoint without its final newline", 2, "note",
        _with(members, checkpoint_txt=note[:-1]),
    )  # fmt: skip
    yield _case(
        "checkpoint of another origin", 2, "origin",
        _with(members, checkpoint_txt=_other_origin(forge)),
    )  # fmt: skip
    yield _case(
        "cut-off signed by another key", 2, "log-signature",
        _with(members, cutoff_1_txt=FOREIGN.sign(26, bytes(32)).note),
    )  # fmt: skip
    yield _case("cut-off of no entries", 2, "note", _with(members, cutoff_1_txt=forge.note(0)))
    yield _good(
        "a line of a stranger under the cut-off",
        _with(
            members, cutoff_1_txt=members["cutoff-1.txt"] + witness(7).sign("x", 1).line.encode()
        ),
    )
    bad_line = FOREIGN.sign(34, bytes(32)).note.splitlines(keepends=True)[-1]
    fake = bad_line.replace(bad_line.split()[-1][:6], lines.splitlines()[0].split()[-1][:6])
    yield _case(
        "a second line of the log that does not verify", 2, "log-signature",
        _with(members, checkpoint_txt=note + fake),
    )  # fmt: skip
    value = json.loads(members[MANIFEST])
    value["log"] = value["log"][:-4] + "AAA="
    yield _case("log key damaged", 2, "log-key", {**members, MANIFEST: canonical_json(value)})


def _swapped_root(note: bytes) -> bytes:
    lines = note.splitlines(keepends=True)
    root = lines[2]
    return note.replace(root, (b"A" if root[:1] != b"A" else b"B") + root[1:], 1)


def _other_origin(forge: Forge) -> bytes:
    """A note that the log's key signed, over a text with another first line."""
    text = parse_note(forge.note(forge.size)).text.replace("wattest/bench", "wattest/elsewhere")
    signature = forge.signer._key.sign(text.encode())
    line = parse_note(forge.note(forge.size)).signatures[0]
    from wattest.wire.note import NoteSignature, SignedNote

    signed = NoteSignature(name=line.name, key_id=line.key_id, signature=signature)
    return SignedNote(text=text, signatures=(signed,)).encode()


def _rotations(forge: Forge) -> Iterator[Mutant]:
    new = CheckpointSigner("wattest/bench", bytes([8]) * 32)
    old_text, new_text = forge.signer.verifier.to_text(), new.verifier.to_text()
    signature = forge.signer._key.sign(rotation_text(old_text, new_text))
    for name, good, rotation in (
        ("log key changed by a rotation", True,
         LogRotation(old=old_text, new=new_text, signature=signature)),
        ("log key changed by a rotation nobody signed", False,
         LogRotation(old=old_text, new=new_text, signature=bytes(64))),
    ):  # fmt: skip
        changed = forge.copy()
        changed.add(EntryKind.ROTATION, rotation.to_cbor())
        cutoffs = {
            f"cutoff-{n}.txt": changed.note(size) for n, size in enumerate(changed.cutoffs, 1)
        }
        changed.signer = new
        members = with_digests({**changed.members(), **cutoffs})
        yield _good(name, members) if good else _case(name, 2, "log-key", members)
        if not good:
            yield _case(f"{name}, untold", 2, "log-signature", members, told=False)


def _witnesses(forge: Forge, members: dict[str, bytes]) -> Iterator[Mutant]:
    note = members["checkpoint.txt"]
    first, second = note.splitlines(keepends=True)[-2:]
    bare = note[: -len(first + second)]
    text = parse_note(note).text
    yield _case("no cosignature", 3, "witness", _with(members, checkpoint_txt=bare))
    yield _good("one cosignature of two", _with(members, checkpoint_txt=bare + first))
    yield _good("the other cosignature", _with(members, checkpoint_txt=bare + second))
    stranger = witness(3).sign(text, 1_767_232_800).line.encode()
    yield _case(
        "cosignature of an unknown witness", 3, "witness",
        _with(members, checkpoint_txt=bare + stranger),
    )  # fmt: skip
    other = witness(1).sign(text.replace("34", "33"), 1_767_232_800).line.encode()
    yield _case(
        "cosignature of another checkpoint", 3, "cosignature",
        _with(members, checkpoint_txt=bare + other),
    )  # fmt: skip
    yield _case(
        "one good cosignature and one bad", 3, "cosignature",
        _with(members, checkpoint_txt=bare + second + other),
    )  # fmt: skip
    later = witness(1).sign(text, 1_767_232_900).line.encode()
    yield _good("one witness twice", _with(members, checkpoint_txt=bare + first + later))
    fork = forge.copy()
    fork.put(fork.places(EntryKind.PAYMENT)[0], b"\xf6", EntryKind.ANCHOR)
    fork.witnesses = ()
    yield _case("forked log with valid signatures but no witness", 3, "witness", fork.members())
    keys = tuple(w.key.to_text() for w in (witness(1), witness(2)))
    log = forge.signer.verifier.to_text()
    for name, ask, rule in (
        ("two witnesses asked, one key twice", WitnessAsk(threshold=2, keys=keys[:1] * 2), ""),
        ("more witnesses asked than named", WitnessAsk(threshold=3, keys=keys), ""),
        ("a log's key as a witness", WitnessAsk(threshold=1, keys=(log,)), ""),
        ("a witness key that is no key", WitnessAsk(threshold=1, keys=("witness",)), ""),
        ("two cosignatures asked, one given", WitnessAsk(threshold=2, keys=keys), "witness"),
    ):  # fmt: skip
        changed = forge.copy()
        changed.about(witness=ask)
        changed.witnesses = changed.witnesses[:1]
        yield _case(name, 3, rule or "witness-keys", changed.members())


def _consistency(forge: Forge, members: dict[str, bytes]) -> Iterator[Mutant]:
    proof = members["consistency-1.bin"]
    for name, changed in (
        ("first hash of the consistency proof changed", bytes([proof[0] ^ 1]) + proof[1:]),
        ("last hash of the consistency proof changed", proof[:-1] + bytes([proof[-1] ^ 1])),
        ("consistency proof without its last hash", proof[:-32]),
        ("consistency proof with a hash more", proof + bytes(32)),
        ("consistency proof cut within a hash", proof[:-1]),
        ("no consistency proof", b""),
    ):
        yield _case(name, 4, "consistency", _with(members, consistency_1_bin=changed))
    swapped = _with(
        members, consistency_1_bin=members["consistency-2.bin"], consistency_2_bin=proof
    )
    yield _case("consistency proofs swapped", 4, "consistency", swapped)
    fork = forge.copy()
    fork.put(fork.places(EntryKind.READING)[0], b"\xf6")
    yield _case(
        "cut-off of a forked log, signed by the same key", 4, "consistency",
        _with(members, cutoff_1_txt=fork.note(26)),
    )  # fmt: skip
    older = forge.copy()
    older.witnesses = forge.witnesses
    note = older.copy()
    note.size = 25
    yield _case(
        "checkpoint older than the cut-off", 4, "consistency",
        _with(members, checkpoint_txt=_cosigned(note)),
    )  # fmt: skip


def _cosigned(forge: Forge) -> bytes:
    note = forge.note(forge.size)
    text = parse_note(note).text
    return note + b"".join(
        sorted(w.sign(text, 1_767_232_800).line.encode() for w in forge.witnesses)
    )


def _inclusion(forge: Forge, members: dict[str, bytes]) -> Iterator[Mutant]:
    items = cbor.decode(members["entries.cbor"], max_depth=2)
    proof = members["proof.bin"]

    def entries(name: str, changed: list[list[object]], rule: str = "inclusion") -> Mutant:
        return _case(name, 5, rule, _with(members, entries_cbor=cbor.encode(changed)))

    readings = [place for place, item in enumerate(items) if item[1] == EntryKind.READING]
    first, second = readings[0], readings[1]
    swapped = [[*item] for item in items]
    swapped[first][2], swapped[second][2] = items[second][2], items[first][2]
    yield entries("two readings swapped", swapped)
    for place, what in ((first, "first reading"), (readings[-1], "last reading")):
        changed = [[*item] for item in items]
        changed[place][2] = resigned(items[place][2])
        yield entries(f"{what} with the other valid signature", changed)
        yield entries(f"{what} left out", [*items[:place], *items[place + 1 :]])
        changed[place] = [items[place][0], EntryKind.EVENT, items[place][2]]
        yield entries(f"{what} called an event", changed)
    changed = [[*item] for item in items]
    changed[0][2] = items[0][2].replace(b"0.35", b"0.36")
    yield entries("price in the terms changed", changed)
    foreign = Meter(1, "lamp")
    changed = [[*item] for item in items]
    changed[first][2] = foreign.seal(EPOCH_MS)
    yield entries("a reading made up with the right key", changed)
    changed = [[*item] for item in items]
    changed[-1][0] += 1_000
    yield entries("an index beyond the checkpoint", changed, "size")
    changed = [[*item] for item in items]
    changed[-1][0] = 2**63
    yield entries("an index of more than 63 bits", changed, "size")
    older = forge.copy()
    older.size = 33
    yield _case(
        "truncated log: the checkpoint before the statement", 5, "size",
        _with(members, checkpoint_txt=_cosigned(older),
              consistency_1_bin=_paths(older, 26), consistency_2_bin=_paths(older, 33)),
    )  # fmt: skip
    for name, hashes in (
        ("proof without its first hash", proof[32:]),
        ("proof without its last hash", proof[:-32]),
        ("proof with a hash more", proof + bytes(32)),
        ("proof cut within a hash", proof[:-5]),
        ("empty proof", b""),
        ("hashes of the proof swapped", proof[32:64] + proof[:32] + proof[64:]),
        ("two hashes of the proof joined", node_hash(proof[:32], proof[32:64]) + proof[64:]),
    ):
        yield _case(name, 5, "inclusion", _with(members, proof_bin=hashes))


def _paths(forge: Forge, size: int) -> bytes:
    """Return the consistency proof from a size to that of the forge."""
    copy = forge.copy()
    copy.cutoffs = [size]
    copy.chosen = {0}
    return copy.members(restate=False)["consistency-1.bin"]
