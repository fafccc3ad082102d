"""Single bytes changed at places from a seed, everywhere; digests fitted, so that it goes deep."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from mutants import Expected, Mutant, with_digests
from scenes import Scene

from wattest.evidence.bundle import read_bundle
from wattest.evidence.container import read_archive

SEED = 20_260_101
EACH = 5


def cases(scenes: Mapping[str, Scene]) -> Iterator[Mutant]:
    chance = random.Random(SEED)
    for base, scene in scenes.items():
        members = read_archive(scene.data)
        for name in sorted(members):
            step = _step_of(name)
            if step is None:
                continue
            for number in range(EACH if members[name] else 0):
                at = chance.randrange(len(members[name]))
                if name == "checkpoint.txt":
                    at = chance.randrange(len(members[name].split(b"\n\n")[0]))
                changed = _flipped(members[name], at, chance)
                yield Mutant(
                    name=f"{base}: {name} bit {number + 1}",
                    base=base,
                    members=with_digests({**members, name: changed}),
                    expect=Expected(passed=False, step=step),
                )
        yield from _bodies(base, scene, members, chance)


def _step_of(name: str) -> int | None:
    if name.startswith("consistency"):
        return 4
    return {"proof.bin": 5, "checkpoint.txt": 2}.get(name)


def _flipped(content: bytes, at: int, chance: random.Random) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def _bodies(
    base: str, scene: Scene, members: Mapping[str, bytes], chance: random.Random
) -> Iterator[Mutant]:
    """Change a byte in the middle of bodies of entries: the tree says that it was another."""
    content = members["entries.cbor"]
    entries = read_bundle(scene.data).entries
    for entry in entries:
        at = content.index(entry.body) + chance.randrange(len(entry.body))
        changed = _flipped(content, at, chance)
        yield Mutant(
            name=f"{base}: a bit of entry {entry.index}",
            base=base,
            members=with_digests({**members, "entries.cbor": changed}),
            expect=Expected(passed=False, step=5, rule="inclusion"),
        )
