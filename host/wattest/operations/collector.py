"""From bytes on links to entries in the ledger: the one place where readings are collected.

The order is the promise: verify, commit, and only then acknowledge. What a node has not been
acknowledged it keeps and sends again, so the collector may die at any moment. Time is a value
handed in; links are fed and drained by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from wattest.errors import DecodeError, SignatureInvalid
from wattest.ledger import Conflict, Duplicate, EntryKind, Ledger, NewEntry, record_entry
from wattest.operations.events import (
    CheckpointSigned,
    ConsolePrinted,
    FrameLost,
    NodeChanged,
    RecordLogged,
    RecordRefused,
    RunEvent,
)
from wattest.operations.expected import ExpectedNode
from wattest.session import (
    CommandReplied,
    CommandUnanswered,
    FrameFaultSeen,
    HelloReceived,
    NodeRestarted,
    RecordReceived,
    RecordShown,
    Session,
    StrangerSeen,
    TextReceived,
)
from wattest.twin import Twin
from wattest.verify import Finding, FindingCode, Severity, Verdict, Verifier
from wattest.verify.signature import load_key
from wattest.wire import (
    Enrolment,
    Hello,
    Op,
    Record,
    parse_record,
    spki_der,
)

FLUSH_DELAY_MS = 250
BATCH_RECORDS_MAX = 256
_NOT_PROVISIONED = (FindingCode.WRONG_SERIAL, FindingCode.WRONG_CFG)


@dataclass(slots=True)
class _Lane:
    """One link and the node behind it; several lanes may carry one key (a clone)."""

    expected: ExpectedNode
    session: Session
    nonce: bytes
    twin: Twin
    candidate: Enrolment | None = None
    enrolled: bool = False
    stranger: bytes = b""
    held: list[RecordReceived] = field(default_factory=list)


@dataclass(slots=True)
class _Pending:
    lane: _Lane
    received: RecordReceived
    verdict: Verdict
    record: Record


class Collector:
    """Collects from any number of nodes into one ledger.

    Args:
        ledger: where verified records go.
        verifier: state of every stream; folded from the ledger when a run goes on.
        nonce: makes the challenge for a node's enrolment, 16 bytes.
        on_enrolled: is told of each new enrolment and its index before the node's first record.
        on_reply: is told the lane, and what became of a command that was sent on it.
    """

    def __init__(
        self,
        ledger: Ledger,
        verifier: Verifier,
        *,
        nonce: Callable[[ExpectedNode], bytes],
        on_enrolled: Callable[[Enrolment, int], None],
        on_reply: Callable[[str, CommandReplied | CommandUnanswered], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._verifier = verifier
        self._nonce = nonce
        self._on_enrolled = on_enrolled
        self._on_reply = on_reply
        self._lanes: dict[str, _Lane] = {}
        self._pending: list[_Pending] = []
        self._flush_at_ms: int | None = None

    def attach(
        self, expected: ExpectedNode, twin: Twin, *, lane: str = "", kid: bytes | None = None
    ) -> None:
        """Open a lane for a node; its first line asks the node who it is.

        Args:
            expected: what the node must state.
            twin: its mirror.
            lane: name of the lane, if not the node's.
            kid: the only key to talk to, where it is known beforehand.
        """
        session = Session(expected.command_key, kid=kid)
        self._lanes[lane or expected.name] = _Lane(
            expected=expected, session=session, nonce=self._nonce(expected), twin=twin
        )
        session.hello()

    def detach(self, lane: str) -> None:
        """Close a lane; what it did not acknowledge stays with the node."""
        del self._lanes[lane]

    def session(self, lane: str) -> Session:
        """Return the session of a lane, to send commands through."""
        return self._lanes[lane].session

    def enrolment(self, lane: str) -> Enrolment | None:
        """Return the enrolment of the node behind a lane, once it has proved its key."""
        entry = self._lanes[lane]
        return entry.candidate if entry.enrolled else None

    @property
    def flush_at_ms(self) -> int | None:
        """When the oldest uncommitted record wants to be committed, or None."""
        return self._flush_at_ms

    @property
    def pending_records(self) -> int:
        """How many verified records wait for the next commit."""
        return len(self._pending)

    def receive(self, lane: str, data: bytes, now_ms: int) -> list[RunEvent]:
        """Take bytes from a link.

        Raises:
            StoreError: a batch could not be committed; nothing of it was acknowledged.
        """
        entry = self._lanes[lane]
        name = entry.expected.name
        events: list[RunEvent] = []
        for seen in entry.session.receive(data, now_ms):
            match seen:
                case TextReceived():
                    text = seen.data.decode("utf-8", "replace")
                    events.append(ConsolePrinted(node=name, now_ms=now_ms, text=text))
                case FrameFaultSeen():
                    events.append(
                        FrameLost(node=name, now_ms=now_ms, rule=seen.rule, data=seen.data)
                    )
                case HelloReceived():
                    self._greet(entry, seen.hello, now_ms)
                    if entry.enrolled:
                        closed = self._verifier.closed(seen.hello.kid)
                        state = "retired" if closed else "connected"
                        events.append(NodeChanged(node=name, now_ms=now_ms, state=state))
                case NodeRestarted():
                    events.append(NodeChanged(node=name, now_ms=now_ms, state="restarted"))
                case RecordReceived():
                    events += self._take(entry, seen, now_ms)
                case CommandReplied() | CommandUnanswered() if self._on_reply is not None:
                    self._on_reply(lane, seen)
                case RecordShown():
                    events += self._look(entry, seen.data, now_ms)
                case StrangerSeen():
                    events += _tell_stranger(entry, seen.hello, now_ms)
        if len(self._pending) >= BATCH_RECORDS_MAX:
            events += self.flush(now_ms)
        return events

    def flush(self, now_ms: int) -> list[RunEvent]:
        """Commit what is pending, then acknowledge it.

        Raises:
            StoreError: nothing was committed and nothing was acknowledged.
        """
        batch, self._pending, self._flush_at_ms = self._pending, [], None
        if not batch:
            return []
        try:
            outcomes = self._ledger.append([record_entry(item.record) for item in batch])
        except BaseException:
            # They stay pending: the verifier knows them, so another copy must not pass for a
            # duplicate of something durable.
            self._pending = batch
            raise
        events: list[RunEvent] = []
        for item, outcome in zip(batch, outcomes, strict=True):
            lane = item.lane
            _acknowledge(lane, item.received, item.record)
            if isinstance(outcome, Duplicate | Conflict):
                events.append(self._refused(lane, item.received, item.verdict, now_ms))
                continue
            state = lane.twin.apply(item.record, index=outcome.index, verdict=item.verdict)
            events.append(
                RecordLogged(
                    node=lane.expected.name,
                    now_ms=now_ms,
                    verdict=item.verdict,
                    index=outcome.index,
                    twin=state,
                )
            )
        events.append(self._checkpoint(now_ms))
        return events

    def outgoing(self, lane: str, now_ms: int) -> bytes:
        """Return what is to be sent on a link now; may be empty."""
        return self._lanes[lane].session.data_to_send(now_ms)

    def next_deadline_ms(self, lane: str) -> int | None:
        """Return when the session of a lane wants to act by itself, or None."""
        return self._lanes[lane].session.next_deadline_ms

    def _greet(self, lane: _Lane, hello: Hello, now_ms: int) -> None:
        expected = lane.expected
        lane.held = []  # the node sends again what was not acknowledged
        lane.candidate, lane.enrolled = None, False
        spki = spki_der(hello.public_key)
        try:
            load_key(spki)
        except SignatureInvalid:
            return  # no point of the curve: nothing can be signed with it
        lane.candidate = expected.enrolment(spki, enrolled_ms=now_ms)
        known = self._verifier.enrolment(lane.candidate.kid)
        lane.enrolled = known is not None and known.serial == expected.serial
        if not lane.enrolled:
            lane.session.command(Op.IDENTIFY, lane.nonce)

    def _take(self, lane: _Lane, received: RecordReceived, now_ms: int) -> list[RunEvent]:
        try:
            parsed = parse_record(received.data)
        except DecodeError:
            verdict = self._verifier.check(received.data, received_ms=now_ms)
        else:
            stray = self._stray(lane, parsed)
            if stray is not None:
                return [self._refused(lane, received, stray, now_ms)]
            verdict = self._verifier.check_record(parsed, received_ms=now_ms)
        stranger = not lane.enrolled and lane.expected.may_enrol
        if stranger and not verdict.accepted:  # records of an older key of it go on
            return self._hold(lane, received, now_ms)
        record = verdict.record
        if record is None or not verdict.accepted:
            return [self._refused(lane, received, verdict, now_ms)]
        if verdict.duplicate:
            return self._take_duplicate(lane, received, verdict, record, now_ms)
        self._pending.append(
            _Pending(lane=lane, received=received, verdict=verdict, record=record)
        )
        if self._flush_at_ms is None:
            self._flush_at_ms = now_ms + FLUSH_DELAY_MS
        return []

    def _stray(self, lane: _Lane, record: Record) -> Verdict | None:
        """Return why the record of a node enrolled on another link is refused here, else None.

        The verifier must not remember it: once it is sent on its own link it would pass for a
        duplicate of something durable, and be acknowledged without being logged.
        """
        enrolment = self._verifier.enrolment(record.kid)
        if enrolment is None or enrolment.serial == lane.expected.serial:
            return None
        verdict = Verifier([enrolment]).check_record(record)
        if not verdict.accepted:
            return None
        return _of_another_node(lane.expected.serial, enrolment.serial, verdict)

    def _take_duplicate(
        self, lane: _Lane, received: RecordReceived, verdict: Verdict, record: Record, now_ms: int
    ) -> list[RunEvent]:
        """Acknowledge again what the node had reason to send again; refuse a replay.

        A copy of a record that waits for the next commit is passed over: the acknowledgement
        goes out when the first copy is durable, and not before.
        """
        if not received.resent:
            return [self._refused(lane, received, verdict, now_ms)]
        if all(item.record.identity != record.identity for item in self._pending):
            _acknowledge(lane, received, record)
        return []

    def _hold(self, lane: _Lane, received: RecordReceived, now_ms: int) -> list[RunEvent]:
        """Keep records of a stranger until one of them answers the challenge.

        What is not signed by its key, or does not state the serial and the files that were
        provisioned, is refused: such a node is never enrolled.

        The answer may come behind a backlog; it is also shown out of turn (`_look`).
        """
        candidate = lane.candidate
        known = {item.position for item in lane.held}
        if candidate is None or received.position in known:
            return []
        verdict = Verifier([candidate]).check(received.data, received_ms=now_ms)
        record = verdict.record
        wrong = tuple(f for f in verdict.findings if f.code in _NOT_PROVISIONED)
        if wrong:  # what else was found compares it with records that nobody has looked at
            verdict = replace(verdict, findings=wrong, accepted=False)
        if not verdict.accepted or record is None:
            return [self._refused(lane, received, verdict, now_ms)]
        lane.held.append(received)
        return self._enrol(lane, candidate, now_ms) if record.nonce == lane.nonce else []

    def _look(self, lane: _Lane, data: bytes, now_ms: int) -> list[RunEvent]:
        """Enrol a stranger whose answer to the challenge is shown before its turn."""
        candidate = lane.candidate
        if candidate is None or lane.enrolled or not lane.expected.may_enrol:
            return []  # it comes again in its turn, and is judged there
        verdict = Verifier([candidate]).check(data, received_ms=now_ms)
        record = verdict.record
        wrong = any(f.code in _NOT_PROVISIONED for f in verdict.findings)
        if record is None or not verdict.accepted or wrong or record.nonce != lane.nonce:
            return []
        return self._enrol(lane, candidate, now_ms)

    def _enrol(self, lane: _Lane, candidate: Enrolment, now_ms: int) -> list[RunEvent]:
        """Log the enrolment of a node that answered, then take what it sent meanwhile."""
        entry = NewEntry(kind=EntryKind.ENROLMENT, body=candidate.to_cbor())
        (receipt,) = self._ledger.append([entry])
        self._verifier.enrol(candidate)
        self._on_enrolled(candidate, receipt.index)
        lane.enrolled = True
        held, lane.held = sorted(lane.held, key=lambda item: item.position), []
        events: list[RunEvent] = [
            NodeChanged(node=lane.expected.name, now_ms=now_ms, state="enrolled"),
            self._checkpoint(now_ms),
        ]
        for item in held:
            events += self._take(lane, item, now_ms)
        return events

    def _refused(
        self, lane: _Lane, received: RecordReceived, verdict: Verdict, now_ms: int
    ) -> RecordRefused:
        lane.twin.refuse(verdict.findings)
        return RecordRefused(
            node=lane.expected.name, now_ms=now_ms, data=received.data, verdict=verdict
        )

    def _checkpoint(self, now_ms: int) -> CheckpointSigned:
        signed = self._ledger.checkpoint()
        assert signed is not None, "something was committed"
        return CheckpointSigned(
            now_ms=now_ms,
            size=signed.checkpoint.size,
            root=signed.checkpoint.root,
            note=signed.note.decode(),
        )


def _acknowledge(lane: _Lane, received: RecordReceived, record: Record) -> None:
    lane.session.acknowledge(received.position, record.digest, record.prev)


def _tell_stranger(lane: _Lane, hello: Hello, now_ms: int) -> list[RunEvent]:
    """Say once that another key answers than the only one this link is for."""
    if lane.stranger == hello.kid:
        return []
    lane.stranger = hello.kid
    text = (
        f"wattest: another key answers, {hello.kid.hex()} of {hello.serial}: nothing is collected "
        "from it before it is provisioned\n"
    )
    name = lane.expected.name
    return [
        ConsolePrinted(node=name, now_ms=now_ms, text=text),
        NodeChanged(node=name, now_ms=now_ms, state="stranger"),
    ]


def _of_another_node(expected: str, enrolled: str, verdict: Verdict) -> Verdict:
    """Refuse the record of an enrolled node that speaks on the link of another: cables swapped."""
    record = verdict.record
    assert record is not None, "only parsed records are accepted"
    finding = Finding(
        code=FindingCode.WRONG_SERIAL,
        severity=Severity.ERROR,
        kid=record.kid,
        ctx=int(record.ctx),
        seq=record.seq,
        message=f"serial {expected} expected on this link, got the node enrolled as {enrolled}",
    )
    return replace(verdict, findings=(finding,), accepted=False)
