"""Where a live collection takes up the ledger of its folder, and what it logs there first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wattest.errors import ConfigError
from wattest.ledger import EntryKind, Ledger, LedgerView, NewEntry, Receipt
from wattest.operations.live.folder import LiveDir
from wattest.operations.live.nodes import Memory, default_contracts, enrolment_of, twin_of
from wattest.operations.live.ports import LivePort, PortsFile
from wattest.operations.live.restore import restored_verifier
from wattest.operations.live.settling import remember
from wattest.operations.settler import Settler
from wattest.settlement import Terms, terms_to_cbor
from wattest.twin import Twin
from wattest.verify import Verifier

_YEARS_MS = 100 * 366 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A ledger, and everything that follows from what is in it; ``twins`` by the node's name."""

    ledger: Ledger
    settler: Settler
    verifier: Verifier
    twins: dict[str, Twin]


def take_up(file: PortsFile, folder: LiveDir, *, now_ms: int) -> Begun:
    """Fold the ledger; log the contracts, and the keys that provisioning handed over.

    Raises:
        ConfigError: a key of the file was retired or replaced.
        StoreError: the ledger is damaged, or cannot be written.
    """
    twins = {live.expected.name: twin_of(live) for live in file.ports}
    ledger = folder.open_ledger()
    contracts = default_contracts(file.ports)
    settler = Settler(contracts, start_ms=folder.begun_ms, end_ms=folder.begun_ms + _YEARS_MS)
    memory = Memory(file.ports, twins, settler)
    view = LedgerView(folder.store, folder.signer.verifier)
    verifier = restored_verifier(view, folder.store, memory)
    assets = {live.expected.asset for live in file.ports}
    remember(settler, view.entries(), assets=assets)
    _log_terms(ledger, contracts)
    begun = Begun(ledger=ledger, settler=settler, verifier=verifier, twins=twins)
    for live in file.ports:
        _enrol_known(live, file, begun, now_ms=now_ms)
    return begun


def _enrol_known(live: LivePort, file: PortsFile, begun: Begun, *, now_ms: int) -> None:
    """Log the enrolment of a key that provisioning handed over, unless it is in force."""
    enrolment = enrolment_of(live, enrolled_ms=now_ms)
    if enrolment is None:
        return
    closed = begun.verifier.closed(enrolment.kid)
    if closed:
        raise ConfigError(
            f"{closed}: nothing more of it is collected",
            path=str(file.path or live.address),
            key=live.expected.name,
            hint="take the board out of the file, or provision it with a new key",
        )
    known = begun.verifier.enrolment(enrolment.kid)
    if known is not None:
        if known.same_promise(enrolment):
            return
        enrolment = replace(enrolment, ueid=known.ueid, calibration=known.calibration)
    entry = NewEntry(kind=EntryKind.ENROLMENT, body=enrolment.to_cbor())
    (receipt,) = begun.ledger.append([entry])
    assert isinstance(receipt, Receipt), "only records can be duplicates"
    begun.verifier.enrol(enrolment)
    begun.settler.enrol(enrolment, receipt.index)


def _log_terms(ledger: Ledger, contracts: Sequence[Terms]) -> None:
    logged = {entry.body for entry in ledger.entries() if entry.kind == EntryKind.TERMS}
    bodies = [body for terms in contracts if (body := terms_to_cbor(terms)) not in logged]
    if bodies:
        ledger.append([NewEntry(kind=EntryKind.TERMS, body=body) for body in bodies])
