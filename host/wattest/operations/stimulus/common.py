"""What all ways of playing share: whose load, and the time to play it in."""

from __future__ import annotations

from wattest.errors import ConfigError
from wattest.operations.control import RunControl
from wattest.scenario import PreparedNode, Scenario, prepare
from wattest.system import monotonic_ns, wait_ns
from wattest.units import NS_PER_S

_SLICE_NS = NS_PER_S // 10
LOG_NAME = "stimulus.csv"


class RealClock:
    """Real time; waiting ends early when somebody stops the run."""

    def __init__(self, control: RunControl) -> None:
        self._control = control

    def now_ns(self) -> int:
        """Return the time."""
        return monotonic_ns()

    def wait_until(self, t_ns: int) -> None:
        """Wait in slices."""
        while (left_ns := t_ns - monotonic_ns()) > 0 and not self._control.stopped:
            wait_ns(min(left_ns, _SLICE_NS))


def choose_node(scenario: Scenario, name: str | None) -> PreparedNode:
    """Return the node whose load is played: the one of that name, or the first.

    Raises:
        ConfigError: there is none of that name, or a load is wrong.
    """
    nodes = {node.spec.name: node for node in prepare(scenario).nodes}
    name = name or next(iter(nodes))
    if name not in nodes:
        raise ConfigError(f"one of {', '.join(nodes)} expected", path=f"--node {name}")
    return nodes[name]
