"""A load played through a test input: levels in time, renewed, one at a time, ended for good."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from wattest.operations.live.played_input import InputPlan, PlayedInput, PlayedInputs
from wattest.scenario import LoadProfile, Origin
from wattest.scenario.piecewise import Piecewise
from wattest.session import CommandReplied, CommandUnanswered
from wattest.wire import Op

S = 1_000_000_000
BEGIN_MS = 1_000_000


def profile(*watts: int, each_s: int = 1) -> LoadProfile:
    knots = [number * each_s * S for number in range(len(watts))]
    end_ns = len(watts) * each_s * S
    power = Piecewise.hold(knots, [value * 10**6 for value in watts], end_ns)
    voltage = Piecewise.constant(24_000_000)
    return LoadProfile(power=power, voltage=voltage, label="steps", origin=Origin.STATED)


@dataclass
class Node:
    """A node that meters what it is told, exactly, and answers when the test says so.

    ``answers``: False: its answers get lost.
    """

    load: LoadProfile
    duration_s: int
    step_s: int = 1
    answers: bool = True
    now_ms: int = BEGIN_MS
    milliwatts: int | None = None
    energy_milliwatt_ms: int = 0
    commands: list[tuple[int, int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan = InputPlan(load=self.load, duration_ns=self.duration_s * S, step_ns=self.step_s * S)
        self.played = PlayedInput(plan, self.send)

    def send(self, op: Op, selected: int, milliwatts: int | None) -> int:
        assert op is Op.TEST_INPUT
        assert (milliwatts is None) == (selected == 0)
        self.commands.append((self.now_ms - BEGIN_MS, selected, milliwatts))
        self.milliwatts = milliwatts
        return len(self.commands)

    def run_to(self, end_ms: int) -> None:
        """Let a second of it pass at a time, as the collector does."""
        while self.now_ms < BEGIN_MS + end_ms:
            due_ms = self.played.due_ms()
            until_ms = BEGIN_MS + end_ms
            if due_ms is not None and due_ms <= until_ms:
                until_ms = max(due_ms, self.now_ms)
            self.energy_milliwatt_ms += (self.milliwatts or 0) * (until_ms - self.now_ms)
            self.now_ms = until_ms
            if due_ms is not None and due_ms <= self.now_ms:
                self.played.act(self.now_ms)
                self.answer()

    def answer(self, refusal: int = 0) -> None:
        if self.answers and self.commands:
            self.played.answered(CommandReplied(counter=len(self.commands), refusal=refusal))


@pytest.mark.parametrize("step_s", [1, 2, 5])
def test_energy_is_that_of_the_load_in_both_directions(step_s: int) -> None:
    node = Node(profile(100, 100, -300, 40, 40, 40, 40, 40, 700, 0), duration_s=10, step_s=step_s)
    node.played.connected(BEGIN_MS)
    node.run_to(10_001)
    assert node.played.over
    assert node.energy_milliwatt_ms == (100 * 2 - 300 + 40 * 5 + 700) * 10**6
    energy = Fraction(node.energy_milliwatt_ms, 3_600_000_000)
    assert f"{float(energy):.3f} Wh asked for" in node.played.told[-1]


def test_a_level_that_stays_is_sent_again_before_a_node_forgets_it() -> None:
    node = Node(profile(5, each_s=100), duration_s=90)
    node.played.connected(BEGIN_MS)
    node.run_to(91_000)
    assert [t_ms for t_ms, _, _ in node.commands] == [0, 20_000, 40_000, 60_000, 80_000, 90_000]
    assert node.commands[-1] == (90_000, 0, None)


def test_while_the_node_does_not_answer_steps_are_left_out() -> None:
    node = Node(profile(1, 2, 3, 4, 5, 6, 7, 8), duration_s=8, answers=False)
    node.played.connected(BEGIN_MS)
    node.run_to(4500)
    assert len(node.commands) == 1
    assert node.played.due_ms() is None
    node.answers = True
    node.answer()
    node.run_to(8000)
    assert [milliwatts for _, _, milliwatts in node.commands] == [
        1000,
        5000,
        6000,
        7000,
        8000,
        None,
    ]
    assert "3 left out" in node.played.told[-1]


def test_a_restarted_node_is_told_its_level_again() -> None:
    node = Node(profile(5, each_s=100), duration_s=60)
    node.played.connected(BEGIN_MS)
    node.run_to(3500)
    node.played.connected(BEGIN_MS + 3500)
    node.run_to(4500)
    assert node.commands == [(0, 1, 5000), (4000, 1, 5000)]


def test_a_command_without_an_answer_is_sent_again() -> None:
    node = Node(profile(5, each_s=100), duration_s=60, answers=False)
    node.played.connected(BEGIN_MS)
    node.run_to(3500)
    node.played.answered(CommandUnanswered(counter=1))
    node.run_to(4000)
    assert len(node.commands) == 2


@pytest.mark.parametrize(("refusal", "said"), [(6, "state"), (99, "99")], ids=["known", "odd"])
def test_a_refusal_is_told_once_and_tried_again(refusal: int, said: str) -> None:
    node = Node(profile(5, each_s=100), duration_s=60, answers=False)
    node.played.connected(BEGIN_MS)
    for _ in range(3):
        node.run_to(node.now_ms - BEGIN_MS + 1001)
        node.played.answered(CommandReplied(counter=len(node.commands), refusal=refusal))
    assert len(node.commands) == 3
    assert [text for text in node.played.told if "refuses" in text] == [
        f"test input: the node refuses a level: {said}"
    ]


def test_leaving_early_sends_the_node_back_once_and_says_what_was_played() -> None:
    node = Node(profile(3600, each_s=100), duration_s=60)
    node.played.connected(BEGIN_MS)
    node.run_to(5000)
    node.played.leave(node.now_ms)
    node.played.leave(node.now_ms)
    assert node.commands[-1] == (5000, 0, None)
    assert [command[1] for command in node.commands].count(0) == 1
    assert not node.played.over
    node.answer()
    assert node.played.over
    assert node.played.due_ms() is None
    assert "5.000 Wh asked for" in node.played.told[-1]


def test_node_that_comes_back_while_it_should_leave_is_told_again() -> None:
    node = Node(profile(3600, each_s=100), duration_s=60, answers=False)
    node.played.connected(BEGIN_MS)
    node.run_to(5000)
    node.played.leave(node.now_ms)
    node.played.connected(node.now_ms)
    assert [command[1] for command in node.commands].count(0) == 2


def test_node_whose_sensor_is_played_says_so_until_it_is_told_otherwise() -> None:
    sent: list[int] = []

    def send(op: Op, selected: int, milliwatts: int | None) -> int:
        assert (op, milliwatts) == (Op.TEST_INPUT, None)
        sent.append(selected)
        return len(sent)

    inputs = PlayedInputs({"a": None})
    for name in "ab":
        inputs.attach(name, send)
    assert not inputs.any_away(["a", "b"])
    for time_ms in (BEGIN_MS, BEGIN_MS + 9000):  # it restarted meanwhile
        inputs.connected("a", time_ms)
        inputs.answered("a", CommandReplied(counter=len(sent), refusal=0))
    assert inputs.due_ms("a") is None
    assert inputs.any_away(["a"])
    assert inputs.leave(BEGIN_MS) == ["a"]
    assert inputs.any_away(["a"])
    inputs.answered("a", CommandReplied(counter=len(sent), refusal=0))
    assert not inputs.any_away(["a"])
    assert sent == [2, 2, 0]
    assert inputs.lines() == []


def test_node_that_does_not_take_that_it_is_played_is_told_to_people() -> None:
    inputs = PlayedInputs({"a": None})
    inputs.attach("a", lambda _op, _selected, _power: 1)
    inputs.connected("a", BEGIN_MS)
    inputs.answered("a", CommandReplied(counter=1, refusal=6))
    assert inputs.lines() == [("a", "the node does not take that its sensor is played")]


def test_node_that_never_answered_is_left_alone() -> None:
    node = Node(profile(5, each_s=100), duration_s=60)
    node.run_to(5000)
    node.played.leave(node.now_ms)
    assert node.played.over
    assert node.commands == []
