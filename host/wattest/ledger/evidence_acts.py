"""Checks of what parties and the ledger itself state: acts, disputes, estimates, anchors.

Each is judged by what stands before it in the ledger and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from wattest.errors import DecodeError, VerificationError
from wattest.ledger.audit import EntryCheck
from wattest.ledger.conflict import CONFLICT_CODE
from wattest.ledger.entry import ConflictRow, Entry, EntryKind
from wattest.ledger.parties import Parties
from wattest.ledger.rotation import check_rotation
from wattest.wire.act import ActKind, is_act
from wattest.wire.enrolment import KeptFinding, parse_finding
from wattest.wire.entries import (
    Anchor,
    MachineDispute,
    parse_anchor,
    parse_estimate,
    parse_machine_dispute,
)

ENTRY_OF_ACT: Mapping[ActKind, EntryKind] = {
    ActKind.AGREE: EntryKind.AGREEMENT,
    ActKind.DISPUTE: EntryKind.DISPUTE,
    ActKind.RESOLVE: EntryKind.RESOLUTION,
    ActKind.PAY: EntryKind.PAYMENT,
    ActKind.ROTATE: EntryKind.ROTATION,
}


class ActChecks:
    """One audit's memory of contracts, conflicts and anchors.

    Attributes:
        parties: who may act; the audit adds terms as it checks them.
        anchors: by entry: what must be a checkpoint of this ledger.
        checks: for :func:`wattest.ledger.audit.audit`.
    """

    def __init__(self) -> None:
        self.parties = Parties()
        self.anchors: dict[int, Anchor] = {}
        self.checks: dict[EntryKind, EntryCheck] = {
            EntryKind.AGREEMENT: self._check_act,
            EntryKind.DISPUTE: self._check_dispute,
            EntryKind.RESOLUTION: self._check_act,
            EntryKind.PAYMENT: self._check_act,
            EntryKind.ROTATION: self._check_rotation,
            EntryKind.ESTIMATE: self._check_estimate,
            EntryKind.ANCHOR: self._check_anchor,
        }
        self._conflict: tuple[int, KeptFinding] | None = None
        self._disputes: dict[int, tuple[int, MachineDispute]] = {}

    def see(self, entry: Entry) -> Iterator[str]:
        """Look at every entry, before its own check: a conflict is disputed in the next one."""
        conflict, self._conflict = self._conflict, _conflict_in(entry)
        disputed = _machine_dispute_in(entry)
        if conflict is None:
            if disputed is not None:
                yield "it disputes a conflict that is not in the entry before it"
            return
        index, finding = conflict
        if disputed is None or (
            (disputed.kid, disputed.ctx, disputed.seq, disputed.finding_index)
            != (finding.kid, finding.ctx, finding.seq, index)
        ):
            yield f"the dispute over the conflict in entry {index} expected here"
            return
        self._disputes[index] = (entry.index, disputed)

    def finish(self, conflicts: Iterable[ConflictRow]) -> Iterator[tuple[int, str]]:
        """Compare disputes with the conflicts of the ledger; yields ``(entry, what is wrong)``."""
        for row in conflicts:
            index, dispute = self._disputes.get(row.index, (row.index, None))
            if dispute is None:
                yield index, "the dispute over this conflict expected in the next entry"
            elif dispute.first_index != row.first_index:
                first = f"entry {row.first_index} expected as the first content"
                yield index, f"{first}, got {dispute.first_index}"

    def _check_act(self, entry: Entry) -> Iterator[str]:
        try:
            signed = self.parties.take(entry.body)
        except (DecodeError, VerificationError) as exc:
            yield str(exc)
            return
        if ENTRY_OF_ACT[signed.act.kind] != entry.kind:
            yield f"an act of another kind expected, got {signed.act.kind.name.lower()}"
        if signed.act.kind is ActKind.DISPUTE:
            self.parties.add_dispute(entry.body, signed.act.contract)

    def _check_dispute(self, entry: Entry) -> Iterator[str]:
        if is_act(entry.body):
            yield from self._check_act(entry)
            return
        try:
            parse_machine_dispute(entry.body)
        except DecodeError as exc:
            yield str(exc)
            return
        self.parties.add_dispute(entry.body, None)

    def _check_rotation(self, entry: Entry) -> Iterator[str]:
        """An act of a party, or the ledger's own key names its successor."""
        if is_act(entry.body):
            yield from self._check_act(entry)
            return
        try:
            check_rotation(entry.body)
        except (DecodeError, VerificationError) as exc:
            yield str(exc)

    def _check_estimate(self, entry: Entry) -> Iterator[str]:
        try:
            parse_estimate(entry.body)
        except DecodeError as exc:
            yield str(exc)

    def _check_anchor(self, entry: Entry) -> Iterator[str]:
        try:
            anchor = parse_anchor(entry.body)
        except DecodeError as exc:
            yield str(exc)
            return
        if anchor.size > entry.index:
            yield f"an anchor of at most {entry.index} entries expected, got {anchor.size}"
        self.anchors[entry.index] = anchor


def _conflict_in(entry: Entry) -> tuple[int, KeptFinding] | None:
    """Return the index and what a finding entry says that keeps a conflict."""
    if entry.kind != EntryKind.FINDING:
        return None
    try:
        finding = parse_finding(entry.body)
    except DecodeError:
        return None
    return (entry.index, finding) if finding.code == CONFLICT_CODE else None


def _machine_dispute_in(entry: Entry) -> MachineDispute | None:
    if entry.kind != EntryKind.DISPUTE or is_act(entry.body):
        return None
    try:
        return parse_machine_dispute(entry.body)
    except DecodeError:
        return None
