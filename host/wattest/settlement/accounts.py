"""Double entry: transfers between accounts, posted at once or pending first. Pure.

    POSTED    moves the amount
    PENDING   holds it: it counts against what the debited account may still spend
    POST      moves all or a part of what a pending transfer holds, and lets the rest go
    VOID      lets all of it go

A pending transfer is posted or voided once. A *guarded* account can never spend what it has not
got: debits posted and pending are never more than credits posted. A transfer's id names it for
ever: applying it again changes nothing, applying another one under its id is an error. Nothing
here is kept in a file: a book is made again from the log whenever somebody looks (postings.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from wattest.errors import SettlementError
from wattest.wire import cbor

ID_BYTES = 16
EXTERNAL = "external"
CASH = "buyer:cash"
ESCROW = "buyer:escrow"
DUE = "buyer:due"
INCOME = "seller:income"
DEPOSIT = "deposit"
GUARDED = frozenset({CASH, ESCROW, DEPOSIT})
"""Accounts that cannot be overdrawn, not even by what is pending."""


def broker_account(name: str) -> str:
    """Return the account of a broker's commissions."""
    return f"broker:{name}:fee"


def transfer_id(origin: bytes, line: str) -> bytes:
    """Return the id of a transfer, 16 bytes.

    Args:
        origin: what made it: the id of a settlement run, or the digest of an act.
        line: which of its transfers this is.
    """
    return hashlib.sha256(cbor.encode([origin, line])).digest()[:ID_BYTES]


def startup_id(contract: str, line: str) -> bytes:
    """Return the id of a fee that a contract's name owes once, whatever run asks for it."""
    return hashlib.sha256(cbor.encode([contract, "startup", line])).digest()[:ID_BYTES]


class Phase(StrEnum):
    """What a transfer does."""

    POSTED = "posted"
    PENDING = "pending"
    POST = "post"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One movement between two accounts.

    Args:
        id: 16 bytes.
        phase: what it does.
        debit: account it takes from.
        credit: account it gives to, another one.
        amount: > 0, minor units; of a VOID all that was pending.
        currency: three capital letters.
        code: what it is for: a line, or a word such as ``fund``.
        pending_id: of a POST or VOID, the pending transfer it ends; else None.
        cause: entry of the ledger that brought it about; no part of what the id stands for.
    """

    id: bytes
    phase: Phase
    debit: str
    credit: str
    amount: int
    currency: str
    code: str
    pending_id: bytes | None
    cause: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What went through an account in one currency, minor units, each >= 0."""

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    @property
    def posted(self) -> int:
        """Credits less debits."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What may still be spent: pending debits count, pending credits do not."""
        return self.posted - self.debits_pending


_Place = tuple[str, str]


class Book:
    """Accounts and the transfers between them; accounts exist once they are named."""

    def __init__(self) -> None:
        self._balances: dict[_Place, Balance] = {}
        self._transfers: dict[bytes, Transfer] = {}
        self._open: dict[bytes, Transfer] = {}

    def __iter__(self) -> Iterator[Transfer]:
        """Yield all transfers in the order they were applied."""
        return iter(self._transfers.values())

    def __len__(self) -> int:
        return len(self._transfers)

    def __contains__(self, transfer_id: object) -> bool:
        return transfer_id in self._transfers

    def apply(self, transfers: Sequence[Transfer]) -> int:
        """Apply transfers, all of them or none; return how many were new.

        Raises:
            SettlementError: one breaks a rule; nothing was changed.
        """
        if len(transfers) == 1:
            return int(self._apply(transfers[0]))
        before = (dict(self._balances), dict(self._transfers), dict(self._open))
        try:
            return sum(self._apply(transfer) for transfer in transfers)
        except BaseException:
            self._balances, self._transfers, self._open = before
            raise

    def balance(self, account: str, currency: str) -> Balance:
        """Return the balance of an account; zeros if nothing ever went through it."""
        return self._balances.get((account, currency), Balance())

    def balances(self) -> Mapping[_Place, Balance]:
        """Return every balance by ``(account, currency)``, ascending."""
        return {place: self._balances[place] for place in sorted(self._balances)}

    def pending(self) -> tuple[Transfer, ...]:
        """Return the pending transfers that are neither posted nor voided, in order."""
        return tuple(self._open.values())

    def is_open(self, pending_id: bytes) -> bool:
        """Whether a pending transfer is neither posted nor voided."""
        return pending_id in self._open

    def _apply(self, transfer: Transfer) -> bool:
        known = self._transfers.get(transfer.id)
        if known is not None:
            if replace(known, cause=0) != replace(transfer, cause=0):
                raise _broken(transfer, "an id of its own expected, got that of another transfer")
            return False
        _check_shape(transfer)
        held = self._held(transfer)
        for account, side in ((transfer.debit, "debits"), (transfer.credit, "credits")):
            self._move(transfer, account, side, held)
        self._transfers[transfer.id] = transfer
        if transfer.pending_id is not None:
            del self._open[transfer.pending_id]
        if transfer.phase is Phase.PENDING:
            self._open[transfer.id] = transfer
        return True

    def _held(self, transfer: Transfer) -> int:
        """Return what the pending transfer it ends holds; 0 for one that ends none."""
        if transfer.pending_id is None:
            return 0
        pending = self._transfers.get(transfer.pending_id)
        if pending is None or pending.phase is not Phase.PENDING:
            raise _broken(transfer, "a pending transfer expected before it, got none")
        if transfer.pending_id not in self._open:
            raise _broken(transfer, "a pending transfer that is open expected, got one that ended")
        same = (pending.debit, pending.credit, pending.currency)
        if same != (transfer.debit, transfer.credit, transfer.currency):
            raise _broken(transfer, "the accounts and the currency of the pending one expected")
        whole = transfer.phase is Phase.VOID
        if transfer.amount > pending.amount or (whole and transfer.amount != pending.amount):
            limit = f"{pending.amount}" if whole else f"at most {pending.amount}"
            raise _broken(transfer, f"{limit} minor units expected, got {transfer.amount}")
        return pending.amount

    def _move(self, transfer: Transfer, account: str, side: str, held: int) -> None:
        place = (account, transfer.currency)
        old = self._balances.get(place, Balance())
        moves = transfer.phase in (Phase.POSTED, Phase.POST)
        posted = getattr(old, f"{side}_posted") + (transfer.amount if moves else 0)
        pending = getattr(old, f"{side}_pending") - held
        if transfer.phase is Phase.PENDING:
            pending += transfer.amount
        new = replace(old, **{f"{side}_posted": posted, f"{side}_pending": pending})
        if account in GUARDED and side == "debits" and new.available < 0:
            raise _broken(
                transfer,
                f"at most {old.available + held} minor units expected from {account}, "
                f"got {transfer.amount}",
            )
        self._balances[place] = new


def _check_shape(transfer: Transfer) -> None:
    if len(transfer.id) != ID_BYTES:
        raise _broken(transfer, f"an id of {ID_BYTES} bytes expected, got {len(transfer.id)}")
    if transfer.amount <= 0:
        raise _broken(transfer, f"an amount above 0 expected, got {transfer.amount}")
    if transfer.debit == transfer.credit:
        raise _broken(transfer, f"two accounts that differ expected, got {transfer.debit} twice")
    ends = transfer.phase in (Phase.POST, Phase.VOID)
    if ends != (transfer.pending_id is not None):
        raise _broken(transfer, "a pending transfer to end expected with post and void only")


def _broken(transfer: Transfer, message: str) -> SettlementError:
    return SettlementError(f"transfer {transfer.id.hex()} ({transfer.code}): {message}")
