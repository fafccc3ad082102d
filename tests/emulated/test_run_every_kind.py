"""One flipped bit anywhere in a kept run, whose ledger holds every kind of entry, is named.

Every table and every file, 10,000 bits in the long lane. The seed is in the name of the test.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from every_kind import keep_every_kind

from bit_flips import NAMES, Row, flip_one, rows_of
from wattest.errors import WattestError
from wattest.ledger import EntryKind
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.rundir import RunDir

pytestmark = pytest.mark.emulated
SEEDS, FLIPS_EACH = range(4), 25
LONG_SEEDS, LONG_FLIPS_EACH = range(100, 200), 100


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the run that all of these tests damage."""
    out = tmp_path_factory.mktemp("kept") / "OUT"
    keep_every_kind(out)
    return out


@pytest.fixture(scope="module")
def tables(kept: Path) -> dict[str, list[Row]]:
    return rows_of(RunDir(kept).ledger, list(NAMES))


def problems(out: Path) -> list[tuple[str, int | None]]:
    """Return where the audit finds something wrong, and in which entry."""
    try:
        *_, report = audit_run(out)
    except WattestError as error:
        return [(str(error), None)]
    assert isinstance(report, AuditReport)
    return [(problem.where, problem.index) for problem in report.problems]


def test_run_holds_every_kind_of_entry_and_is_sound(
    kept: Path, tables: dict[str, list[Row]]
) -> None:
    assert {row["kind"] for row in tables["entry"]} == set(EntryKind)
    assert set(tables) == set(NAMES) - {"tile"}
    assert problems(kept) == []


def flip_in_a_file(out: Path, chance: random.Random) -> str:
    """Flip a bit of a file beside the ledger; return its name."""
    run = RunDir(out)
    beside = ("-wal", "-shm", run.ledger.name)
    files = sorted(f for f in out.rglob("*") if f.is_file() and not f.name.endswith(beside))
    file = chance.choice(files)
    data = bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    return file.relative_to(out).as_posix()


def check_flips(kept: Path, folder: Path, tables: dict, seed: int, count: int) -> None:
    chance = random.Random(seed)
    for _ in range(count):
        out = folder / "OUT"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(kept, out)
        if chance.randrange(3) == 0:
            name = flip_in_a_file(out, chance)
            found = problems(out)
            assert any(names_file(where, name) for where, _ in found), (name, found)
            continue
        table, names = flip_one(RunDir(out).ledger, tables, chance)
        found = problems(out)
        wanted = {f"{table} {name}" for name in names} | {f"table {table} {n}" for n in names}
        indexes = {int(name) for name in names if table == "entry"}
        assert any(where in wanted or index in indexes for where, index in found), (
            table,
            names,
            found,
        )


def names_file(where: str, name: str) -> bool:
    """Tell whether a problem points at a file: by its name, or a line of digests about it."""
    return name in where or (name == "digests.txt" and bool(where))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_flipped_bit_of_a_run_is_named(
    kept: Path, tmp_path: Path, tables: dict[str, list[Row]], seed: int
) -> None:
    check_flips(kept, tmp_path, tables, seed, FLIPS_EACH)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_any_of_ten_thousand_flipped_bits_of_a_run_is_named(
    kept: Path, tmp_path: Path, tables: dict[str, list[Row]], seed: int
) -> None:
    check_flips(kept, tmp_path, tables, seed, LONG_FLIPS_EACH)
