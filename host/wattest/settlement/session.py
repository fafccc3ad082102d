"""Charging sessions: two records of ctx 1 of one key, the energy and the time between them.

A session is shown with the price that its contract gives it by itself: graduated prices begin at
its first unit, and lines for whole periods are left out and named. What is owed is in the
contract's statements, which know the other sessions of the period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from wattest.errors import SettlementError
from wattest.settlement.engine import settle
from wattest.settlement.reading import INPUT_NAMES, MeteringNode, SettlementReading
from wattest.settlement.statement import Cutoff, Statement
from wattest.settlement.templates import PayPerUse
from wattest.settlement.terms import Terms, Window
from wattest.wire.record import SESSION_SIGNATURE, Ctx, Record

END_REASONS = "ELRAP"
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The two records of a session.

    Args:
        begin: ctx 1, tx B.
        end: ctx 1, the next seq of the same key, tx one of E, L, R, A, P.
        begin_index: ledger entry of the first.
        end_index: ledger entry of the second.
    """

    begin: Record
    end: Record
    begin_index: int = 0
    end_index: int = 0

    @property
    def number(self) -> int:
        """Which session of its key it is, from 1; numbers that were burnt leave gaps."""
        return (self.end.seq + 1) // 2

    @property
    def name(self) -> str:
        """Id that the command gave it; may be empty."""
        return self.end.user[4] if self.end.user else ""

    @property
    def signature(self) -> bytes | None:
        """The node's signature of its OCMF text, r and s, 64 bytes; None if there is none."""
        value = dict(self.end.extra_body).get(SESSION_SIGNATURE)
        return value if isinstance(value, bytes) and len(value) == _SIGNATURE_BYTES else None

    @property
    def import_milliwh(self) -> int | None:
        """Energy drawn, milliwatt-hours, exact; None if a register is missing or went back."""
        return _rise(self.begin.import_milliwatthours, self.end.import_milliwatthours)

    @property
    def export_milliwh(self) -> int | None:
        """Energy given back, likewise."""
        return _rise(self.begin.export_milliwatthours, self.end.export_milliwatthours)

    @property
    def use_s(self) -> int | None:
        """Time in use, whole seconds; None if a register is missing or went back."""
        return _rise(self.begin.use_s, self.end.use_s)

    @property
    def duration_ms(self) -> int | None:
        """From the first record to the last: by the clock of the boot, else by UTC, or None."""
        if self.begin.bootseed == self.end.bootseed:
            return self.end.mono_ms - self.begin.mono_ms
        return _rise(self.begin.time_ms, self.end.time_ms)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it is no sound base for money, in words; empty for a sound one."""
        return tuple(_doubts(self))


def sessions_of(records: Iterable[tuple[int, Record]]) -> tuple[Session, ...]:
    """Pair the transaction records of any keys, in order of their ends in the ledger.

    A beginning without its end, or an end whose beginning is missing, is no session.

    Args:
        records: ledger entry and verified record, each identity once; any order.
    """
    transactions: dict[bytes, dict[int, tuple[int, Record]]] = {}
    for index, record in records:
        if record.ctx is Ctx.TRANSACTION:
            transactions.setdefault(record.kid, {})[record.seq] = (index, record)
    found = []
    for by_seq in transactions.values():
        for seq, (index, end) in by_seq.items():
            begin_index, begin = by_seq.get(seq - 1, (0, None))
            if begin is not None and begin.tx == "B" and (end.tx or "-") in END_REASONS:
                found.append(
                    Session(begin=begin, end=end, begin_index=begin_index, end_index=index)
                )
    return tuple(sorted(found, key=lambda session: session.end_index))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPrice:
    """What a contract's lines price a session at, by itself.

    Args:
        statement: over the time of the session; its terms hold the lines that were priced.
        left_out: codes of lines for whole periods.
    """

    statement: Statement
    left_out: tuple[str, ...]


def price_session(
    session: Session,
    terms: Terms,
    readings: Sequence[SettlementReading],
    *,
    asset: str,
    nodes: Iterable[MeteringNode],
    cutoff: Cutoff,
) -> SessionPrice | None:
    """Price a session under a contract.

    Args:
        session: of the asset's node.
        terms: any; None is returned where they do not cover asset and time, or price no use.
        readings: of the ledger up to the cut-off; those of the session's key are used.
        asset: what the session's key is enrolled for.
        nodes: enrolments; the one of the session's key is used.
        cutoff: bound of the readings.

    Raises:
        SettlementError: the readings cannot be priced.
    """
    begin_ms, end_ms = session.begin.time_ms, session.end.time_ms
    used = tuple(line for line in terms.lines if isinstance(line, PayPerUse))
    if asset not in terms.assets or not used or begin_ms is None or end_ms is None:
        return None
    if end_ms <= begin_ms or not _covers(terms, begin_ms, end_ms):
        return None
    kid = session.end.kid
    own = [node for node in nodes if node.kid == kid]
    if not own:
        raise SettlementError(f"key {kid.hex()}: an enrolment expected, got none")
    statement = settle(
        replace(terms, assets=(asset,), lines=used),
        [reading for reading in readings if reading.kid == kid],
        Window(start_ms=begin_ms, end_ms=end_ms),
        nodes=own,
        cutoff=cutoff,
    )
    left_out = tuple(line.code for line in terms.lines if line not in used)
    return SessionPrice(statement=statement, left_out=left_out)


def _covers(terms: Terms, begin_ms: int, end_ms: int) -> bool:
    after = terms.start_ms is None or terms.start_ms <= begin_ms
    return after and (terms.end_ms is None or end_ms <= terms.end_ms)


def _rise(first: int | None, last: int | None) -> int | None:
    if first is None or last is None or last < first:
        return None
    return last - first


def _doubts(session: Session) -> Iterator[str]:
    begin, end = session.begin, session.end
    for what, record in (("first", begin), ("last", end)):
        if record.time_ms is None:
            yield f"the {what} reading has no time"
        if record.status != "G":
            yield f"the {what} reading has status {record.status}"
        if "E" in record.err:
            yield f"the energy of the {what} reading is marked as not usable"
        if "t" in record.err:
            yield f"the time of the {what} reading is marked as not usable"
    if end.tx == "P":
        yield "a power failure ended it"
    if begin.bootseed != end.bootseed:
        yield "the node was restarted in it"
    measured = max(int(begin.input), int(end.input))
    if measured:
        yield f"input was {INPUT_NAMES[measured]}, not the sensor"
    if session.import_milliwh is None:
        yield "the import register is missing or went back"
