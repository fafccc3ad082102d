"""A world in which everything goes wrong, and what must hold in it all the same."""

from __future__ import annotations

import pytest
from sim_checks import (
    check_acknowledged_is_durable,
    check_audit,
    check_everything_arrived,
    check_lies_are_evidence,
    check_nothing_was_invented,
)
from sim_world import World

from wattest.store import MemoryStore

WEIGHTS = {
    "run_for_a_while": 80,
    "reboot_a_node": 2,
    "pull_a_plug": 1,
    "break_the_disk": 2,
    "kill_the_host": 0.2,
    "replay_a_record": 3,
    "forge_a_record": 3,
    "equivocate": 1,
}


def live(seed: int, operations: int) -> World:
    """Let a world live; the seed is printed when anything in it fails."""
    world = World(seed, MemoryStore())
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    for number in range(operations):
        world.operate(world.chance.choices(names, weights)[0])
        if number % 1000 == 999:
            check_acknowledged_is_durable(world)
    world.settle_down()
    return world


def check(world: World) -> None:
    check_everything_arrived(world)
    check_acknowledged_is_durable(world)
    check_nothing_was_invented(world)
    check_lies_are_evidence(world)
    check_audit(world)


@pytest.mark.parametrize("seed", range(5))
def test_invariants_hold_in_a_world_where_everything_goes_wrong(seed: int) -> None:
    check(live(seed, 1000))
