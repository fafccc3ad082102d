"""A day of one node, from the load to the ledger, and the same day again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from wattest.data import data_root
from wattest.operations.events import RunFinished
from wattest.operations.virtual.run import RunOptions, run
from wattest.scenario import load_scenario

DAY_S = 86_400


def rows() -> Iterator[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        first_s, first = _day(Path(folder) / "first")
        second_s, second = _day(Path(folder) / "second")
    yield _row("a day of one node, through to the ledger", min(first_s, second_s), "s", "<= 20 s")
    yield _row("  files equal byte for byte on re-run", first == second, "yes", ">= 1")


def _row(what: str, ours: float, unit: str, bar: str) -> dict[str, Any]:
    return {
        "what": what,
        "ours": float(ours),
        "unit": unit,
        "reference": None,
        "reference_name": "",
        "ratio": None,
        "bar": bar,
    }


def _day(out: Path) -> tuple[float, dict[str, str]]:
    """Run a day; return how long it took, s, and the digests of what must be reproducible."""
    scenario = load_scenario(data_root() / "bench" / "scenarios" / "minimal.toml")
    start_s = perf_counter()
    options = RunOptions(out=out, duration_s=DAY_S)
    with closing(run(scenario, options)) as events:  # type: ignore[type-var]
        finished = [event for event in events if isinstance(event, RunFinished)]
    took_s = perf_counter() - start_s
    if len(finished) != 1 or finished[0].total.readings < DAY_S // 60:
        raise RuntimeError("the day did not come to its end")
    names = [
        "frames.bin",
        *sorted(p.relative_to(out).as_posix() for p in out.glob("statements/*")),
    ]
    return took_s, {name: sha256((out / name).read_bytes()).hexdigest() for name in names}
