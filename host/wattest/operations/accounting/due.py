"""Draws the statements that are due on a kept ledger, and logs what is new."""

from __future__ import annotations

from pathlib import Path

from wattest.ledger import EntryKind
from wattest.operations.accounting.desk import AccountsDesk
from wattest.operations.accounting.view import evidence_times, find_contract
from wattest.operations.live.settling import remember
from wattest.operations.settler import Drawn, Settler
from wattest.settlement import Cutoff
from wattest.wire import parse_enrolment, parse_record


def settle_kept(
    path: Path, *, contract: str | None = None, now_ms: int | None = None
) -> list[Drawn]:
    """Draw and log the statements that are due.

    Args:
        path: folder of a kept run.
        contract: only of this one.
        now_ms: UTC ms; None: now, or the end of a run in virtual time.

    Returns:
        What was drawn; those that say nothing new were not logged again.

    Raises:
        ConfigError: as the desk, or no such contract.
        StoreError: nothing was logged.
    """
    with AccountsDesk(path) as desk:
        if contract is not None:
            find_contract(desk.fold, contract)
        start_ms, end_ms, now_ms = evidence_times(desk.run, now_ms)
        settler = settler_of(desk, start_ms=start_ms, end_ms=max(end_ms, start_ms))
        cutoff = Cutoff(size=desk.ledger.size, root=desk.ledger.root())
        drawn = settler.settle_due(
            desk.ledger,
            cutoff,
            now_ms=now_ms,
            wants=lambda name: contract in (None, name),
        )
        desk.catch_up()
        return drawn


def settler_of(desk: AccountsDesk, *, start_ms: int, end_ms: int) -> Settler:
    """Return a settler that knows everything the ledger holds."""
    entries = list(desk.ledger.entries())
    contracts = tuple(contract.terms_now for contract in desk.fold.contracts.values())
    settler = Settler(contracts, start_ms=start_ms, end_ms=end_ms)
    for entry in entries:
        if entry.kind == EntryKind.ENROLMENT:
            settler.enrol(parse_enrolment(entry.body), entry.index)
        elif entry.kind in (EntryKind.READING, EntryKind.EVENT):
            settler.add(parse_record(entry.body), index=entry.index)
    remember(settler, entries)
    return settler
