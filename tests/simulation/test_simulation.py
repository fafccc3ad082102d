"""A world in which everything goes wrong, and what must hold in it all the same.

A failure names its seed: ``pytest tests/simulation --seed 7 --operations 3000`` plays it again.
"""

from __future__ import annotations

import pytest
from sim_checks import (
    check_acknowledged_is_durable,
    check_audit,
    check_everything_arrived,
    check_lies_are_evidence,
    check_money,
    check_nothing_was_invented,
    check_statements,
)
from sim_world import World

from wattest.store import MemoryStore

WEIGHTS = {
    "run_for_a_while": 80,
    "reboot_a_node": 2,
    "pull_a_plug": 1,
    "break_the_disk": 2,
    "kill_the_host": 0.5,
    "replay_a_record": 3,
    "forge_a_record": 3,
    "equivocate": 1,
    "agree": 0.5,
    "settle": 4,
    "pay": 1,
    "dispute": 1,
    "resolve": 1,
}
LONG_WORLDS, LONG_OPERATIONS = 40, 2500


def live(seed: int, operations: int) -> World:
    """Let a world live."""
    world = World(seed, MemoryStore())
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    for number in range(operations):
        world.operate(world.chance.choices(names, weights)[0])
        if number % 1000 == 999:
            check_acknowledged_is_durable(world)
    world.settle_down()
    return world


def check(world: World) -> None:
    """Check what must hold in a world that has settled down."""
    check_everything_arrived(world)
    check_acknowledged_is_durable(world)
    check_nothing_was_invented(world)
    check_lies_are_evidence(world)
    check_audit(world)
    check_statements(world)
    check_money(world)


def test_invariants_hold_where_everything_goes_wrong(world: tuple[int, int]) -> None:
    check(live(*world))


def test_same_seed_is_the_same_world() -> None:
    first, second = live(3, 300), live(3, 300)
    assert list(first.store.entries()) == list(second.store.entries())
    assert first.operations == second.operations


def test_everything_that_may_go_wrong_does() -> None:
    world = live(0, 1000)
    assert set(WEIGHTS) <= set(world.operations)
    assert world.restarts > 3
    assert world.operations["commit refused"] > 0
    assert world.operations["statements"] > 5
    assert {"fork", "replay", "bad-signature"} <= set(world.refused)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1000 + LONG_WORLDS))
def test_invariants_hold_over_a_hundred_thousand_operations(seed: int) -> None:
    check(live(seed, LONG_OPERATIONS))
