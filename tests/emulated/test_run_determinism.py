"""One scenario and one seed give the same bytes, however often and however fast it is run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from run_harness import AFTER_CLONE, Bench

from wattest.ledger import EntryKind
from wattest.operations.control import RunControl
from wattest.operations.events import RunFinished, RunStarted
from wattest.operations.rundir import RunDir
from wattest.operations.virtual.run import RunOptions, run
from wattest.scenario import Scenario

pytestmark = pytest.mark.emulated

FAULTS = [
    'kind = "power-cut"\nnode = "feeder"\nat = "21s"\nfor = "10s"\nflash_operation = 5',
    'kind = "bus-bits"\nnode = "feeder"\nat = "51s"\nfor = "20s"\nbit = 5\nexpect = ["status"]',
    'kind = "replay"\nnode = "feeder"\nat = "81s"\nback = 2',
    f'kind = "clone"\nnode = "feeder"\nat = "91s"\nfor = "20s"\n{AFTER_CLONE}',
]
NOISY = "noise_nv = 2000, noise_uv = 900, gain_current_ppm = 300"


def scenario(seed: int = 7) -> Scenario:
    """Return a run in which as much as possible happens by chance or by fault."""
    return Bench(faults=FAULTS, chip=NOISY, contract=True, seed=seed).scenario()


def keep(
    out: Path, *, seed: int = 7, speed: float | None = None
) -> tuple[RunStarted, RunFinished]:
    """Keep a run; return its first and last event."""
    control = RunControl(speed=speed)
    first, *_, last = run(scenario(seed), RunOptions(out=out, speed=speed), control)
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    assert last.reasons == ()
    return first, last


def files(out: Path) -> dict[str, bytes]:
    """Return every file of a run but the ledger, whose pages may lie in any order."""
    names = [name for name in RunDir(out).file_names() if name != "ledger.sqlite"]
    return {name: (out / name).read_bytes() for name in names}


def tables(out: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the ledger."""
    with closing(sqlite3.connect(out / "ledger.sqlite")) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        names = [row[0] for row in connection.execute(query)]
        return {
            n: connection.execute(f"SELECT * FROM {n} ORDER BY 1, 2").fetchall() for n in names
        }


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunFinished]:
    """Keep the run all others are compared with."""
    out = tmp_path_factory.mktemp("kept") / "OUT"
    return out, keep(out)[1]


def same(out: Path, kept: Path) -> bool:
    assert files(out) == files(kept)
    assert tables(out) == tables(kept)
    return True


def test_same_seed_gives_the_same_bytes(kept: tuple[Path, RunFinished], tmp_path: Path) -> None:
    _, last = keep(tmp_path / "OUT")
    assert same(tmp_path / "OUT", kept[0])
    assert len((kept[0] / "frames.bin").read_bytes()) > 10_000
    names = {"checkpoint", "conflict", "cosignature", "edge", "entry", "record", "tile"}
    assert set(tables(kept[0])) == names
    assert last.checkpoint == kept[1].checkpoint
    assert last == kept[1]


def test_run_paced_by_the_wall_gives_the_same_bytes(
    kept: tuple[Path, RunFinished], tmp_path: Path
) -> None:
    keep(tmp_path / "OUT", speed=200)
    assert same(tmp_path / "OUT", kept[0])


def test_run_that_is_not_kept_comes_to_the_same_end(kept: tuple[Path, RunFinished]) -> None:
    *_, last = run(scenario(), RunOptions())
    assert isinstance(last, RunFinished)
    assert last == kept[1]


def test_another_seed_gives_other_keys_and_another_ledger(
    kept: tuple[Path, RunFinished], tmp_path: Path
) -> None:
    first, last = keep(tmp_path / "OUT", seed=8)
    entries = tables(kept[0])["entry"]
    again = tables(tmp_path / "OUT")["entry"]
    shared = {row[2] for row in again} & {row[2] for row in entries}
    assert shared == {row[2] for row in entries if row[1] == EntryKind.TERMS}
    ours = RunDir(kept[0]).read_json()
    theirs = RunDir(tmp_path / "OUT").read_json()
    assert first.nodes[0].kid.hex() != ours["nodes"][0]["kid"]
    assert theirs["checkpoint_key"] != ours["checkpoint_key"]
    assert last.checkpoint != kept[1].checkpoint


def test_seed_of_the_options_wins(tmp_path: Path) -> None:
    quick = Bench(duration="20s").scenario()
    first = next(iter(run(quick, RunOptions(seed=8))))
    other = next(iter(run(Bench(duration="20s", seed=8).scenario(), RunOptions())))
    assert isinstance(first, RunStarted)
    assert first == other
