"""ISO 20022 payment file, pain.001.001.09: what the buyer's bank is asked to pay.

One credit transfer a statement, from the buyer to the seller. Nothing in it comes from a clock:
identifiers derive from the digests of the statements, and the date is the one asked for.

Source: ISO 20022 pain.001.001.09 (CustomerCreditTransferInitiationV09); EPC130-08 for euro.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from wattest.errors import SettlementError
from wattest.exports.parties import BankParty
from wattest.exports.placed import TEST_MARK, PlacedStatement, newest
from wattest.settlement.money import format_minor
from wattest.settlement.period import format_instant

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_ALLOWED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
_AMOUNT_DIGITS = 18
_DECIMALS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What a buyer is to pay the seller for one statement.

    Args:
        placed: the statement.
        minor: how much, minor units, > 0; less than its total where a part is paid or held.
    """

    placed: PlacedStatement
    minor: int

    @property
    def identifier(self) -> str:
        """At most 35 characters, the same for the same statement and amount."""
        seed = f"{self.placed.digest}/{self.minor}".encode()
        test = "TEST" if self.placed.test else "W"
        return f"{test}-{hashlib.sha256(seed).hexdigest()[:30]}"

    @property
    def text(self) -> str:
        """What both sides read on their bank statements, at most 140 characters."""
        document = self.placed.document
        start, end = (format_instant(time_ms) for time_ms in document["period"])
        mark = f"{TEST_MARK}: " if self.placed.test else ""
        said = f"{mark}{document['contract']} {start} to {end} sha-256 {self.placed.digest[:16]}"
        return plain(said)[:140]


def payments_due(
    statements: Iterable[PlacedStatement], *, due: Mapping[str, int], test: bool = False
) -> tuple[Payment, ...]:
    """Return what is to pay for the newest generation of each statement.

    Args:
        statements: of one or several contracts of one buyer.
        due: what the accounts of a contract say is still owed, minor units; a contract that has
            no accounts owes the totals of its statements.
        test: let TEST statements in; the file then says so all over.

    Raises:
        SettlementError: nothing to pay, a credit, a statement that is TEST or provisional,
            several buyers.
    """
    chosen = newest(tuple(statements))
    buyers = sorted({str(placed.document["buyer"]) for placed in chosen})
    if len(buyers) > 1:
        raise SettlementError(
            f"payment file: one buyer expected, got {', '.join(buyers)}",
            hint="choose with `--contract`",
        )
    left = dict(due)
    found = []
    for placed in chosen:
        _check(placed, test=test)
        contract = str(placed.document["contract"])
        minor = min(placed.document["total"], left.get(contract, placed.document["total"]))
        if contract in left:
            left[contract] -= minor
        if minor > 0:
            found.append(Payment(placed=placed, minor=minor))
    if not found:
        names = ", ".join(sorted({str(placed.document["contract"]) for placed in chosen}))
        what = f"the accounts of {names} say that nothing is due" if names else "got none"
        raise SettlementError(f"payment file: a statement to pay expected, {what}")
    return tuple(found)


def payment_file(
    payments: Sequence[Payment], parties: Mapping[str, BankParty], *, execute_on: dt.date
) -> str:
    """Return the payment file.

    Args:
        payments: at least one, of one buyer.
        parties: by their names in the contracts.
        execute_on: the day the bank is asked to pay; also the date of the file.

    Raises:
        SettlementError: a party without an account.
    """
    debtor = _account(parties, str(payments[0].placed.document["buyer"]))
    groups: dict[str, list[Payment]] = {}
    for item in payments:
        groups.setdefault(str(item.placed.document["currency"]), []).append(item)
    seed = "".join(item.identifier for item in payments) + execute_on.isoformat()
    mark = "TEST" if any(item.placed.test for item in payments) else "W"
    message = f"{mark}-{hashlib.sha256(seed.encode()).hexdigest()[:30]}"
    head = _element(
        "GrpHdr",
        _element("MsgId", message),
        _element("CreDtTm", f"{execute_on.isoformat()}T00:00:00Z"),
        _element("NbOfTxs", str(len(payments))),
        _element("CtrlSum", _sum(payments)),
        _element("InitgPty", _element("Nm", plain(debtor.name))),
    )
    body = [
        _instruction(f"{message[:30]}-{number}", groups[key], (debtor, parties), execute_on)
        for number, key in enumerate(sorted(groups), 1)
    ]
    comment = f"<!-- {TEST_MARK}. Do not give this file to a bank. -->\n" if mark == "TEST" else ""
    inner = _element("CstmrCdtTrfInitn", head, *body)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{comment}'
        f'<Document xmlns="{NAMESPACE}">\n{inner}</Document>\n'
    )


def plain(text: str) -> str:
    """Return a text in the characters that every bank of the euro area passes on."""
    bare = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    kept = "".join(char for char in bare if not unicodedata.combining(char))
    return "".join(char if char in _ALLOWED else "." for char in kept).strip("/ ") or "."


def _check(placed: PlacedStatement, *, test: bool) -> None:
    """Refuse a statement that nobody has to pay."""
    document = placed.document
    where = f"payment file: {document['contract']}, {format_instant(document['period'][0])}"
    if placed.test and not test:
        raise SettlementError(
            f"{where}: a claim for money expected, got a TEST statement",
            hint="`--test` writes a file that is marked TEST",
        )
    if not placed.settled and not test:
        raise SettlementError(
            f"{where}: a statement whose readings are complete expected, got a provisional one"
        )
    total = document["total"]
    if total <= 0:
        owed = f"{placed.money(-total)} {document['currency']}"
        said = f"{where}: an amount to pay expected, got "
        raise SettlementError(
            f"{said}a credit of {owed}: the seller owes it"
            if total
            else f"{said}0: nothing is due"
        )
    if document["scale"] > _DECIMALS_MAX or len(str(total)) > _AMOUNT_DIGITS:
        raise SettlementError(f"{where}: at most 18 digits and 5 decimals expected, got {total}")


def _account(parties: Mapping[str, BankParty], name: str) -> BankParty:
    if name not in parties:
        known = ", ".join(sorted(parties)) or "none"
        raise SettlementError(
            f"payment file: an account of {name!r} expected, the parties file has: {known}",
            hint=f"add a table [party.{name}] with name and iban",
        )
    return parties[name]


def _instruction(
    identifier: str,
    payments: Sequence[Payment],
    accounts: tuple[BankParty, Mapping[str, BankParty]],
    execute_on: dt.date,
) -> str:
    debtor, parties = accounts
    euro = payments[0].placed.document["currency"] == "EUR"
    service = [_element("PmtTpInf", _element("SvcLvl", _element("Cd", "SEPA")))] if euro else []
    return _element(
        "PmtInf",
        _element("PmtInfId", identifier),
        _element("PmtMtd", "TRF"),
        _element("NbOfTxs", str(len(payments))),
        _element("CtrlSum", _sum(payments)),
        *service,
        _element("ReqdExctnDt", _element("Dt", execute_on.isoformat())),
        _element("Dbtr", _element("Nm", plain(debtor.name))),
        _element("DbtrAcct", _iban(debtor)),
        _agent("DbtrAgt", debtor),
        _element("ChrgBr", "SLEV" if euro else "SHAR"),
        *(_transfer(item, parties) for item in payments),
    )


def _transfer(item: Payment, parties: Mapping[str, BankParty]) -> str:
    document = item.placed.document
    creditor = _account(parties, str(document["seller"]))
    amount = item.placed.money(item.minor)
    return _element(
        "CdtTrfTxInf",
        _element(
            "PmtId", _element("InstrId", item.identifier), _element("EndToEndId", item.identifier)
        ),
        _element(
            "Amt",
            f'<InstdAmt Ccy="{escape(document["currency"])}">{escape(amount)}</InstdAmt>\n',
        ),
        *([_agent("CdtrAgt", creditor)] if creditor.bic else []),
        _element("Cdtr", _element("Nm", plain(creditor.name))),
        _element("CdtrAcct", _iban(creditor)),
        _element("RmtInf", _element("Ustrd", item.text)),
    )


def _agent(name: str, party: BankParty) -> str:
    known = _element("BICFI", party.bic) if party.bic else ""
    unknown = "" if party.bic else _element("Othr", _element("Id", "NOTPROVIDED"))
    return _element(name, _element("FinInstnId", known + unknown))


def _iban(party: BankParty) -> str:
    return _element("Id", _element("IBAN", party.iban))


def _sum(payments: Sequence[Payment]) -> str:
    """Add all amounts, whatever their currency, as the format asks."""
    scale = max(item.placed.document["scale"] for item in payments)
    return format_minor(
        sum(item.minor * 10 ** (scale - item.placed.document["scale"]) for item in payments),
        scale,
    )


def _element(name: str, *inner: str) -> str:
    """Return an element: around elements, or around one escaped text."""
    if len(inner) == 1 and not inner[0].startswith("<"):
        return f"<{name}>{escape(inner[0])}</{name}>\n"
    return f"<{name}>\n{''.join(inner)}</{name}>\n"
