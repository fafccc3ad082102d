"""Makes the transfers of one cause: the buyer pays, is paid back, money is held and let go.

What the buyer owes is taken from escrow as far as that reaches; the rest stands in ``buyer:due``
as a debt. What comes back pays that debt first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from wattest.settlement.accounts import (
    DUE,
    ESCROW,
    INCOME,
    Book,
    Phase,
    Transfer,
    broker_account,
    startup_id,
    transfer_id,
)

RESERVE = "reserve"


@dataclass(frozen=True, slots=True)
class LineKey:
    """A line of a statement, by its code."""

    code: str


@dataclass(frozen=True, slots=True)
class FeeKey:
    """A broker's part of a statement, by the broker's name."""

    party: str


Key = LineKey | FeeKey


@dataclass(frozen=True, slots=True)
class Hold:
    """Pending transfers of one key; the sign says which way the money would go."""

    amount: int
    ids: tuple[bytes, ...]


NO_HOLD = Hold(0, ())


class Moves:
    """Applies transfers to a book, each under an id of its own.

    Args:
        book: where they go.
        contract: its name.
        currency: of all of them.
        origin: what makes them, see ``accounts.transfer_id``.
        cause: entry of the ledger.
    """

    def __init__(
        self, book: Book, *, contract: str, currency: str, origin: bytes, cause: int
    ) -> None:
        self._book = book
        self._contract = contract
        self._currency = currency
        self._origin = origin
        self._cause = cause
        self._used: Counter[str] = Counter()
        self.place = ""

    def available(self, account: str) -> int:
        """Return what an account may still spend, minor units."""
        return self._book.balance(account, self._currency).available

    @property
    def debt(self) -> int:
        """What the buyer owes beyond escrow, minor units, >= 0."""
        return -self._book.balance(DUE, self._currency).posted

    def post(self, debit: str, credit: str, amount: int, code: str) -> None:
        """Move an amount now; 0 moves nothing."""
        if amount:
            self._apply(Phase.POSTED, debit, credit, amount, code, id=self._id(code))

    def hold(self, debit: str, credit: str, amount: int, code: str) -> bytes | None:
        """Hold an amount; return the id of the pending transfer, None for 0."""
        if not amount:
            return None
        name = self._id(f"{code}/hold")
        self._apply(Phase.PENDING, debit, credit, amount, code, id=name)
        return name

    def charge(self, key: Key, amount: int) -> None:
        """Move what a key is due now: from the buyer, or back to the buyer when negative."""
        if isinstance(key, FeeKey):
            account = broker_account(key.party)
            debit, credit = (INCOME, account) if amount > 0 else (account, INCOME)
            self.post(debit, credit, abs(amount), f"commission {key.party}")
        elif amount < 0:
            back = min(-amount, self.debt)
            self.post(INCOME, DUE, back, key.code)
            self.post(INCOME, ESCROW, -amount - back, key.code)
        else:
            covered = min(amount, max(0, self.available(ESCROW)))
            self.post(ESCROW, INCOME, covered, key.code)
            self.post(DUE, INCOME, amount - covered, key.code)

    def charge_once(self, code: str, amount: int) -> None:
        """Move what a contract's name owes once: under ids that no second run can make."""
        if amount > 0:
            covered = min(amount, max(0, self.available(ESCROW)))
            parts = ((ESCROW, INCOME, covered), (DUE, INCOME, amount - covered))
        else:
            back = min(-amount, self.debt)
            parts = ((INCOME, DUE, back), (INCOME, ESCROW, -amount - back))
        for debit, credit, part in parts:
            if part:
                name = startup_id(self._contract, f"{code} {debit} {credit}")
                self._apply(Phase.POSTED, debit, credit, part, code, id=name)

    def withhold(self, key: Key, amount: int) -> Hold:
        """Hold what a key may be due, either sign."""
        size = abs(amount)
        if isinstance(key, FeeKey):
            account = broker_account(key.party)
            ends = (INCOME, account) if amount > 0 else (account, INCOME)
            made = [self.hold(*ends, size, f"commission {key.party}")]
        elif amount < 0:
            made = [self.hold(INCOME, ESCROW, size, key.code)]
        else:
            covered = min(size, max(0, self.available(ESCROW)))
            made = [
                self.hold(ESCROW, INCOME, covered, key.code),
                self.hold(DUE, INCOME, size - covered, key.code),
            ]
        return Hold(amount, tuple(name for name in made if name is not None))

    def end(self, hold: Hold, due: int) -> int:
        """End a hold: post of it what is due, let the rest go; return what is still to move.

        Args:
            hold: what is held.
            due: what is to move, signed; only a part of the same sign is taken from the hold.
        """
        left = abs(due) if (due > 0) == (hold.amount > 0) else 0
        taken = 0
        for pending in self._pending(hold.ids):
            part = min(left - taken, pending.amount)
            self._end(pending, part)
            taken += part
        return due - taken if due > 0 else due + taken

    def release(self, ids: Iterable[bytes]) -> None:
        """Void pending transfers."""
        for pending in self._pending(ids):
            self._end(pending, 0)

    def end_with(self, ids: Iterable[bytes], amount: int) -> int:
        """Post up to an amount out of pending transfers, void the rest; return what was posted."""
        posted = 0
        for pending in self._pending(ids):
            part = min(amount - posted, pending.amount)
            self._end(pending, part)
            posted += part
        return posted

    def _pending(self, ids: Iterable[bytes]) -> list[Transfer]:
        wanted = tuple(ids)
        return [pending for pending in self._book.pending() if pending.id in wanted]

    def _end(self, pending: Transfer, amount: int) -> None:
        phase = Phase.POST if amount else Phase.VOID
        self._apply(
            phase,
            pending.debit,
            pending.credit,
            amount or pending.amount,
            pending.code,
            id=self._id(f"{pending.code}/{phase}"),
            pending_id=pending.id,
        )

    def _id(self, line: str) -> bytes:
        """Return the next id for a line; the second of a name gets a number."""
        name = f"{self.place}{line}"
        self._used[name] += 1
        count = self._used[name]
        return transfer_id(self._origin, name if count == 1 else f"{name} {count}")

    def _apply(
        self,
        phase: Phase,
        debit: str,
        credit: str,
        amount: int,
        code: str,
        *,
        id: bytes,  # noqa: A002 - what a transfer calls it
        pending_id: bytes | None = None,
    ) -> None:
        transfer = Transfer(
            id=id,
            phase=phase,
            debit=debit,
            credit=credit,
            amount=amount,
            currency=self._currency,
            code=code,
            pending_id=pending_id,
            cause=self._cause,
        )
        self._book.apply([transfer])
