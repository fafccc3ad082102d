"""Make tests/vectors/bundles anew: base bundles, and cases.json with every mutation.

.venv/bin/python tests/unit/evidence/make_vectors.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cases_container
import cases_contract
import cases_entries
import cases_flips
import cases_log
from mutants import CASES, FOLDER, Mutant, apply, encode, write_cases
from scenes import SCENES, Scene

from wattest.evidence.container import read_archive

SOURCES = (cases_container, cases_log, cases_entries, cases_contract, cases_flips)


def mutants(scenes: Mapping[str, Scene]) -> Iterator[Mutant]:
    """Yield every mutation, and each base unchanged."""
    for source in SOURCES:
        yield from source.cases(scenes)


def bases(scenes: Mapping[str, Scene]) -> dict[str, dict[str, str]]:
    return {name: {"file": f"{name}.zip", "log": s.bench.log} for name, s in scenes.items()}


def encoded(scenes: Mapping[str, Scene]) -> list[dict[str, Any]]:
    """Return every case as data; each gives back the very members it was made from."""
    found = []
    for mutant in mutants(scenes):
        base = scenes[mutant.base].data
        case = encode(mutant, base)
        if (
            mutant.archive is None
            and mutant.members is not None
            and "manifest.json" in mutant.members
        ):
            assert read_archive(apply(case, base)) == dict(mutant.members), mutant.name
        elif mutant.archive is not None:
            assert apply(case, base) == mutant.archive, mutant.name
        found.append(case)
    names = [case["name"] for case in found]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    return found


def main() -> None:
    scenes = {name: make() for name, make in SCENES.items()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, scene in scenes.items():
        (FOLDER / f"{name}.zip").write_bytes(scene.data)
    cases = encoded(scenes)
    write_cases(CASES, bases(scenes), cases)
    print(f"{len(cases)} cases, {CASES.stat().st_size} bytes")


if __name__ == "__main__":
    main()
