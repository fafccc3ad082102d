"""The order in which a world runs its boards and events, and real time for it."""

import itertools
from fractions import Fraction

import pytest
from vm_harness import new_guest

from wattest.emulator.pacing import LISTEN_NS, Pacer
from wattest.emulator.world import LEAD_AMONG_OTHERS_NS, LEAD_NS, STEP_NS_MIN, World

MS = 1_000_000
SECOND = 1000 * MS


class Ticker:
    """An actor that writes its name every ``period`` for ``count`` times."""

    def __init__(self, trace, name, period, count):
        self.trace, self.name, self.period, self.left = trace, name, period, count
        self.due = period

    def next_ns(self):
        return self.due if self.left else None

    def step(self):
        self.trace.append((self.due, self.name))
        self.due += self.period
        self.left -= 1


class Board:
    """The thinnest actor around a guest."""

    def __init__(self, vm):
        self.vm = vm
        self.next_ns = vm.next_ns
        self.step = vm.poll


def test_actors_run_in_order_of_time_and_then_of_adding():
    trace, world = [], World()
    for name, period in (("a", 30), ("b", 20), ("c", 30)):
        world.add(Ticker(trace, name, period, 3))
    world.run_until(1000)
    expected = [(20, "b"), (30, "a"), (30, "c"), (40, "b"), (60, "a"), (60, "b"), (60, "c")]
    assert sorted(trace) == sorted([*expected, (90, "a"), (90, "c")])
    assert [time for time, _ in trace] == sorted(time for time, _ in trace)
    assert [name for time, name in trace if time == 60] == ["a", "b", "c"]
    assert world.now_ns == 1000


def test_events_come_before_actors_of_the_same_time_and_in_order():
    trace, world = [], World()
    world.add(Ticker(trace, "actor", 50, 1))
    world.call_at(50, lambda: trace.append((world.now_ns, "first")))
    world.call_at(50, lambda: trace.append((world.now_ns, "second")))
    world.run_until(50)
    assert [name for _, name in trace] == ["first", "second", "actor"]


def test_run_until_includes_its_moment_and_nothing_later():
    trace, world = [], World()
    world.call_at(10, lambda: trace.append(10))
    world.call_at(11, lambda: trace.append(11))
    world.run_until(10)
    assert (trace, world.now_ns, world.next_ns()) == ([10], 10, 11)


def test_event_in_the_past_happens_now():
    trace, world = [], World()
    world.run_until(100)
    world.call_at(5, lambda: trace.append(world.now_ns))
    world.run_until(100)
    assert trace == [100]


def test_cancelled_event_does_not_happen():
    trace, world = [], World()
    event = world.call_at(5, lambda: trace.append("happened"))
    event.cancel()
    world.run_until(10)
    assert trace == []


def test_event_may_make_events_and_wake_actors():
    trace, world = [], World()
    sleeper = Ticker(trace, "sleeper", 10, 0)
    world.add(sleeper)

    def wake():
        sleeper.left, sleeper.due = 1, world.now_ns + 5
        world.wake(sleeper)
        world.wake(sleeper)

    world.call_at(20, lambda: world.call_at(30, wake))
    world.run_until(100)
    assert trace == [(35, "sleeper")]
    assert world.next_ns() is None


def test_removed_actor_does_not_run_again_even_if_it_removes_itself():
    trace, world = [], World()
    first, second = Ticker(trace, "first", 10, 9), Ticker(trace, "second", 10, 9)
    world.add(first)
    world.add(second)
    world.call_at(25, lambda: world.remove(first))
    world.run_until(50)
    assert [name for _, name in trace].count("first") == 2
    leaver = Ticker(trace, "leaver", 1, 9)
    leaver.step = lambda: world.remove(leaver)
    world.add(leaver)
    world.run_until(90)
    world.wake(leaver)
    assert world.next_ns() is None


def test_world_goes_on_with_an_actor_whose_step_raised():
    trace, world = [], World()
    actor = Ticker(trace, "a", 10, 3)
    step, actor.step = actor.step, lambda: (_ for _ in ()).throw(KeyError("once"))
    world.add(actor)
    with pytest.raises(KeyError, match="once"):
        world.run_until(100)
    actor.step = step
    world.run_until(100)
    assert [at for at, _ in trace] == [10, 20, 30]


@pytest.mark.parametrize(
    ("event_ns", "other_ns", "expected"),
    [
        (None, None, SECOND + LEAD_NS),
        (SECOND + 3 * MS, None, SECOND + 3 * MS),
        (SECOND + 500 * MS, None, SECOND + LEAD_NS),
        (SECOND + 10, None, SECOND + STEP_NS_MIN),
        (None, SECOND, SECOND + LEAD_AMONG_OTHERS_NS),
        (None, SECOND + 9 * MS, SECOND + 9 * MS + LEAD_AMONG_OTHERS_NS),
        (SECOND + 2 * MS, SECOND + 1, SECOND + 2 * MS),
    ],
)
def test_horizon_is_the_next_event_or_a_little_past_the_next_actor(event_ns, other_ns, expected):
    trace, world = [], World()
    runner = Ticker(trace, "runner", SECOND, 1)
    runner.step = lambda: (trace.append(world.horizon_ns()), setattr(runner, "left", 0))
    world.add(runner)
    if other_ns is not None:
        world.add(Ticker([], "other", other_ns, 1))
    if event_ns is not None:
        world.call_at(event_ns, lambda: None)
    world.call_at(SECOND + 1, lambda: None).cancel()
    world.run_until(SECOND)
    assert trace == [expected]


def test_event_planned_before_finds_a_busy_board_at_its_exact_time():
    world, seen = World(), []
    vm, _ = new_guest("while True: pass")
    board = Board(vm)
    board.step = lambda: vm.poll(world.horizon_ns())
    world.add(board)
    world.call_at(5 * MS + 300_000, lambda: seen.append(vm.now_ns() - world.now_ns))
    world.run_until(50 * MS)
    vm.close()
    assert 0 <= seen[0] < 20_000


def test_event_planned_in_answer_to_a_busy_board_finds_it_at_its_exact_time():
    world, seen = World(), []

    def answer(vm, _payload):
        due_ns = vm.now_ns() + 2 * MS
        world.call_at(due_ns, lambda: seen.append((world.now_ns - due_ns, vm.now_ns() - due_ns)))

    source = "import host\nhost.call('ask', '')\nwhile True: pass"
    vm, _ = new_guest(source, handlers={b"ask": answer})
    board = Board(vm)
    board.step = lambda: vm.poll(world.horizon_ns(vm.shorten))
    world.add(board)
    world.run_until(40 * MS)
    vm.close()
    ((world_late_ns, board_late_ns),) = seen
    assert world_late_ns == 0
    assert 0 <= board_late_ns < 20_000


def test_actor_that_is_woken_brings_the_horizon_closer():
    trace, world = [], World()
    sleeper = Ticker(trace, "sleeper", 10 * SECOND, 1)
    runner = Ticker(trace, "runner", SECOND, 1)
    told = []

    def step():
        assert world.horizon_ns(told.append) == SECOND + LEAD_NS
        sleeper.due = SECOND + 3 * MS
        world.wake(sleeper)
        runner.left = 0

    runner.step = step
    world.add(runner)
    world.add(sleeper)
    world.run_until(2 * SECOND)
    assert told == [SECOND + 3 * MS + LEAD_AMONG_OTHERS_NS]


TALKER = """
import time, os
for n in range(40):
    for i in range(os.urandom(1)[0]): pass
    time.sleep(0.001 * (1 + os.urandom(1)[0] % 20))
    print(n, time.ticks_us())
"""


def interleaved(seed):
    trace, world = [], World()
    vms = []
    for name in range(3):
        vm, _ = new_guest(TALKER, seed=b"%d %d" % (seed, name))
        vm._on_output = lambda data, at, name=name: trace.append((at, name, data))
        vms.append(vm)
        world.add(Board(vm))
    world.run_until(2 * SECOND)
    fuel = [vm.fuel_used() for vm in vms]
    for vm in vms:
        assert vm.outcome.exit_code == 0
        vm.close()
    return trace, fuel


@pytest.mark.emulated
def test_three_boards_interleave_the_same_way_every_time():
    first, again, other = interleaved(1), interleaved(1), interleaved(2)
    assert first == again
    assert first != other
    names = [name for _, name, data in first[0] if data == b"\n"]
    assert len(names) == 120
    assert len(set(names[:12])) == 3


@pytest.mark.emulated
def test_board_is_never_more_than_a_slice_ahead_of_an_event():
    vm, _ = new_guest("while True: pass")
    world, seen = World(), []
    world.add(Board(vm))
    for time in range(5 * MS, 40 * MS, 333_333):
        world.call_at(time, lambda: seen.append(vm.now_ns() - world.now_ns))
    world.run_until(50 * MS)
    assert len(seen) > 100
    assert all(0 <= ahead <= 1_050_000 for ahead in seen)
    vm.close()


class Wall:
    """A wall clock that passes when somebody waits, and by ``cost`` each time it is read."""

    def __init__(self, cost=0, wait_at_most=None):
        self.now, self.cost, self.wait_at_most, self.waits = 0, cost, wait_at_most, []

    def read(self):
        self.now += self.cost
        return self.now

    def wait(self, duration):
        self.waits.append(duration)
        self.now += duration if self.wait_at_most is None else min(duration, self.wait_at_most)


@pytest.mark.parametrize("speed", [Fraction(1), Fraction(60), Fraction(1, 3)])
def test_paced_world_takes_its_time_divided_by_speed(speed):
    trace, world, wall = [], World(), Wall()
    world.add(Ticker(trace, "a", 100 * MS, 1000))
    Pacer(world, speed=speed, monotonic_ns=wall.read, wait=wall.wait).run(SECOND, lambda: True)
    assert world.now_ns == SECOND
    assert len(trace) == 10
    assert abs(wall.now - SECOND / speed) <= len(wall.waits)


def test_world_at_full_speed_never_waits():
    trace, world, wall = [], World(), Wall()
    world.add(Ticker(trace, "a", MS, 10_000))
    Pacer(world, speed=None, monotonic_ns=wall.read, wait=wall.wait).run(SECOND, lambda: True)
    assert (len(trace), wall.waits) == (1000, [])


def test_wait_that_returns_early_lets_input_in_at_its_wall_time():
    world, wall = World(), Wall(wait_at_most=10 * MS)
    arrived = []

    def wait(duration):
        wall.wait(duration)
        world.call_at(wall.now, lambda: arrived.append(world.now_ns))

    world.call_at(SECOND, lambda: None)
    Pacer(world, speed=Fraction(1), monotonic_ns=wall.read, wait=wait).run(50 * MS, lambda: True)
    assert arrived == [10 * MS, 20 * MS, 30 * MS, 40 * MS, 50 * MS]


def test_pacer_stops_when_told():
    trace, world, wall = [], World(), Wall()
    world.add(Ticker(trace, "a", MS, 10_000))
    pacer = Pacer(world, speed=None, monotonic_ns=wall.read, wait=wall.wait)
    pacer.run(SECOND, lambda: len(trace) < 5)
    assert len(trace) == 5


def test_world_that_cannot_keep_up_still_listens():
    trace, world, wall = [], World(), Wall()
    world.add(Ticker(trace, "a", MS, 10_000))
    heard = []

    def wait(duration):
        heard.append((wall.now, duration))

    def read():
        wall.now += MS  # each look at the clock costs as much as a turn of the world
        return wall.now

    Pacer(world, speed=Fraction(1), monotonic_ns=read, wait=wait).run(SECOND, lambda: True)
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(heard)]
    assert {duration for _, duration in heard} == {0}
    assert max(gaps) < 2 * LISTEN_NS


def test_pacer_that_fell_far_behind_does_not_race_to_catch_up():
    trace, world, wall = [], World(), Wall()
    world.add(Ticker(trace, "a", 100 * MS, 1000))

    def hang():
        wall.now += 10 * SECOND

    world.call_at(150 * MS, hang)
    Pacer(world, speed=Fraction(1), monotonic_ns=wall.read, wait=wall.wait).run(
        SECOND, lambda: True
    )
    assert wall.now >= 10 * SECOND + 900 * MS
