"""The accounts of a kept ledger, folded anew whenever somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError
from wattest.ledger import EntryKind
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.rundir import RunDir
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.folding import AccountsFold
from wattest.settlement.lifecycle import (
    ContractState,
    PeriodStatus,
    contract_state,
    periods_of,
)
from wattest.system import utc_ms
from wattest.units import NS_PER_MS

_RECORDS = (EntryKind.READING, EntryKind.EVENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsView:
    """What a ledger says of money at a time.

    Args:
        fold: the accounts.
        start_ms: when the evidence begins, UTC ms.
        end_ms: when it ends: of a live collection never, and then this is ``now_ms``.
        now_ms: the time it is looked at, UTC ms.
        causes: what the entries are that move money, by their place.
    """

    fold: AccountsFold
    causes: Mapping[int, str]
    start_ms: int
    end_ms: int
    now_ms: int

    def contracts(self, name: str | None = None) -> list[ContractAccount]:
        """Return the contracts by name, or the one of that name.

        Raises:
            ConfigError: there is no such contract.
        """
        if name is not None:
            return [find_contract(self.fold, name)]
        return [self.fold.contracts[each] for each in sorted(self.fold.contracts)]

    def periods(self, contract: ContractAccount) -> list[PeriodStatus]:
        """Return where the periods of a contract stand."""
        until = min(self.now_ms, self.end_ms)
        return list(periods_of(contract, start_ms=self.start_ms, now_ms=until))

    def state(self, contract: ContractAccount) -> ContractState:
        """Return where a contract stands."""
        return contract_state(contract, now_ms=self.now_ms)


def accounts_of(path: Path, *, now_ms: int | None = None) -> AccountsView:
    """Fold the ledger kept in ``path``; nothing is written.

    Args:
        path: folder of a kept run.
        now_ms: UTC ms; None: now, or the end of a run in virtual time.

    Raises:
        ConfigError: this is not the folder of a run.
        StoreError: its ledger cannot be read.
        VerificationError: a disputed statement does not follow from its evidence.
    """
    start_ms, end_ms, now_ms = evidence_times(RunDir(path), now_ms)
    fold = AccountsFold()
    causes: dict[int, str] = {}
    with open_view(path) as view:
        for entry in view.proven_entries():
            fold.take(entry)
            if entry.kind not in _RECORDS:
                causes[entry.index] = _named(entry.kind)
    return AccountsView(fold=fold, causes=causes, start_ms=start_ms, end_ms=end_ms, now_ms=now_ms)


def _named(kind: int) -> str:
    return EntryKind(kind).name.lower() if kind in set(EntryKind) else f"kind {kind}"


def evidence_times(run: RunDir, now_ms: int | None) -> tuple[int, int, int]:
    """Return begin and end of the evidence, and the time to look at it, UTC ms.

    Raises:
        ConfigError: run.json does not say when the run was.
    """
    values = run.read_json()
    numbers = [values.get(key) for key in ("epoch_ms", "duration_ns")]
    if not all(type(number) is int for number in numbers):
        raise ConfigError("whole numbers expected", path=str(run.run_json), key="epoch_ms")
    start_ms = int(values["epoch_ms"])
    if values.get("live") is True:
        now_ms = utc_ms() if now_ms is None else now_ms
        return start_ms, max(now_ms, start_ms), now_ms
    end_ms = start_ms + int(values["duration_ns"]) // NS_PER_MS
    return start_ms, end_ms, end_ms if now_ms is None else now_ms


def find_contract(fold: AccountsFold, name: str) -> ContractAccount:
    """Return a contract of the ledger.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in fold.contracts:
        known = ", ".join(sorted(fold.contracts)) or "none"
        raise ConfigError(f"no contract {name!r} in the ledger, there are: {known}")
    return fold.contracts[name]
