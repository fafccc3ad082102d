"""ISO 20022 payment file, pain.001.001.09: what the buyer's bank is asked to pay.

One payment instruction a statement and payee. Nothing in it comes from a clock: identifiers derive
from the digests of the statements, and the date is the one asked for.

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
class Transfer:
    """One credit transfer."""

    placed: PlacedStatement
    debtor: BankParty
    creditor: BankParty
    minor: int
    number: int

    @property
    def identifier(self) -> str:
        """At most 35 characters, the same for the same statement and payee."""
        seed = f"{self.placed.digest}/{self.number}".encode()
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


def payments(
    statements: Iterable[PlacedStatement],
    parties: Mapping[str, BankParty],
    *,
    execute_on: dt.date,
    test: bool = False,
) -> str:
    """Return the payment file for the newest generation of each statement.

    Args:
        statements: of one or several contracts.
        parties: by their names in the contracts.
        execute_on: the day the bank is asked to pay; also the date of the file.
        test: let TEST statements in; identifiers and texts of the file then say so.

    Raises:
        SettlementError: nothing to pay, a credit, a statement that is TEST or provisional, a
            party without an account.
    """
    due = newest(tuple(statements))
    transfers = [item for placed in due for item in _transfers(placed, parties, test=test)]
    if not transfers:
        raise SettlementError("payment file: a statement to pay expected, got none")
    groups: dict[tuple[str, str], list[Transfer]] = {}
    for item in transfers:
        key = (item.debtor.iban, str(item.placed.document["currency"]))
        groups.setdefault(key, []).append(item)
    initiator = min(groups)[0]
    name = next(item.debtor.name for item in transfers if item.debtor.iban == initiator)
    seed = "".join(item.identifier for item in transfers) + execute_on.isoformat()
    mark = "TEST" if any(item.placed.test for item in transfers) else "W"
    message = f"{mark}-{hashlib.sha256(seed.encode()).hexdigest()[:30]}"
    head = _element(
        "GrpHdr",
        _element("MsgId", message),
        _element("CreDtTm", f"{execute_on.isoformat()}T00:00:00Z"),
        _element("NbOfTxs", str(len(transfers))),
        _element("CtrlSum", _sum(transfers)),
        _element("InitgPty", _element("Nm", plain(name))),
    )
    body = [
        _instruction(f"{message[:30]}-{number}", groups[key], execute_on)
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


def _transfers(
    placed: PlacedStatement, parties: Mapping[str, BankParty], *, test: bool
) -> list[Transfer]:
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
    debtor = _account(parties, document["buyer"], where)
    found = []
    for number, (party, minor) in enumerate(placed.payouts()):
        if minor < 0:
            raise SettlementError(f"{where}: {party} receives less than nothing: a credit")
        if minor and party != document["buyer"]:
            creditor = _account(parties, party, where)
            found.append(
                Transfer(
                    placed=placed, debtor=debtor, creditor=creditor, minor=minor, number=number
                )
            )
    return found


def _account(parties: Mapping[str, BankParty], name: str, where: str) -> BankParty:
    if name not in parties:
        known = ", ".join(sorted(parties)) or "none"
        raise SettlementError(
            f"{where}: an account of {name!r} expected, the parties file has: {known}",
            hint=f"add a table [party.{name}] with name and iban",
        )
    return parties[name]


def _instruction(identifier: str, transfers: Sequence[Transfer], execute_on: dt.date) -> str:
    euro = transfers[0].placed.document["currency"] == "EUR"
    debtor = transfers[0].debtor
    service = [_element("PmtTpInf", _element("SvcLvl", _element("Cd", "SEPA")))] if euro else []
    return _element(
        "PmtInf",
        _element("PmtInfId", identifier),
        _element("PmtMtd", "TRF"),
        _element("NbOfTxs", str(len(transfers))),
        _element("CtrlSum", _sum(transfers)),
        *service,
        _element("ReqdExctnDt", _element("Dt", execute_on.isoformat())),
        _element("Dbtr", _element("Nm", plain(debtor.name))),
        _element("DbtrAcct", _iban(debtor)),
        _agent("DbtrAgt", debtor),
        _element("ChrgBr", "SLEV" if euro else "SHAR"),
        *(_transfer(item) for item in transfers),
    )


def _transfer(item: Transfer) -> str:
    document = item.placed.document
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
        *([_agent("CdtrAgt", item.creditor)] if item.creditor.bic else []),
        _element("Cdtr", _element("Nm", plain(item.creditor.name))),
        _element("CdtrAcct", _iban(item.creditor)),
        _element("RmtInf", _element("Ustrd", item.text)),
    )


def _agent(name: str, party: BankParty) -> str:
    known = _element("BICFI", party.bic) if party.bic else ""
    unknown = "" if party.bic else _element("Othr", _element("Id", "NOTPROVIDED"))
    return _element(name, _element("FinInstnId", known + unknown))


def _iban(party: BankParty) -> str:
    return _element("Id", _element("IBAN", party.iban))


def _sum(transfers: Sequence[Transfer]) -> str:
    """Add all amounts, whatever their currency, as the format asks."""
    scale = max(item.placed.document["scale"] for item in transfers)
    return format_minor(
        sum(item.minor * 10 ** (scale - item.placed.document["scale"]) for item in transfers),
        scale,
    )


def _element(name: str, *inner: str) -> str:
    """Return an element: around elements, or around one escaped text."""
    if len(inner) == 1 and not inner[0].startswith("<"):
        return f"<{name}>{escape(inner[0])}</{name}>\n"
    return f"<{name}>\n{''.join(inner)}</{name}>\n"
