"""Charging sessions of a kept run, from records that are verified anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import SettlementError, VerificationError
from wattest.exports.ocmf import read_ocmf
from wattest.exports.ocmf_record import node_text, why_no_text
from wattest.exports.ocmf_signature import SignatureState, verify_ocmf
from wattest.ledger import Entry, EntryKind, LedgerView
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.rundir import RunDir
from wattest.settlement import (
    MeteringNode,
    ReadingBook,
    SettlementReading,
    Terms,
    node_of_enrolment,
    terms_from_cbor,
)
from wattest.settlement.session import Session, SessionPrice, price_session, sessions_of
from wattest.settlement.statement import Cutoff
from wattest.verify import Verifier
from wattest.wire import Enrolment, Record, parse_enrolment


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecords:
    """What exports need of a kept run.

    Args:
        origin: name of the ledger, as its checkpoints state it; empty for an empty ledger.
        cutoff: size and root of the whole ledger.
        records: entry and record of every reading and event, in order.
        enrolments: the newest of each key.
        names: name of each serial, as run.json gives it.
        terms: the newest of each contract.
        readings: all of them, with derived times, for settlement.
        nodes: every enrolment, for settlement.
    """

    origin: str
    cutoff: Cutoff
    records: tuple[tuple[int, Record], ...]
    enrolments: Mapping[bytes, Enrolment]
    names: Mapping[str, str]
    terms: tuple[Terms, ...]
    readings: tuple[SettlementReading, ...]
    nodes: tuple[MeteringNode, ...]

    def is_node(self, kid: bytes, name: str) -> bool:
        """Tell whether a person who says ``name`` means this key: serial, asset, name or kid."""
        enrolment = self.enrolments[kid]
        known = self.names.get(enrolment.serial)
        return name in {enrolment.serial, enrolment.asset, known, kid.hex()}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSession:
    """A session, its price and its node's signature.

    Args:
        session: the two records.
        enrolment: of its key.
        ocmf: ``valid``, ``none``, or why the node's signature of its text does not hold.
        prices: by each contract that covers it.
        unpriced: contracts that could not price it, with the reason.
    """

    session: Session
    enrolment: Enrolment
    ocmf: str
    prices: tuple[SessionPrice, ...]
    unpriced: tuple[str, ...]


def read_records(path: Path) -> KeptRecords:
    """Read and verify the records of the run in ``path``.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        VerificationError: a logged record is not what its enrolment promises.
    """
    values = RunDir(path).read_json()
    nodes = [node for node in values.get("nodes", []) if isinstance(node, dict)]
    with open_view(path) as view:
        told = _Read()
        for entry in view.proven_entries():
            told.entry(entry)
        signed = view.checkpoint()
        return told.records(view, signed.checkpoint.origin if signed else "", nodes=nodes)


def kept_sessions(path: Path) -> tuple[KeptSession, ...]:
    """Return the sessions of the run in ``path``, in order of their ends; raises as above."""
    kept = read_records(path)
    return tuple(_session(kept, session) for session in sessions_of(kept.records))


def node_signature_state(session: Session, spki: bytes) -> str:
    """Return ``valid``, ``none``, or why the node's signature of the text does not hold."""
    if session.signature is None:
        return "none"
    reason = why_no_text(session.begin, session.end)
    if reason:
        return f"signed, but {reason}"
    check = verify_ocmf(read_ocmf(node_text(session)), spki)
    return "valid" if check.state is SignatureState.VALID else check.message


def _session(kept: KeptRecords, session: Session) -> KeptSession:
    enrolment = kept.enrolments[session.end.kid]
    prices, unpriced = [], []
    for terms in kept.terms:
        try:
            price = price_session(
                session,
                terms,
                kept.readings,
                asset=enrolment.asset,
                nodes=kept.nodes,
                cutoff=kept.cutoff,
            )
        except SettlementError as error:
            unpriced.append(str(error))
            continue
        if price is not None:
            prices.append(price)
    return KeptSession(
        session=session,
        enrolment=enrolment,
        ocmf=node_signature_state(session, enrolment.spki),
        prices=tuple(prices),
        unpriced=tuple(unpriced),
    )


class _Read:
    """What the entries of a ledger say, one after the other."""

    def __init__(self) -> None:
        self._verifier = Verifier()
        self._book = ReadingBook()
        self._records: list[tuple[int, Record]] = []
        self._enrolments: dict[bytes, Enrolment] = {}
        self._nodes: list[MeteringNode] = []
        self._terms: dict[str, Terms] = {}

    def entry(self, entry: Entry) -> None:
        """Take an entry; kinds that say nothing of readings are passed over."""
        match entry.kind:
            case EntryKind.ENROLMENT:
                enrolment = parse_enrolment(entry.body)
                self._verifier.enrol(enrolment)
                self._enrolments[enrolment.kid] = enrolment
                self._nodes.append(node_of_enrolment(enrolment, index=entry.index))
            case EntryKind.READING | EntryKind.EVENT:
                verdict = self._verifier.check(entry.body)
                if verdict.record is None or not verdict.accepted:
                    raise VerificationError(
                        f"entry {entry.index}: no record that its enrolment promises",
                        hint="run `wattest verify` on the directory to see what is wrong",
                    )
                self._records.append((entry.index, verdict.record))
                self._book.add(verdict.record, index=entry.index)
            case EntryKind.TERMS:
                terms = terms_from_cbor(entry.body)
                self._terms[terms.contract] = terms

    def records(
        self, view: LedgerView, origin: str, *, nodes: Iterable[Mapping[str, object]]
    ) -> KeptRecords:
        """Return all of it."""
        return KeptRecords(
            origin=origin,
            cutoff=Cutoff(size=view.size, root=view.root()),
            records=tuple(self._records),
            enrolments=self._enrolments,
            names={str(node.get("serial")): str(node.get("name")) for node in nodes},
            terms=tuple(self._terms.values()),
            readings=self._book.readings(),
            nodes=tuple(self._nodes),
        )
