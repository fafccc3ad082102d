"""What all ways of playing share: whose load, and the time to play it in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError
from wattest.operations.control import RunControl
from wattest.operations.stimulus.player import Applied, Played, PlayLog
from wattest.scenario import PreparedNode, Scenario, prepare
from wattest.system import monotonic_ns, wait_ns
from wattest.units import NS_PER_S

_SLICE_NS = NS_PER_S // 10
LOG_NAME = "stimulus.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """What to play, and where to keep what was played.

    Args:
        scenario: its nodes have the loads.
        node: whose load; None: the first node's.
        step_ns: between two levels, > 0.
        duration_ns: how long; None: the scenario's duration.
        out: folder that gets ``stimulus.csv``, or None.
    """

    scenario: Scenario
    node: str | None
    step_ns: int
    duration_ns: int | None
    out: Path | None

    @property
    def length_ns(self) -> int:
        """How long it plays."""
        return self.duration_ns or self.scenario.duration_ns


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


@contextmanager
def play_log(out: Path | None) -> Iterator[PlayLog | None]:
    """Make ``stimulus.csv`` in a folder, if there is one; closed at the end.

    Raises:
        StoreError: it is there already, or cannot be written.
    """
    if out is None:
        yield None
        return
    with closing(PlayLog(out / LOG_NAME)) as log:
        yield log


def logged(events: Iterable[Applied | Played], log: PlayLog | None) -> Iterator[Applied | Played]:
    """Pass on what is played, each level once it is in the log.

    Raises:
        StoreError: the log cannot be written.
    """
    for event in events:
        if log is not None and isinstance(event, Applied):
            log.add(event)
        yield event
