"""What a ledger holds besides records, read once: where to look for what belongs into a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wattest.errors import CborError, DecodeError
from wattest.ledger.conflict import CONFLICT_CODE
from wattest.ledger.entry import Entry, EntryKind
from wattest.wire import cbor
from wattest.wire.act import SignedAct, is_act, parse_act
from wattest.wire.enrolment import Enrolment, KeptFinding, parse_enrolment, parse_finding
from wattest.wire.entries import LoggedEstimate, parse_estimate, parse_machine_dispute

_ACT_KINDS = (
    EntryKind.AGREEMENT,
    EntryKind.DISPUTE,
    EntryKind.RESOLUTION,
    EntryKind.ROTATION,
    EntryKind.PAYMENT,
)


@dataclass(slots=True)
class Catalogue:
    """Entries of a ledger that are no records, by their index, in its order.

    Attributes:
        terms: documents of terms.
        statements: documents of statements.
        enrolments: of any key.
        conflicts: findings that keep a second content.
        acts: of parties, with the bodies they came in.
        machine_disputes: index of the dispute by that of its finding.
        estimates: of models.
        log_rotations: of the ledger's own key.
    """

    terms: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    statements: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    enrolments: dict[int, Enrolment] = field(default_factory=dict)
    conflicts: dict[int, KeptFinding] = field(default_factory=dict)
    acts: dict[int, SignedAct] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    machine_disputes: dict[int, int] = field(default_factory=dict)
    estimates: dict[int, LoggedEstimate] = field(default_factory=dict)
    log_rotations: list[int] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Take an entry; what cannot be read belongs to nothing here (an audit names it)."""
        try:
            self._take(entry)
        except (DecodeError, CborError):
            return

    def _take(self, entry: Entry) -> None:
        index, body = entry.index, entry.body
        match entry.kind:
            case EntryKind.TERMS:
                self.terms[index] = _map(cbor.decode(body))
                self.bodies[index] = body
            case EntryKind.STATEMENT:
                self.statements[index] = _map(cbor.decode(body, max_depth=12, max_bytes=1 << 22))
            case EntryKind.ENROLMENT:
                self.enrolments[index] = parse_enrolment(body)
            case EntryKind.FINDING:
                finding = parse_finding(body)
                if finding.code == CONFLICT_CODE:
                    self.conflicts[index] = finding
            case EntryKind.ESTIMATE:
                self.estimates[index] = parse_estimate(body)
            case kind if kind in _ACT_KINDS:
                self._take_act(entry)
            case _:
                return

    def _take_act(self, entry: Entry) -> None:
        self.bodies[entry.index] = entry.body
        if is_act(entry.body):
            self.acts[entry.index] = parse_act(entry.body)
        elif entry.kind == EntryKind.DISPUTE:
            dispute = parse_machine_dispute(entry.body)
            self.machine_disputes[dispute.finding_index] = entry.index
        elif entry.kind == EntryKind.ROTATION:
            self.log_rotations.append(entry.index)


def catalogue_of(entries: Iterable[Entry]) -> Catalogue:
    """Read a ledger's entries."""
    catalogue = Catalogue()
    for entry in entries:
        catalogue.take(entry)
    return catalogue


def _map(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict else {}
