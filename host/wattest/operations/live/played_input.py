"""Plays a load to a node through its test input: a state that is asked when it wants to act.

A level is a command. It is sent when it differs from the last one, and again now and then: a node
goes back to its sensor when nobody renews what it is told to meter. One command is under way at a
time: while the node does not answer, steps are left out, as the player counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wattest.errors import ConfigError
from wattest.operations.live.ports import LivePort
from wattest.operations.stimulus.player import Played, Playhead
from wattest.scenario import LoadProfile, PreparedNode, load_scenario, prepare
from wattest.session import CommandReplied, CommandUnanswered
from wattest.units import NS_PER_MS, format_decimal, format_duration
from wattest.wire import Op
from wattest.wire.message import RENEW_INPUT_MS, refusal_name

_UW_PER_MILLIWATT = 1000
_SENSOR, _INJECTED, _STIMULUS = 0, 1, 2

SendCommand = Callable[[Op, int, int | None], int]
"""Queues a command to the node; returns its counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """What a node is given to meter.

    Args:
        load: from its zero, which is when the node first answers.
        duration_ns: how long; then the node is back at its sensor.
        step_ns: between two levels.
    """

    load: LoadProfile
    duration_ns: int
    step_ns: int


class PlayedInput:
    """The test input of one node.

    Args:
        plan: what is played.
        send: queues a command to the node.

    Attributes:
        over: nothing more is to come: the node is back at its sensor, or was never away from it.
        told: lines for people, to be taken out.
    """

    def __init__(self, plan: InputPlan, send: SendCommand) -> None:
        self.over = False
        self.told: list[str] = []
        self._plan = plan
        self._send = send
        self._head = Playhead(plan.load, duration_ns=plan.duration_ns, step_ns=plan.step_ns)
        self._begin_ms: int | None = None
        self._sent_milliwatts: int | None = None
        self._sent_ms = 0
        self._waiting: int | None = None
        self._refusal = 0
        self._leaving = False

    def connected(self, now_ms: int) -> None:
        """Note that the node answers, perhaps after a restart that took it back to its sensor."""
        self._waiting = self._sent_milliwatts = None
        if self._leaving and not self.over:
            self._waiting = self._send(Op.TEST_INPUT, _SENSOR, None)
        if self._begin_ms is None:
            self._begin_ms = now_ms
            length = format_duration(self._plan.duration_ns)
            self.told.append(f"test input: {self._plan.load.label}, for {length}")

    def answered(self, reply: CommandReplied | CommandUnanswered) -> None:
        """Take what became of a command."""
        if reply.counter != self._waiting:
            return
        self._waiting = None
        self.over = self._leaving  # without an answer too: it goes back by itself, soon
        if isinstance(reply, CommandUnanswered):
            self._sent_milliwatts = None
            return
        if reply.refusal != self._refusal:
            self._refusal = reply.refusal
            if reply.refusal:
                reason = refusal_name(reply.refusal)
                self.told.append(f"test input: the node refuses a level: {reason}")
        if reply.refusal:
            self._sent_milliwatts = None

    def due_ms(self) -> int | None:
        """Return when `act` wants to be called; None: not before something else happens."""
        if self.over or self._begin_ms is None or self._waiting is not None:
            return None
        return self._begin_ms + -(-self._head.due_ns // NS_PER_MS)

    def act(self, now_ms: int) -> None:
        """Send the level that is due."""
        assert self._begin_ms is not None, "something is due"
        t_ns = (now_ms - self._begin_ms) * NS_PER_MS
        power_uw = self._head.level(t_ns)
        if power_uw is None:
            self.leave(now_ms)
            return
        milliwatts = round(Fraction(power_uw, _UW_PER_MILLIWATT))
        self._head.applied(t_ns, milliwatts * _UW_PER_MILLIWATT, None)
        if milliwatts != self._sent_milliwatts or now_ms >= self._sent_ms + RENEW_INPUT_MS:
            self._waiting = self._send(Op.TEST_INPUT, _INJECTED, milliwatts)
            self._sent_milliwatts, self._sent_ms = milliwatts, now_ms

    def leave(self, now_ms: int) -> None:
        """Send the node back to its sensor; over once it has answered."""
        if self._leaving or self.over:
            return
        if self._begin_ms is None:
            self.over = True
            return
        self._leaving = True
        self._waiting = self._send(Op.TEST_INPUT, _SENSOR, None)
        played = self._head.end((now_ms - self._begin_ms) * NS_PER_MS)
        self.told.append(_summary(played))


class StatedInput:
    """The input of a node whose sensor a stimulus board plays: the node is told to say so.

    Args:
        send: queues a command to the node.

    Attributes:
        over: the node has answered that it does not say so any more, or never did.
        told: lines for people, to be taken out.
    """

    def __init__(self, send: SendCommand) -> None:
        self.over = True
        self.told: list[str] = []
        self._send = send
        self._waiting: int | None = None
        self._leaving = False

    def connected(self, now_ms: int) -> None:
        """Tell a node that answers, perhaps after a restart, what its readings are."""
        del now_ms
        self.over = False
        self._waiting = self._send(Op.TEST_INPUT, _SENSOR if self._leaving else _STIMULUS, None)

    def answered(self, reply: CommandReplied | CommandUnanswered) -> None:
        """Take what became of the command."""
        if reply.counter != self._waiting:
            return
        self._waiting = None
        self.over = self._leaving
        if isinstance(reply, CommandUnanswered) or reply.refusal:
            self.told.append("the node does not take that its sensor is played")

    def due_ms(self) -> int | None:
        """Return None: there are no levels."""
        return None

    def act(self, now_ms: int) -> None:
        """Do nothing: nothing is ever due."""

    def leave(self, now_ms: int) -> None:
        """Tell the node that its sensor is its own again."""
        if not self._leaving and not self.over:
            self._leaving = True
            self.connected(now_ms)


class PlayedInputs:
    """The inputs of those nodes of a collection that do not measure.

    Args:
        plans: by the node's name; None for a node whose sensor a stimulus board plays.
    """

    def __init__(self, plans: Mapping[str, InputPlan | None]) -> None:
        self._plans = plans
        self._inputs: dict[str, PlayedInput | StatedInput] = {}

    def attach(self, name: str, send: SendCommand) -> None:
        """Play to a node of the collection, if there is a plan for it."""
        if name in self._plans:
            plan = self._plans[name]
            self._inputs[name] = StatedInput(send) if plan is None else PlayedInput(plan, send)

    def connected(self, name: str, now_ms: int) -> None:
        """Note that a node answers."""
        if name in self._inputs:
            self._inputs[name].connected(now_ms)

    def answered(self, name: str, reply: CommandReplied | CommandUnanswered) -> None:
        """Note what became of a command to a node."""
        if name in self._inputs:
            self._inputs[name].answered(reply)

    def due_ms(self, name: str) -> int | None:
        """Return when a node wants its next level, or None."""
        return self._inputs[name].due_ms() if name in self._inputs else None

    def act(self, plugged: Sequence[str], now_ms: int) -> list[str]:
        """Send what is due; return the nodes that have something to say."""
        acting = []
        for name in plugged:
            due_ms = self.due_ms(name)
            if due_ms is not None and due_ms <= now_ms:
                self._inputs[name].act(now_ms)
                acting.append(name)
        return acting

    def leave(self, now_ms: int) -> list[str]:
        """Send all of them back to their sensors; return those that have something to say."""
        for each in self._inputs.values():
            each.leave(now_ms)
        return list(self._inputs)

    def any_away(self, plugged: Sequence[str]) -> bool:
        """Tell whether one of these nodes has not answered yet that it is back."""
        return any(not self._inputs[name].over for name in plugged if name in self._inputs)

    def lines(self) -> list[tuple[str, str]]:
        """Take out what is to be told to people: node and text."""
        found = []
        for name, each in self._inputs.items():
            found += [(name, text) for text in each.told]
            each.told.clear()
        return found


def _summary(played: Played) -> str:
    length = format_duration(played.duration_ns // 10**9 * 10**9)
    energy = format_decimal(played.asked_wh, 3)
    return (
        f"test input: {energy} Wh asked for in {played.levels} levels over {length}, "
        f"{played.late} left out"
    )


def input_plans(
    source: Path, node: str | None, ports: Sequence[LivePort], *, step_ns: int
) -> Mapping[str, InputPlan]:
    """Read which node is given what.

    Args:
        source: the scenario.
        node: whose load all of them are given; None: each that of its namesake, or all of them
            that of the only node there is.
        ports: the nodes.
        step_ns: between two levels.

    Returns:
        Plans by the name of the live node.

    Raises:
        ConfigError: no such node, no namesake, or a load beyond what a node is rated for.
    """
    scenario = load_scenario(source)
    loads = {each.spec.name: each for each in prepare(scenario).nodes}
    names = [live.expected.name for live in ports]
    if node is not None:
        if node not in loads:
            raise ConfigError(
                f"one of {', '.join(loads)} expected", path=f"--test-input {source}:{node}"
            )
        chosen = dict.fromkeys(names, loads[node])
    else:
        chosen = {name: loads[name] for name in names if name in loads}
        if not chosen and len(loads) == 1:
            chosen = dict.fromkeys(names, *loads.values())
    if not chosen:
        raise ConfigError(
            f"a node named like one of the boards ({', '.join(names)}) expected, "
            f"got {', '.join(loads)}",
            path=str(source),
            hint=f"say whose load it is: {source}:{next(iter(loads))}",
        )
    for live in ports:
        if live.expected.name in chosen:
            _check_power(live, chosen[live.expected.name])
    return {
        name: InputPlan(load=each.load, duration_ns=scenario.duration_ns, step_ns=step_ns)
        for name, each in chosen.items()
    }


def _check_power(live: LivePort, node: PreparedNode) -> None:
    power = node.load.power
    largest = max(abs(power.minimum), abs(power.maximum)) / _UW_PER_MILLIWATT
    limit = live.expected.power_max_milliwatts
    if largest > limit:
        raise ConfigError(
            f"at most {format_decimal(Fraction(limit, 1000), 1)} W expected, which "
            f"{live.expected.name} is rated for, got {format_decimal(largest / 1000, 1)} W",
            path=f"load of {node.spec.name}",
            hint="scale the load down in the scenario",
        )
