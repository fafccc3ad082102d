"""What a party does on a kept ledger: agree, pay, dispute, resolve. Each is one signed entry."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from wattest.errors import ConfigError, SettlementError
from wattest.operations.accounting.desk import AccountsDesk
from wattest.operations.accounting.view import find_contract
from wattest.operations.party_key import PartyKey
from wattest.settlement import Terms, period_at, terms_hash
from wattest.settlement.disputes import DisputeCase, counts_of
from wattest.settlement.folding import AccountsFold
from wattest.settlement.payments import place_of
from wattest.system import utc_ms
from wattest.wire import Agreement, DisputeAct, PaymentAct, PaymentKind, ResolutionAct


def agree(path: Path, *, contract: str, party: str, key: PartyKey) -> int | None:
    """Log that a party agrees to the newest terms of a contract.

    Returns:
        The entry; None if it has agreed before: nothing is logged again.

    Raises:
        ConfigError: as the desk, or no such contract.
        VerificationError: the key or the party is another one; nothing was logged.
        StoreError: nothing was logged.
    """
    with AccountsDesk(path) as desk:
        account = find_contract(desk.fold, contract)
        terms = account.terms[account.latest]
        known = desk.fold.parties.key(contract, party)
        if party in account.agreed.get(terms_hash(terms), ()) and known == key.public_key:
            return None
        act = Agreement(
            contract=contract,
            party=party,
            time_ms=utc_ms(),
            terms=terms_hash(terms),
            public_key=key.public_key,
        )
        return desk.act(act, key)


def pay(
    path: Path,
    *,
    contract: str,
    party: str,
    key: PartyKey,
    what: PaymentKind,
    amount: Fraction,
    reference: str,
) -> int | None:
    """Log that money moved outside. Raises as ``agree``.

    Args:
        path: folder of a kept run.
        contract: its name.
        party: who states it.
        key: of that party.
        what: what it was for.
        amount: major units of the contract's currency.
        reference: names the payment; it counts once.

    Returns:
        The entry; None if it was stated before: nothing is logged again.
    """
    with AccountsDesk(path) as desk:
        account = find_contract(desk.fold, contract)
        terms = account.terms_now
        minor = amount * 10**terms.scale
        if minor.denominator != 1 or minor <= 0:
            raise ConfigError(
                f"an amount above 0 with at most {terms.scale} decimals expected", path="--amount"
            )
        act = PaymentAct(
            contract=contract,
            party=party,
            time_ms=utc_ms(),
            what=what,
            amount_minor=minor.numerator,
            currency=terms.currency,
            reference=reference,
        )
        if account.paid.get(place_of(act)) == act.amount_minor:
            return None
        return desk.act(act, key)


def open_dispute(
    path: Path,
    *,
    contract: str,
    party: str,
    key: PartyKey,
    line: str,
    window: tuple[int, int],
    quantity: Fraction | None,
    reason: str,
) -> DisputeCase:
    """Log a dispute; return it. Raises as ``agree``.

    Args:
        path: folder of a kept run.
        contract: its name.
        party: who disputes.
        key: of that party.
        line: code of the disputed line.
        window: disputed time inside of one period, UTC ms.
        quantity: disputed units of the line; None: what it metered in that time.
        reason: for people.
    """
    with AccountsDesk(path) as desk:
        terms = find_contract(desk.fold, contract).terms_now
        period = _period(terms, window)
        act = DisputeAct(
            contract=contract,
            party=party,
            time_ms=utc_ms(),
            period=period,
            line=line,
            window=window,
            reason=reason,
            quantity=None if quantity is None else _counts(terms, line, quantity, "--quantity"),
        )
        index = desk.act(act, key)
        cases = find_contract(desk.fold, contract).disputes.values()
        return next(case for case in cases if case.index == index)


def resolve(
    path: Path,
    *,
    dispute: str,
    contract: str | None,
    party: str,
    key: PartyKey,
    granted: Fraction,
    text: str,
) -> DisputeCase:
    """Log what a party says of a dispute; return how it stands now. Raises as ``agree``.

    Args:
        path: folder of a kept run.
        dispute: first digits of its digest, at least 6, or its entry.
        contract: its contract; None where the digest is enough.
        party: who resolves.
        key: of that party.
        granted: disputed units of the line that are billed after all.
        text: for people.
    """
    with AccountsDesk(path) as desk:
        name, case = find_dispute(desk.fold, dispute, contract)
        terms = desk.fold.contracts[name].terms_now
        counts = _counts(terms, case.claims[0].code, granted, "--granted")
        if case.said.get(party, (None, 0))[0] == counts:
            return case
        act = ResolutionAct(
            contract=name,
            party=party,
            time_ms=utc_ms(),
            dispute=case.digest,
            granted=counts,
            text=text,
        )
        desk.act(act, key)
        return desk.fold.contracts[name].disputes[case.digest]


def find_dispute(
    fold: AccountsFold, dispute: str, contract: str | None
) -> tuple[str, DisputeCase]:
    """Return the one dispute a person means, and its contract's name.

    Raises:
        ConfigError: none, or several.
    """
    found = [
        (name, case)
        for name in sorted(fold.contracts)
        for case in fold.contracts[name].disputes.values()
        if contract in (None, name) and _means(case, dispute)
    ]
    if len(found) != 1:
        raise ConfigError(
            f"one dispute expected, {len(found)} begin with {dispute!r}",
            path="dispute",
            hint="`wattest dispute list DIR` names them; --contract says in which contract",
        )
    return found[0]


def _means(case: DisputeCase, text: str) -> bool:
    by_digest = len(text) >= 6 and case.digest.hex().startswith(text.lower())
    return by_digest or text == str(case.index)


def _period(terms: Terms, window: tuple[int, int]) -> tuple[int, int]:
    try:
        period = period_at(terms, window[0])
    except SettlementError as error:
        raise ConfigError(str(error), path="--from") from error
    if not window[0] < window[1] <= period.end_ms:
        raise ConfigError("a time after --from, in the same period, expected", path="--to")
    return period.start_ms, period.end_ms


def _counts(terms: Terms, line: str, units: Fraction, option: str) -> int:
    try:
        return counts_of(terms, line, units)
    except SettlementError as error:
        raise ConfigError(str(error), path=option) from error
