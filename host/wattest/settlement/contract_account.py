"""What is kept in mind of one contract while its entries are folded: book, periods, disputes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wattest.settlement.accounts import INCOME, Book, broker_account
from wattest.settlement.disputes import Claim, DisputeCase
from wattest.settlement.movements import Hold, Key, Moves
from wattest.settlement.terms import Terms, Window


class Evidence(Protocol):
    """What the accounts ask about evidence when something is disputed."""

    def metered(
        self, document: Mapping[str, Any], terms: Terms, claim: Claim
    ) -> Mapping[int, int]:
        """Return what of a claim's line falls into its window, by time-of-use window.

        Base counts, or ms of a line about time, as far as the statement ``document`` knew.
        """

    def arrived_late(self, terms: Terms, window: Window, size: int) -> bool:
        """Whether a reading of the contract in the window was logged at ``size`` or later."""


@dataclass(slots=True, kw_only=True)
class PeriodAccount:
    """One period that has a statement.

    Args:
        period: its window.
        document: the newest statement.
        index: its entry.
        generations: entries of all generations, in order.
        final: entry of the final one, or None.
        posted: minor units that were moved for each line and fee.
        holds: what is held for them.
    """

    period: Window
    document: Mapping[str, Any] = field(default_factory=dict)
    index: int = -1
    generations: list[int] = field(default_factory=list)
    final: int | None = None
    posted: dict[Key, int] = field(default_factory=dict)
    holds: dict[Key, Hold] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Cut-off of the newest statement: later entries came too late for it."""
        return int(self.document["cutoff"]["size"])

    @property
    def terms(self) -> bytes:
        """Hash of the terms it was drawn by."""
        return bytes(self.document["terms"])


@dataclass(slots=True, kw_only=True)
class ContractAccount:
    """The book of one contract and where its periods and disputes stand.

    Args:
        name: of the contract.
        evidence: answers when something is disputed.
        terms: by their hash.
        newest: hash of the terms in force: the last that both agreed to, or a first draft.
        first: hash of the terms that came into force first; later ones have the same parties.
        latest: hash of the terms that were logged last; a draft while not both have agreed.
        agreed: who agreed to which terms.
        book: its transfers.
        periods: those with a statement, by their begin.
        disputes: by their digest.
        funded: money came into escrow.
        closed: entry that closed it, or None.
        problems: ``(entry, why nothing was moved for it)``.
        reserves: pending transfers of what is free in escrow.
        deposits: pending transfers of the deposit.
        damages: what the seller stated, minor units.
        paid: payments by what they are for, who got them, and their reference.
        once: the period that a line charged once was charged in, by its code.
    """

    name: str
    evidence: Evidence
    terms: dict[bytes, Terms] = field(default_factory=dict)
    newest: bytes = b""
    first: bytes = b""
    latest: bytes = b""
    agreed: dict[bytes, set[str]] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    periods: dict[int, PeriodAccount] = field(default_factory=dict)
    disputes: dict[bytes, DisputeCase] = field(default_factory=dict)
    funded: bool = False
    closed: int | None = None
    problems: list[tuple[int, str]] = field(default_factory=list)
    reserves: list[bytes] = field(default_factory=list)
    deposits: list[bytes] = field(default_factory=list)
    damages: int = 0
    paid: dict[tuple[int, str, str], int] = field(default_factory=dict)
    once: dict[str, int] = field(default_factory=dict)

    @property
    def terms_now(self) -> Terms:
        """The terms in force; while none are, the newest draft."""
        return self.terms[self.newest]

    @property
    def open_disputes(self) -> list[DisputeCase]:
        """Disputes that money is held for, in the order they were opened."""
        return [case for case in self.disputes.values() if case.is_open]

    def add_terms(self, digest: bytes, terms: Terms) -> None:
        """Take logged terms: a draft, which replaces nothing that both agreed to."""
        self.terms[digest] = terms
        self.latest = digest
        if not self.signed(self.newest):
            self.newest = digest

    def signed(self, digest: bytes) -> bool:
        """Whether seller and buyer agreed to these terms."""
        terms = self.terms.get(digest)
        return terms is not None and {terms.seller, terms.buyer} <= self.agreed.get(digest, set())

    def strangers_to(self, digest: bytes) -> str:
        """Say what in terms is not the contract's, or nothing.

        Whoever keeps the ledger can log terms under this name that other parties agree to; the
        money of these two must not move by them.
        """
        first, terms = self.terms.get(self.first), self.terms[digest]
        for what in ("seller", "buyer", "currency", "scale"):
            if first is not None and getattr(first, what) != getattr(terms, what):
                return (
                    f"{what} {getattr(first, what)} of the terms before expected, "
                    f"got {getattr(terms, what)}"
                )
        return ""

    def disputed(self, period: Window) -> bool:
        """Whether an open dispute is about a period."""
        return any(claim.period == period for case in self.open_disputes for claim in case.claims)

    def payee(self, party: str) -> str:
        """Return the account that a party is paid from."""
        return INCOME if party == self.terms_now.seller else broker_account(party)

    def moves(self, index: int, origin: bytes) -> Moves:
        """Return what makes the transfers of one entry."""
        return Moves(
            self.book,
            contract=self.name,
            currency=self.terms_now.currency,
            origin=origin,
            cause=index,
        )
