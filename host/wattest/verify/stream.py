"""What is remembered of a node between records, and the times that only later records tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from wattest.wire.enrolment import Enrolment
from wattest.wire.record import ZERO_DIGEST, Ctx, EventKind, Record

REMEMBERED_RECORDS: Final = 4096
UNTIMED_RECORDS_MAX: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedTime:
    """The time of a record sealed before its node's clock was ever set.

    Args:
        kid: key of the node.
        ctx: stream of the record.
        seq: its number in the stream.
        time_ms: UTC ms since 1970 of its register latch, derived, not signed as such.
        event_seq: the signed time-set event (ctx 2) it rests on.
    """

    kid: bytes
    ctx: int
    seq: int
    time_ms: int
    event_seq: int


class TimeDeriver:
    """Derive ``time = new - (mono of the event - mono of the record)`` within one boot."""

    def __init__(self) -> None:
        self._bootseed = b""
        self._untimed: list[tuple[int, int, int]] = []

    def observe(self, record: Record) -> tuple[DerivedTime, ...]:
        """Take the next record of a node; return the times it settles, its own included."""
        if record.bootseed != self._bootseed:
            self._bootseed = record.bootseed
            self._untimed = []
        if record.time_ms is None and len(self._untimed) < UNTIMED_RECORDS_MAX:
            self._untimed.append((int(record.ctx), record.seq, record.mono_ms))
        event = record.event
        if not self._untimed or event is None or event.kind is not EventKind.TIME_SET:
            return ()
        base_ms = event.fields[3] - record.mono_ms
        settled = tuple(
            DerivedTime(
                kid=record.kid,
                ctx=ctx,
                seq=seq,
                time_ms=base_ms + mono_ms,
                event_seq=record.seq,
            )
            for ctx, seq, mono_ms in self._untimed
        )
        self._untimed = []
        return settled


@dataclass(slots=True, kw_only=True)
class Stream:
    """State of one key: moves only by records whose signature holds.

    Args:
        enrolment: what the host promised about the key.
        key: ready to verify with.
    """

    enrolment: Enrolment
    key: ec.EllipticCurvePublicKey
    closed: str = ""
    """Why no new record of the key is accepted: it was retired or replaced; empty if it is not."""
    earlier_cfgs: set[bytes] = field(default_factory=set)
    """Digests promised before, of which records may still come until one of now has come."""
    last: Record | None = None
    last_time_ms: int | None = None
    """Time of the last record, or what the clock was set to since."""
    head_digests: tuple[bytes, ...] = (ZERO_DIGEST,)
    """What ``prev`` of the next record may name: more than one when the head came signed twice."""
    next_seq: list[int] = field(default_factory=lambda: [1, 1, 1])
    events_missed_until: int = 0
    """Highest event number already reported missing by way of ``evt``."""
    explained: set[int] = field(default_factory=set)
    """Streams whose next gap a signed break event explains."""
    owed_ms: int = 0
    """Time since the last record whose energy was whole: what its sensor counted meanwhile may
    still come, in one step."""
    times: TimeDeriver = field(default_factory=TimeDeriver)
    _seen: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)

    def promise(self, enrolment: Enrolment) -> None:
        """Take a new enrolment of the key: what was sealed before it may still be on its way."""
        if enrolment.cfg != self.enrolment.cfg:
            self.earlier_cfgs.add(self.enrolment.cfg)
            self.earlier_cfgs.discard(enrolment.cfg)
        self.enrolment = enrolment

    def seen(self, ctx: int, seq: int) -> tuple[bytes, bytes] | None:
        """Return content digest and digest of a remembered record, or None."""
        return self._seen.get(seq << 2 | ctx)

    def remembers(self, digest: bytes) -> bool:
        """Tell whether ``digest`` belongs to a remembered record."""
        return any(digest == known for _, known in self._seen.values())

    def remember(self, record: Record) -> None:
        """Keep the digests of a record, and forget those of the oldest."""
        seen = self._seen
        seen[record.seq << 2 | record.ctx] = (record.content_digest, record.digest)
        if len(seen) > REMEMBERED_RECORDS:
            del seen[next(iter(seen))]

    def _owed_ms(self, record: Record) -> int:
        """Return the time since the last whole record of this boot; a boot owes nothing."""
        last = self.last
        if "E" not in record.err or last is None or last.bootseed != record.bootseed:
            return 0
        return self.owed_ms + max(0, record.mono_ms - last.mono_ms)

    def advance(self, record: Record) -> None:
        """Make ``record`` the head."""
        self.remember(record)
        if self.earlier_cfgs and record.cfg == self.enrolment.cfg:
            self.earlier_cfgs.clear()
        ctx = record.ctx
        self.owed_ms = self._owed_ms(record)
        self.last = record
        self.head_digests = (record.digest,)
        self.next_seq[ctx] = max(self.next_seq[ctx], record.seq + 1)
        if record.time_ms is not None:
            self.last_time_ms = record.time_ms
        event = record.event
        if event is None:
            self.explained.discard(ctx)
        elif event.kind is EventKind.TIME_SET:
            self.last_time_ms = event.fields[3]
        elif event.kind is EventKind.BREAK:
            self.explained = {int(Ctx.FISCAL), int(Ctx.TRANSACTION)}
