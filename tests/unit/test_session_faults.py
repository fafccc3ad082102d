"""Session and node on a bad cable, with unplugging and restarts: nothing lost, nothing early.

Whatever happens, the node may forget a record only after the host has committed it, the node's
ring never overflows from what the host sends, and in the end every record is committed in order.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from session_model import COMMAND_KEY, RING_BYTES, Cable, ModelNode

from wattest.session import CommandReplied, HelloReceived, RecordReceived, Session
from wattest.wire import Op

STEP_MS = 50


class Host:
    """Commits with a delay, as a group commit does; its ledger survives its restarts."""

    def __init__(self) -> None:
        self.ledger: list[bytes] = []
        self.start()

    def start(self) -> None:
        """A new process: only the ledger is left."""
        self.session = Session(COMMAND_KEY)
        self.session.hello()
        self.pending: list[RecordReceived] = []
        self.replies = 0
        self.hellos = 0

    def receive(self, data: bytes, now_ms: int) -> None:
        for event in self.session.receive(data, now_ms):
            if isinstance(event, RecordReceived):
                self.pending.append(event)
            self.replies += isinstance(event, CommandReplied)
            self.hellos += isinstance(event, HelloReceived)

    def commit(self) -> None:
        for event in self.pending:
            if event.data not in self.ledger:
                self.ledger.append(event.data)
        for event in self.pending:
            self.session.acknowledge(event.position, sha256(event.data).digest())
        self.pending = []


class World:
    def __init__(self, seed: int, worst: int) -> None:
        self.node = ModelNode()
        self.host = Host()
        self.up, self.down = Cable(seed, worst), Cable(seed + 1, worst)
        self.random = self.up.random
        self.now_ms = 0
        self.turn = 0

    def step(self) -> None:
        self.now_ms += STEP_MS
        self.turn += 1
        sent = self.host.session.data_to_send(self.now_ms)
        assert self.host.session.unanswered_bytes <= 200
        self.node.hear(self.down.carry(sent))
        heard = self.up.carry(self.node.tick(self.now_ms))
        cut = self.random.randrange(len(heard) + 1)
        for chunk in (heard[:cut], heard[cut:]):
            self.host.receive(chunk, self.now_ms)
        if self.turn % 3 == 0:
            self.host.commit()
        forgotten = self.node.journal[: self.node.acknowledged]
        assert set(forgotten) <= set(self.host.ledger), "forgotten before it was committed"

    def settle(self) -> None:
        """Run on a good cable until the node has nothing left to send."""
        self.up.worst = self.down.worst = 0
        self.up.plugged = self.down.plugged = True
        for _ in range(4000):
            if self.node.acknowledged == len(self.node.journal) and not self.host.pending:
                break
            self.step()
        assert self.host.ledger == self.node.journal


SEEDS = [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 200))]


@pytest.mark.parametrize("seed", SEEDS)
def test_bad_cable_loses_nothing(seed: int) -> None:
    world = World(seed, worst=12)
    for turn in range(1500):
        if turn % 10 == 0:
            world.node.seal()
        world.step()
    world.settle()


@pytest.mark.parametrize("seed", SEEDS)
def test_restarts_and_unplugging_lose_nothing(seed: int) -> None:
    world = World(seed, worst=40)
    for turn in range(1500):
        if turn % 10 == 0:
            world.node.seal()
        match world.random.randrange(150):
            case 0:
                world.node.restart()
            case 1:
                world.host.start()
            case 2:
                world.up.plugged = world.down.plugged = False
            case 3 | 4:
                world.up.plugged = world.down.plugged = True
                world.host.session.hello()
            case 5:
                world.node.hung = True
            case 6 | 7 if world.node.hung:
                world.node.restart()
        world.step()
    world.node.restart()
    world.settle()


def test_good_cable_delivers_each_record_once_and_never_fills_the_ring() -> None:
    world = World(0, worst=0)
    delivered = 0
    for turn in range(600):
        if turn % 2 == 0:
            world.node.seal()
        before = len(world.host.pending)
        world.step()
        delivered += max(0, len(world.host.pending) - before)
        if turn % 50 == 7:
            world.host.session.command(Op.IDENTIFY, bytes(64))
    world.settle()
    assert not world.node.overflowed
    assert len(world.node.ring) <= RING_BYTES
    assert world.host.replies == len(world.node.commands) == 12
    assert world.host.hellos == 1


def test_long_silence_of_the_host_costs_no_more_than_its_window() -> None:
    world = World(0, worst=0)
    world.down.plugged = False
    for _ in range(30):
        world.node.seal()
    for _ in range(200):
        world.step()
    assert world.host.ledger == []
    world.down.plugged = True
    world.settle()
