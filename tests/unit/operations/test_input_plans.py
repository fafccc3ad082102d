"""Which node is given which load: its namesake's, a named one's, or that of the only one."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.errors import ConfigError
from wattest.operations.expected import ExpectedNode
from wattest.operations.live.played_input import input_plans
from wattest.operations.live.ports import LivePort
from wattest.verify import EnrolmentKind

S = 1_000_000_000
HEAD = """
name = "s"
seed = 1
epoch = 2026-06-15T00:00:00Z
duration = "20s"
interval = "1s"
"""
NODE = """
[[node]]
name = "{name}"
load = {{ kind = "steps", steps = [["0s", {watts}]] }}
"""


def ports(*names: str, rating_w: int = 4800) -> list[LivePort]:
    return [
        LivePort(
            address=f"/dev/{name}",
            expected=ExpectedNode(
                name=name,
                asset=name,
                serial=name,
                board="esp32-devkitc",
                kind=EnrolmentKind.REAL,
                cfg=bytes(16),
                demo=False,
                power_max_milliwatts=rating_w * 1000,
                command_key=bytes(32),
            ),
        )
        for name in names
    ]


def scenario(folder: Path, **watts: int) -> Path:
    path = folder / "s.toml"
    nodes = [NODE.format(name=name, watts=value) for name, value in watts.items()]
    path.write_text(HEAD + "".join(nodes))
    return path


def powers(path: Path, node: str | None, *names: str) -> dict[str, int]:
    """Return the watts that each node is given."""
    plans = input_plans(path, node, ports(*names), step_ns=S)
    assert all((plan.duration_ns, plan.step_ns) == (20 * S, S) for plan in plans.values())
    return {name: plan.load.power_mean_uw(0, S) // 10**6 for name, plan in plans.items()}


def test_each_node_is_given_the_load_of_its_namesake_and_others_nothing(tmp_path: Path) -> None:
    path = scenario(tmp_path, a=10, b=-20, c=30)
    assert powers(path, None, "a", "b", "d") == {"a": 10, "b": -20}


def test_all_nodes_are_given_the_load_that_is_named(tmp_path: Path) -> None:
    path = scenario(tmp_path, a=10, b=20)
    assert powers(path, "b", "a", "x") == {"a": 20, "x": 20}


def test_all_nodes_are_given_the_only_load_there_is(tmp_path: Path) -> None:
    assert powers(scenario(tmp_path, mill=10), None, "a", "b") == {"a": 10, "b": 10}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (None, r"a node named like one of the boards \(x\) expected, got a, b"),
        ("c", "one of a, b expected"),
    ],
)
def test_a_load_that_is_not_clear_is_refused(
    tmp_path: Path, node: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        powers(scenario(tmp_path, a=10, b=20), node, "x")


@pytest.mark.parametrize("watts", [1001, -1001])
def test_a_load_beyond_the_rating_of_the_node_is_refused(tmp_path: Path, watts: int) -> None:
    path = scenario(tmp_path, a=watts)
    with pytest.raises(ConfigError, match=r"at most 1000.0 W expected, which x is rated for"):
        input_plans(path, None, ports("x", rating_w=1000), step_ns=S)
