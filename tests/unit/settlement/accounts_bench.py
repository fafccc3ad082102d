"""Plays the story of one contract on its accounts: short words in, balances out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from settlement_bench import APRIL, draw, make_terms, terms_map, window

from wattest.settlement.accounts import DUE, ESCROW, INCOME
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.dispute_acts import take_dispute, take_resolution
from wattest.settlement.disputes import Claim, DisputeCase
from wattest.settlement.payments import take_payment
from wattest.settlement.postings import take_agreement, take_statement
from wattest.settlement.statement import Statement
from wattest.settlement.terms import Terms, Window
from wattest.settlement.terms_form import terms_hash
from wattest.wire.act import PaymentAct, PaymentKind, ResolutionAct

EUR = "EUR"
KWH = 10**6


class Told:
    """Evidence that a test tells instead of measuring it."""

    def __init__(self) -> None:
        self.counts: Mapping[int, int] = {}
        self.late = False

    def metered(
        self, document: Mapping[str, Any], terms: Terms, claim: Claim
    ) -> Mapping[int, int]:
        return self.counts

    def arrived_late(self, terms: Terms, window: Window, size: int) -> bool:
        return self.late


class Story:
    """One contract; every method is one entry of the log."""

    def __init__(self, signed: bool = True, **terms: Any) -> None:
        self.form = terms_map(**terms)
        self.terms = make_terms(self.form)
        self.evidence = Told()
        self.account = ContractAccount(name=self.terms.contract, evidence=self.evidence)
        self.entries = 0
        self.log_terms(self.terms)
        if signed:
            self.agree("seller")
            self.agree("buyer")

    def log_terms(self, terms: Terms) -> None:
        digest = terms_hash(terms)
        self.terms = terms
        self.account.add_terms(digest, terms)
        self.entries += 1

    def agree(self, party: str) -> None:
        index = self._next()
        digest = terms_hash(self.terms)
        take_agreement(self.account, index, origin(index), party=party, terms=digest)

    def pay(self, what: str, amount: int, *, party: str = "buyer", **changes: Any) -> None:
        index = self._next()
        fields = {"currency": EUR, "reference": f"ref {index}", **changes}
        act = PaymentAct(
            contract=self.terms.contract,
            party=party,
            time_ms=0,
            what=PaymentKind[what.upper()],
            amount_minor=amount,
            **fields,
        )
        take_payment(self.account, index, hashlib.sha256(act.payload()).digest(), act)

    def settle(
        self,
        metered: int,
        *,
        generation: int = 1,
        period: tuple[str, str] = APRIL,
        final: bool = False,
    ) -> Statement:
        start, end = period
        readings = [{"at": start, "import": 0}, {"at": end, "import": metered}]
        statement = draw(self.form, readings, period=period, generation=generation, final=final)
        self.log(statement)
        return statement

    def log(self, statement: Statement) -> None:
        self.log_document(statement.to_document())

    def log_document(self, document: Mapping[str, Any]) -> None:
        take_statement(self.account, self._next(), document)

    @staticmethod
    def start_of(period: tuple[str, str]) -> int:
        return window(*period).start_ms

    def dispute(
        self,
        quantity: int | None,
        *,
        code: str = "use",
        period: tuple[str, str] = APRIL,
        within: tuple[str, str] | None = None,
        party: str = "buyer",
        on_top: bool = False,
    ) -> bytes:
        index = self._next()
        case = DisputeCase(
            digest=origin(index),
            index=index,
            party=party,
            reason="the meter was off",
            claims=(Claim(period=window(*period), code=code, window=window(*(within or period))),),
            quantity=quantity,
            on_top=on_top,
        )
        take_dispute(self.account, case, origin(index))
        return case.digest

    def resolve(self, digest: bytes, granted: int, *parties: str) -> None:
        for party in parties or ("seller", "buyer"):
            index = self._next()
            act = ResolutionAct(
                contract=self.terms.contract,
                party=party,
                time_ms=0,
                dispute=digest,
                granted=granted,
                text="agreed",
            )
            take_resolution(self.account, index, hashlib.sha256(act.payload()).digest(), act)

    def posted(self, account: str) -> int:
        return self.account.book.balance(account, EUR).posted

    @property
    def paid(self) -> int:
        """What the buyer paid or owes, less what came back, minor units."""
        funded = sum(t.amount for t in self.account.book if t.code == "escrow")
        return funded - self.posted(ESCROW) - self.posted(DUE)

    @property
    def held(self) -> int:
        """What is pending between buyer and seller, the reserve not counted."""
        signs = {ESCROW: 1, DUE: 1, INCOME: -1}
        return sum(
            signs[t.debit] * t.amount
            for t in self.account.book.pending()
            if t.code not in ("reserve", "deposit") and not t.code.startswith("commission")
        )

    @property
    def problems(self) -> list[str]:
        return [text for _, text in self.account.problems]

    def _next(self) -> int:
        self.entries += 1
        return self.entries - 1


def origin(index: int) -> bytes:
    return hashlib.sha256(f"entry {index}".encode()).digest()
