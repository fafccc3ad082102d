"""A node of the collector's tests: seals signed records, keeps a journal, talks frames and lines.

It is no emulator: there is no clock and no interpreter, and it does what a test tells it, however
wrong. Its host side is `Talk`: one lane of a collector, moved on by hand.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ledger_samples import EPOCH_MS, INTERVAL_MS, SampleNode
from wattest.ledger import EntryKind, Ledger
from wattest.ledger.store import Store
from wattest.operations.collector import Collector
from wattest.operations.events import RecordRefused, RunEvent
from wattest.operations.expected import ExpectedNode
from wattest.store import MemoryStore
from wattest.twin import Twin
from wattest.verify import Enrolment, EnrolmentKind, Verifier
from wattest.wire import cbor, encode_frame, parse_line
from wattest.wire.cose import seal_sign1
from wattest.wire.message import (
    WINDOW_RECORDS,
    FrameKind,
    Hello,
    LineKind,
    Op,
    encode_hello,
    encode_reply,
    encode_taken,
)
from wattest.wire.message import Reply as CommandReply
from wattest.wire.record import OBIS_EXPORT, OBIS_IMPORT, OBIS_POWER, OBIS_USE

COMMAND_KEY = sha256(b"command key").digest()
NONCE = bytes(range(16))


class TalkingNode(SampleNode):
    """Signs a chain over all its streams and offers it, a window at a time.

    Args:
        number: makes key and serial.
        serial: what it states instead.
        cfg: digest of files it states, 16 bytes.
        command_key: key it believes commands under.
    """

    def __init__(
        self,
        number: int = 1,
        *,
        serial: str = "",
        cfg: bytes = bytes(16),
        command_key: bytes = COMMAND_KEY,
    ) -> None:
        super().__init__(number)
        self.serial = serial or self.serial
        self.cfg = cfg
        self.command_key = command_key
        self.software = "wattest-node"
        self.seqs = [0, 0, 0]
        self.journal: list[bytes] = []
        self.acknowledged = 0
        self.counter = 0
        self.taken = 0
        self.answers = 0
        self.next_send = 0
        self.out = bytearray()
        self.commands: list[dict[int, Any]] = []

    def seal(
        self,
        *,
        event: dict[int, Any] | None = None,
        nonce: bytes | None = None,
        ueid: bytes | None = None,
    ) -> bytes:
        """Append a record to the journal: a reading, or an event of the legal log."""
        ctx = 0 if event is None else 2
        self.seqs[ctx] += 1
        mono_ms = (len(self.journal) + 1) * 100
        body: dict[int, Any] = {
            1: self.seqs[ctx],
            2: ctx,
            3: EPOCH_MS + mono_ms,
            4: 2,
            5: mono_ms,
            6: [
                [OBIS_IMPORT, len(self.journal), -3, 30],
                [OBIS_EXPORT, 0, -3, 30],
                [OBIS_USE, 0, 0, 7],
                [OBIS_POWER, 60_000, -3, 27],
            ],
            7: "G",
            10: self.seqs[2],
            11: self.prev,
            12: self.cfg,
            16: 0,
        }
        if event is not None:
            body[17] = event
        claims: dict[int, Any] = {2: self.serial, 267: 1, 268: bytes(8), -65537: body}
        if nonce is not None:
            claims[10] = nonce
        if ueid is not None:
            claims |= {256: ueid, 270: self.software, 271: ["0.1.0"]}
        data = seal_sign1(self.kid, cbor.encode(claims), self._sign)
        self.prev = sha256(data).digest()
        self.journal.append(data)
        return data

    def say_hello(self, public_key: bytes = b"", *, answers: int = 0) -> None:
        """Say who it is; begin to count anew."""
        self.taken = 0
        self.next_send = self.acknowledged
        hello = Hello(
            kid=sha256(_SPKI_HEAD + public_key).digest()[:8] if public_key else self.kid,
            serial=self.serial,
            first_position=0,
            next_position=len(self.journal),
            unacknowledged_position=self.acknowledged,
            command_counter=self.counter,
            public_key=public_key or self.spki[-64:],
            answers=answers,
        )
        self.out += encode_frame(FrameKind.HELLO, encode_hello(hello))

    def send(self, position: int, data: bytes | None = None) -> None:
        """Send the record of a position, or other bytes in its place."""
        record = self.journal[position] if data is None else data
        self.out += encode_frame(FrameKind.RECORD, position.to_bytes(4) + record)

    def hear(self, data: bytes) -> None:
        """Obey whole lines."""
        for line in data.splitlines(keepends=True):
            self.taken += len(line)
            kind, body = parse_line(line)
            if kind == LineKind.HELLO:
                self.answers += 1
                self.say_hello(answers=self.answers)
            elif kind == LineKind.ACK and self._is_ours(kind, body[:-8], body[-8:]):
                self._prune(int.from_bytes(body[:4]), body[4:12])
            elif kind == LineKind.COMMAND:
                self._command(body)
        if data:
            self.out += encode_frame(FrameKind.TAKEN, encode_taken(self.taken))

    def speak(self) -> bytes:
        """Return what goes out: what was said, and records as far as the window reaches."""
        while self.next_send < min(len(self.journal), self.acknowledged + WINDOW_RECORDS):
            self.send(self.next_send)
            self.next_send += 1
        out, self.out = bytes(self.out), bytearray()
        return out

    def _prune(self, position: int, digest: bytes) -> None:
        assert sha256(self.journal[position]).digest()[:8] == digest
        self.acknowledged = max(self.acknowledged, position + 1)

    def _command(self, body: bytes) -> None:
        fields = cbor.decode(body[:-16])
        refused = 0 if self._is_ours(LineKind.COMMAND, body[:-16], body[-16:]) else 1
        if not refused:
            self.counter = fields[1]
            self.commands.append(fields)
            if fields[2] == Op.IDENTIFY:
                shown = self.seal(event={1: 7}, nonce=fields[3])
                self.out += encode_frame(FrameKind.SHOWN, shown)
        reply = encode_reply(CommandReply(counter=fields[1], refusal=refused))
        self.out += encode_frame(FrameKind.REPLY, reply)

    def _is_ours(self, kind: int, body: bytes, mac: bytes) -> bool:
        whole = hmac.digest(self.command_key, bytes((kind,)) + body, "sha256")
        return whole[: len(mac)] == mac


_SPKI_HEAD = SampleNode().spki[:-64]


@dataclass
class Talk:
    """A collector over a ledger, and nodes on lanes of it."""

    store: Store = field(default_factory=MemoryStore)
    nodes: dict[str, TalkingNode] = field(default_factory=dict)
    enrolled: list[tuple[Enrolment, int]] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)
    now_ms: int = EPOCH_MS + INTERVAL_MS

    def __post_init__(self) -> None:
        from ledger_samples import signer

        self.ledger = Ledger(self.store, signer())
        self.verifier = Verifier()
        self.collector = Collector(
            self.ledger,
            self.verifier,
            nonce=lambda node: NONCE,
            on_enrolled=lambda enrolment, index: self.enrolled.append((enrolment, index)),
        )

    def attach(
        self,
        node: TalkingNode,
        lane: str = "turbine",
        serial: str = "demo-0001",
        kid: bytes | None = None,
    ) -> TalkingNode:
        """Lay a link between a node and the collector, which expects sample node 1."""
        expected = ExpectedNode(
            name=lane,
            asset="turbine",
            serial=serial,
            board="emulated-esp32",
            kind=EnrolmentKind.EMULATED,
            cfg=bytes(16),
            demo=True,
            power_max_milliwatts=10**10,
            command_key=COMMAND_KEY,
        )
        twin = Twin(lane, asset="turbine", plant=None, interval_ms=INTERVAL_MS)
        self.collector.attach(expected, twin, kid=kid)
        self.nodes[lane] = node
        return node

    def step(self, times: int = 1, *, lane: str = "turbine") -> list[RunEvent]:
        """Carry everything once each way; return what the collector told."""
        seen: list[RunEvent] = []
        node = self.nodes[lane]
        for _ in range(times):
            self.now_ms += 10
            node.hear(self.collector.outgoing(lane, self.now_ms))
            seen += self.collector.receive(lane, node.speak(), self.now_ms)
        self.events += seen
        return seen

    def arrive(self, data: bytes, *, lane: str = "turbine") -> list[RunEvent]:
        """Let bytes arrive that the node did not send by itself."""
        return self.collector.receive(lane, data, self.now_ms)

    def flush(self) -> list[RunEvent]:
        """Commit what is pending."""
        seen = self.collector.flush(self.now_ms)
        self.events += seen
        return seen

    def enrol(self, node: TalkingNode) -> TalkingNode:
        """Attach a node with an empty journal and have it prove its key."""
        self.attach(node)
        self.step(3)
        self.flush()
        self.step(2)
        assert self.collector.enrolment("turbine") is not None
        return node


def codes(events: list[RunEvent]) -> list[str]:
    """Return the findings of what was refused."""
    refused = [event for event in events if isinstance(event, RecordRefused)]
    return [finding.code.value for event in refused for finding in event.verdict.findings]


def readings(talk: Talk) -> list[bytes]:
    """Return the bodies of logged records."""
    kinds = {EntryKind.READING, EntryKind.EVENT}
    return [entry.body for entry in talk.ledger.entries() if entry.kind in kinds]


def record_frame(position: int, data: bytes) -> bytes:
    return encode_frame(FrameKind.RECORD, position.to_bytes(4) + data)
