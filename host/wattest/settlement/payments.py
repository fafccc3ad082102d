"""What payments that parties state do to a contract's accounts.

A payment act says that money moved outside. The book repeats it once for a reference: a second
statement of the same payment, by the same party or the other, changes nothing.
"""

from __future__ import annotations

from wattest.settlement.accounts import CASH, DEPOSIT, ESCROW, EXTERNAL
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.postings import tidy
from wattest.wire.act import PaymentAct, PaymentKind

_INTO = (PaymentKind.FUND, PaymentKind.DEPOSIT, PaymentKind.DAMAGE)


def take_payment(
    contract: ContractAccount, index: int, origin: bytes, payment: PaymentAct
) -> None:
    """Take a payment.

    Args:
        contract: whose.
        index: entry of the act.
        origin: digest of what it says, 32 bytes.
        payment: the act.
    """
    what, amount = payment.what, payment.amount_minor
    place = place_of(payment)
    known = contract.paid.get(place)
    if known == amount:
        return
    problem = _refuse(contract, payment, known)
    if problem:
        contract.problems.append((index, problem))
        return
    contract.paid[place] = amount
    moves = contract.moves(index, origin)
    match what:
        case PaymentKind.FUND:
            contract.funded = True
            moves.post(EXTERNAL, CASH, amount, "fund")
            moves.post(CASH, ESCROW, amount, "escrow")
        case PaymentKind.DEPOSIT:
            moves.post(EXTERNAL, CASH, amount, "fund deposit")
            held = moves.hold(CASH, DEPOSIT, amount, "deposit")
            contract.deposits += [held] if held else []
        case PaymentKind.DAMAGE:
            contract.damages += amount
        case PaymentKind.REFUND:
            moves.post(CASH, EXTERNAL, amount, "refund")
        case PaymentKind.PAYOUT:
            moves.post(contract.payee(payment.party), EXTERNAL, amount, "payout")
    tidy(contract, index, moves)


def place_of(payment: PaymentAct) -> tuple[int, str, str]:
    """Return what a payment counts once by: what it is for, who gets it, its reference."""
    receiver = payment.party if payment.what is PaymentKind.PAYOUT else ""
    return int(payment.what), receiver, payment.reference


def _refuse(contract: ContractAccount, payment: PaymentAct, known: int | None) -> str:
    """Say why a payment cannot be taken, or nothing."""
    terms, what = contract.terms_now, payment.what
    if payment.currency != terms.currency:
        return f"{terms.currency} expected, got {payment.currency}"
    if known is not None:
        return f"reference {payment.reference!r} was {known} minor units before"
    if contract.closed is not None and what in _INTO:
        return f"the contract is closed since entry {contract.closed}"
    if what is PaymentKind.DAMAGE:
        return _refuse_damage(contract, payment)
    if what is PaymentKind.PAYOUT:
        if payment.party == terms.buyer:
            return f"payouts are confirmed by who gets them, got the buyer {payment.party}"
        return _too_much(contract, contract.payee(payment.party), payment)
    if payment.party not in (terms.seller, terms.buyer):
        return f"{terms.seller} or {terms.buyer} expected, got {payment.party}"
    return _too_much(contract, CASH, payment) if what is PaymentKind.REFUND else ""


def _refuse_damage(contract: ContractAccount, payment: PaymentAct) -> str:
    """One party's word takes no more than the other left with it for that."""
    seller = contract.terms_now.seller
    if payment.party != seller:
        return f"damages are stated by {seller}, got {payment.party}"
    held = sum(each.amount for each in contract.book.pending() if each.id in contract.deposits)
    left = held - contract.damages
    if payment.amount_minor <= left:
        return ""
    return f"at most {left} minor units of the deposit expected, got {payment.amount_minor}"


def _too_much(contract: ContractAccount, account: str, payment: PaymentAct) -> str:
    free = max(0, contract.book.balance(account, payment.currency).available)
    if payment.amount_minor <= free:
        return ""
    return f"at most {free} minor units in {account} expected, got {payment.amount_minor}"
