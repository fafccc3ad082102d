"""Replays one world: ``pytest tests/simulation --seed 7 --operations 3000``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation")
    group.addoption("--seed", type=int, help="run the one world of this seed")
    group.addoption("--operations", type=int, default=1000, help="how long it lives")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Worlds of a test: those it names, or the one that was asked for."""
    marker = metafunc.definition.get_closest_marker("parametrize")
    if marker is not None or "world" not in metafunc.fixturenames:
        return
    config = metafunc.config
    seed = config.getoption("seed", default=None)
    if seed is None:
        worlds = [(seed, 1000) for seed in range(5)]
    else:
        worlds = [(seed, config.getoption("operations"))]
    metafunc.parametrize("world", worlds, ids=[f"seed {s}, {n} operations" for s, n in worlds])
