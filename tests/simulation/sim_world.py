"""The world of the simulation: nodes, bad cables, a disk that fails, one host, and one seed.

The host is the real thing: collector, session, verifier, ledger. What it did is judged at the end
by what is durable, never by what it said.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

from sim_disk import FlakyStore, PowerCut
from sim_money import Money
from sim_node import POWER_MAX_MILLIWATTS, SimNode

from ledger_samples import EPOCH_MS, signer
from wattest.errors import StoreError
from wattest.ledger import Ledger, LedgerView
from wattest.ledger.store import Store
from wattest.operations.collector import Collector
from wattest.operations.events import RecordLogged, RecordRefused, RunEvent
from wattest.operations.expected import ExpectedNode
from wattest.operations.live.restore import restored_verifier
from wattest.twin import Twin
from wattest.verify import EnrolmentKind
from wattest.wire import encode_frame
from wattest.wire.message import FrameKind

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from session_model import Cable

INTERVAL_MS = 60_000
STEP_MS = 15_000
COMMAND_KEY = sha256(b"command key").digest()


class World:
    """Everything of one seed.

    Args:
        seed: the only source of chance.
        store: durable storage, empty.
        nodes: how many.

    Attributes:
        operations: how often each operation was done.
        equivocated: identities for which two contents were signed and both sent.
        lies: what copied boards signed, with the positions they were sent at, by node.
    """

    def __init__(self, seed: int, store: Store, *, nodes: int = 3) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.store = store
        self.disk = FlakyStore(store, self.chance)
        self.now_ms = EPOCH_MS
        self.nodes = {
            f"mill-{n}": SimNode(n, random.Random(seed * 1009 + n), EPOCH_MS)
            for n in range(1, nodes + 1)
        }
        self.cables = {
            name: Cable(seed * 31 + number, worst=40) for number, name in enumerate(self.nodes)
        }
        self.operations: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.equivocated: set[tuple[bytes, int, int]] = set()
        self.lies: dict[str, list[tuple[int, bytes]]] = {}
        self.restarts = 0
        self.start_host()

    def start_host(self) -> None:
        """Start the host on what is durable, as after a crash."""
        self.disk.armed = ""
        self.ledger = Ledger(self.disk, signer())  # type: ignore[arg-type]
        self.money = Money(self.ledger, self.chance)
        view = LedgerView(self.store, signer().verifier)
        verifier = restored_verifier(view, self.store, self.money)
        self.money.remember()
        self.collector = Collector(
            self.ledger,
            verifier,
            nonce=lambda _: self.chance.randbytes(16),
            on_enrolled=self.money.enrolled,
        )
        for name, node in self.nodes.items():
            self.collector.attach(expected(name, node), _twin(name))

    def operate(self, name: str) -> None:
        """Do one operation by its name; a power cut of the host ends it and starts it again."""
        self.operations[name] += 1
        try:
            getattr(self, name)()
        except PowerCut:
            self.restarts += 1
            self.start_host()
        except StoreError:
            self.operations["commit refused"] += 1

    def run_for_a_while(self) -> None:
        """Time passes; nodes measure, send and hear."""
        self.now_ms += STEP_MS
        for name, node in self.nodes.items():
            node.pass_time(STEP_MS)
            if node.clock_ms - node.sealed_ms >= INTERVAL_MS:
                node.seal()
            self._talk(name, node)
        flush_at_ms = self.collector.flush_at_ms
        if flush_at_ms is not None and flush_at_ms <= self.now_ms:
            self._note(self.collector.flush(self.now_ms))

    def reboot_a_node(self) -> None:
        """A node loses power."""
        self._any_node()[1].boot()

    def pull_a_plug(self) -> None:
        """A cable comes off, or goes back in."""
        cable = self.cables[self._any_node()[0]]
        cable.plugged = not cable.plugged

    def break_the_disk(self) -> None:
        """The next commit goes wrong."""
        self.disk.arm()

    def kill_the_host(self) -> None:
        """The host is gone; what it had not committed comes again from the nodes."""
        raise PowerCut

    def replay_a_record(self) -> None:
        """Somebody plays an old record again."""
        name, node = self._any_node()
        position = self.chance.randrange(len(node.journal))
        self._arrive(name, position, node.journal[position])

    def forge_a_record(self) -> None:
        """Somebody changes a bit of a record on its way."""
        name, node = self._any_node()
        position = self.chance.randrange(len(node.journal))
        forged = bytearray(node.journal[position])
        forged[self.chance.randrange(len(forged))] ^= 1 << self.chance.randrange(8)
        self._arrive(name, position, bytes(forged))

    def equivocate(self) -> None:
        """A copied board signs other contents for numbers that the node uses too."""
        name, node = self._any_node()
        brother = node.twin_brother()
        brother.seal()
        node.seal()
        position = len(node.journal) - 1
        self.equivocated.add((node.kid, 0, node.seqs[0]))
        self._talk(name, node)
        self._arrive(name, position, brother.journal[position])
        self.lies.setdefault(name, []).append((position, brother.journal[position]))

    def agree(self) -> None:
        """The parties sign their contract, if they have not."""
        self.money.agree()

    def settle(self) -> None:
        """What is due is settled, twice."""
        drawn = self.money.settle(self.now_ms) if self.money.ready else ()
        self.operations["statements"] += sum(item.new for item in drawn)

    def pay(self) -> None:
        """A payment is confirmed."""
        if self.money.ready:
            self.money.pay(self.now_ms)

    def dispute(self) -> None:
        """A party disputes something."""
        if self.money.ready:
            self.money.dispute(self.now_ms)

    def resolve(self) -> None:
        """A dispute is settled, or somebody tries."""
        if self.money.ready:
            self.money.resolve(self.now_ms)

    def settle_down(self) -> None:
        """Everything is repaired and waited for: what nodes have must reach the ledger."""
        self.disk.armed = ""
        for cable in self.cables.values():
            cable.worst, cable.plugged = 0, True
        for _ in range(self._turns_left()):
            for name, node in self.nodes.items():
                node.next_send = node.acknowledged
                self._talk(name, node)
            self.now_ms += STEP_MS
            self._note(self.collector.flush(self.now_ms))
            if all(node.acknowledged == len(node.journal) for node in self.nodes.values()):
                break
        for name, lies in self.lies.items():
            for position, data in lies:
                self._arrive(name, position, data)
        self._note(self.collector.flush(self.now_ms))
        self.settle()

    def _turns_left(self) -> int:
        waiting = sum(len(node.journal) - node.acknowledged for node in self.nodes.values())
        return 64 + waiting

    def _any_node(self) -> tuple[str, SimNode]:
        name = self.chance.choice(sorted(self.nodes))
        return name, self.nodes[name]

    def _talk(self, name: str, node: SimNode) -> None:
        cable = self.cables[name]
        said = self.collector.outgoing(name, self.now_ms)
        if cable.plugged and said:
            node.hear(said)
        self._note(self.collector.receive(name, cable.carry(node.speak()), self.now_ms))

    def _arrive(self, name: str, position: int, data: bytes) -> None:
        sent = encode_frame(FrameKind.RECORD, position.to_bytes(4) + data)
        self._note(self.collector.receive(name, sent, self.now_ms))

    def _note(self, events: list[RunEvent]) -> None:
        for event in events:
            if isinstance(event, RecordRefused):
                self.refused.update({f.code.value for f in event.verdict.findings})
            elif isinstance(event, RecordLogged) and event.verdict.record is not None:
                self.operations["records logged"] += 1
                self.money.logged(event.verdict.record, event.index, event.verdict)


def expected(name: str, node: SimNode) -> ExpectedNode:
    """Return what the host was told of a node."""
    return ExpectedNode(
        name=name,
        asset=name,
        serial=node.serial,
        board="emulated-esp32",
        kind=EnrolmentKind.EMULATED,
        cfg=node.cfg,
        demo=True,
        power_max_milliwatts=2 * POWER_MAX_MILLIWATTS,
        command_key=COMMAND_KEY,
    )


def _twin(name: str) -> Twin:
    return Twin(name, asset=name, plant=None, interval_ms=INTERVAL_MS)
