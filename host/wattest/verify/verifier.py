"""The verifier: twelve numbered steps over every record, with a memory for each key.

    1 form · 2 key · 3 signature        a record that fails here is refused and changes nothing
    4 enrolment
    5 identity                          a replay or a fork ends here; the first content stands
    6 numbering · 7 chain · 8 registers · 9 clocks · 10 plausibility · 11 freshness · 12 sensor

Steps 4 and 6 to 12 never refuse: a record signed by an enrolled key is evidence, and goes to the
ledger with its findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from wattest.errors import DecodeError, SignatureInvalid, VerificationError
from wattest.verify import steps
from wattest.verify.finding import (
    LAST_STEP_OF_IDENTITY,
    STEPS_TOTAL,
    Finding,
    FindingCode,
    Severity,
    StepResult,
    step_results,
)
from wattest.verify.signature import load_key, verify_es256
from wattest.verify.stream import DerivedTime, Stream
from wattest.wire.cose import record_to_be_signed
from wattest.wire.enrolment import Enrolment, EnrolmentAction
from wattest.wire.record import Record
from wattest.wire.record_reader import parse_record

STALE_MS: Final = 15 * 60 * 1000
AHEAD_MS: Final = 60 * 1000

Lookup = Callable[[bytes, int, int], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one record.

    Args:
        record: the record, or None if it could not be read.
        findings: in the order of the steps.
        accepted: signed by an enrolled key: belongs in the ledger.
        duplicate: the same content was seen before; the ledger holds it already.
        performed: how many steps were performed.
        derived: times that this record settles for earlier ones.
    """

    record: Record | None
    findings: tuple[Finding, ...] = ()
    accepted: bool = True
    duplicate: bool = False
    performed: int = STEPS_TOTAL
    derived: tuple[DerivedTime, ...] = ()

    @property
    def steps(self) -> tuple[StepResult, ...]:
        """How each of the twelve steps ended."""
        return step_results(self.findings, self.performed)

    @property
    def worst(self) -> Severity | None:
        """Severity of the worst finding, or None."""
        return max((finding.severity for finding in self.findings), default=None)

    @property
    def forked(self) -> bool:
        """Whether this record contradicts an earlier one of the same identity."""
        return any(finding.code is FindingCode.FORK for finding in self.findings)


class Verifier:
    """Verify records of many nodes, in the order they arrive.

    Args:
        enrolments: keys to accept.
        lookup: content digest that the ledger holds for (kid, ctx, seq), or None; asked only for
            numbers that are no longer remembered here.
        stale_ms: age at reception from which a record is called stale.
        ahead_ms: how far a node's clock may be ahead of ours.

    Raises:
        SignatureInvalid: an enrolment carries a key that cannot be used.
    """

    def __init__(
        self,
        enrolments: Iterable[Enrolment] = (),
        *,
        lookup: Lookup | None = None,
        stale_ms: int = STALE_MS,
        ahead_ms: int = AHEAD_MS,
    ) -> None:
        self._streams: dict[bytes, Stream] = {}
        self._lookup = lookup
        self._stale_ms = stale_ms
        self._ahead_ms = ahead_ms
        for enrolment in enrolments:
            self.enrol(enrolment)

    def enrol(self, enrolment: Enrolment) -> None:
        """Accept a key from now on, or no longer; a second enrolment of a key is a new promise.

        Records that were logged before a key was retired or replaced stay valid under it.

        Raises:
            VerificationError: it was retired or replaced before, or retires a key nobody knows.
            SignatureInvalid: its key cannot be used.
        """
        kid = enrolment.kid
        stream = self._streams.get(kid)
        if stream is not None and stream.closed:
            raise VerificationError(f"{stream.closed}: it cannot be enrolled again")
        if enrolment.action is EnrolmentAction.RETIRE:
            if stream is None:
                raise VerificationError(f"key {kid.hex()} is retired but was never enrolled")
            stream.closed = f"key {kid.hex()} was retired"
            return
        if stream is None:
            self._streams[kid] = Stream(enrolment=enrolment, key=load_key(enrolment.spki))
        else:
            stream.promise(enrolment)
        replaced = self._streams.get(enrolment.replaces)
        if replaced is not None:
            replaced.closed = f"key {enrolment.replaces.hex()} was replaced by {kid.hex()}"

    def closed(self, kid: bytes) -> str:
        """Return why no new record of a key is accepted, or nothing if they are."""
        stream = self._streams.get(kid)
        return stream.closed if stream else ""

    def enrolment(self, kid: bytes) -> Enrolment | None:
        """Return what was last promised about a key, whether it is closed now or not, or None."""
        stream = self._streams.get(kid)
        return stream.enrolment if stream else None

    def knows(self, kid: bytes) -> bool:
        """Tell whether a key is enrolled."""
        return kid in self._streams

    def fold(self, record: Record) -> Verdict:
        """Take up a record that our own ledger holds, so that the next one has a predecessor.

        Args:
            record: of an enrolled key, verified when it was logged; later records of a key after
                earlier ones. The last of each of its streams is enough, in ledger order, but then
                what was left out is found missing.

        Returns:
            What steps 4 and 6 to 12 find in it again; its age at reception is not known any more.

        Raises:
            KeyError: its key is not enrolled.
        """
        stream = self._streams[record.kid]
        found: list[Finding] = []
        steps.check_enrolment(stream, record, found)
        return self._judge(stream, record, found, None)

    def check(self, data: bytes, *, received_ms: int | None = None) -> Verdict:
        """Verify one record.

        Args:
            data: its bytes, as received.
            received_ms: UTC ms since 1970 of reception; None leaves age and future unjudged.
        """
        try:
            record = parse_record(data)
        except DecodeError as exc:
            return _malformed(bytes(data), exc)
        return self.check_record(record, received_ms=received_ms)

    def check_record(self, record: Record, *, received_ms: int | None = None) -> Verdict:
        """Verify a record that is already parsed: steps 2 to 12."""
        stream = self._streams.get(record.kid)
        if stream is None:
            message = f"key {record.kid.hex()} is not enrolled"
            return _refused(record, FindingCode.UNKNOWN_KEY, message, 2)
        known = stream.seen(record.ctx, record.seq)
        if known is None or known[1] != record.digest:  # these very bytes were verified before
            try:
                verify_es256(stream.key, record_to_be_signed(record.encoded), record.encoded[-64:])
            except SignatureInvalid as exc:
                return _refused(record, FindingCode.BAD_SIGNATURE, str(exc), 3)
        found: list[Finding] = []
        steps.check_enrolment(stream, record, found)
        if known is not None or record.seq < stream.next_seq[record.ctx]:
            content_digest = known[0] if known else self._logged(record)
            if content_digest is not None:
                return _seen_before(stream, record, content_digest, found)
        if stream.closed:
            return _refused(record, FindingCode.RETIRED_KEY, stream.closed, 2)
        return self._judge(stream, record, found, received_ms)

    def _logged(self, record: Record) -> bytes | None:
        return self._lookup(*record.identity) if self._lookup else None

    def _judge(
        self, stream: Stream, record: Record, found: list[Finding], received_ms: int | None
    ) -> Verdict:
        """Perform steps 6 to 12 on a record of a new identity, then remember it."""
        steps.check_numbering(stream, record, found)
        last = stream.last
        late = record.seq < stream.next_seq[record.ctx]
        if not late:
            steps.check_chain(stream, record, found)
        if last is not None:
            flow = steps.check_registers(last, record, found, late=late)
            if not late:
                steps.check_clocks(stream, last, record, found)
                elapsed_ms = steps.elapsed_between(stream, last, record)
                if elapsed_ms >= 0 and flow is not None:
                    steps.check_flow(stream, record, flow, elapsed_ms, found)
        steps.check_power(stream, record, found)
        if received_ms is not None:
            steps.check_freshness(
                record, received_ms, found, stale_ms=self._stale_ms, ahead_ms=self._ahead_ms
            )
        if record.status != "G" or record.err or record.input:
            steps.check_sensor(record, found)
        if late:
            stream.remember(record)
        else:
            stream.advance(record)
        derived = stream.times.observe(record)
        return Verdict(record=record, findings=tuple(found), derived=derived)


def _malformed(data: bytes, error: DecodeError) -> Verdict:
    finding = Finding(
        code=FindingCode.MALFORMED,
        severity=Severity.ERROR,
        kid=bytes(8),
        ctx=-1,
        seq=-1,
        message=str(error),
        evidence=(
            ("rule", error.rule),
            ("offset", str(error.offset)),
            ("bytes sha-256", sha256(data).hexdigest()),
        ),
    )
    return Verdict(record=None, findings=(finding,), accepted=False, performed=1)


def _refused(record: Record, code: FindingCode, message: str, performed: int) -> Verdict:
    finding = steps.finding(record, code, Severity.ERROR, message)
    return Verdict(record=record, findings=(finding,), accepted=False, performed=performed)


def _seen_before(
    stream: Stream, record: Record, content_digest: bytes, found: list[Finding]
) -> Verdict:
    """End at step 5: the identity is known, with this content or with another."""
    if record.content_digest == content_digest:
        last = stream.last
        if last is not None and last.identity == record.identity:
            stream.head_digests = (*stream.head_digests[:3], record.digest)
        message = "the same record was received before"
        found.append(steps.finding(record, FindingCode.REPLAY, Severity.NOTICE, message))
        return Verdict(
            record=record,
            findings=tuple(found),
            duplicate=True,
            performed=LAST_STEP_OF_IDENTITY,
        )
    message = f"two records signed as ctx {int(record.ctx)} number {record.seq}: equivocation"
    evidence = (("first content sha-256", content_digest), ("this content", record.content_digest))
    found.append(steps.finding(record, FindingCode.FORK, Severity.ERROR, message, *evidence))
    return Verdict(record=record, findings=tuple(found), performed=LAST_STEP_OF_IDENTITY)
