"""A file of parties: their names in full and their bank accounts, for payment files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wattest.tables import NAME_EXPECTED, NAME_PATTERN, Table, parse_table

_IBAN = r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"
_BIC = r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankParty:
    """Where a party is paid.

    Args:
        name: in full, at most 70 characters.
        iban: checked, without blanks.
        bic: of its bank, or ``""``.
    """

    name: str
    iban: str
    bic: str


def parse_parties(text: str, path: str) -> Mapping[str, BankParty]:
    """Read a file of parties: one table ``[party.NAME]`` for each name used in contracts.

    Raises:
        ConfigError: broken TOML, an unknown key, an IBAN or BIC that cannot be: path, key.
    """
    table = parse_table(text, path)
    parties = table.table("party")
    found = {}
    for name in parties.values:
        if not re.fullmatch(NAME_PATTERN, name):
            raise parties.error(name, f"{NAME_EXPECTED}, expected")
        found[name] = _party(parties.table(name))
    table.finish()
    if not found:
        raise table.error("party", "at least one table [party.NAME] expected, got none")
    return found


def iban_holds(iban: str) -> bool:
    """Tell whether the check digits of an IBAN hold: ISO 7064 mod 97-10 over it is 1."""
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _party(table: Table) -> BankParty:
    iban = table.text("iban").replace(" ", "").upper()
    if not re.fullmatch(_IBAN, iban):
        raise table.error("iban", f"an IBAN of 15 to 34 letters and digits expected, got {iban!r}")
    if not iban_holds(iban):
        raise table.error("iban", f"check digits do not hold in {iban!r}: a digit is mistyped")
    party = BankParty(
        name=table.text("name", pattern=r"[^\x00-\x1f]{1,70}", expected="1 to 70 characters"),
        iban=iban,
        bic=table.text("bic", "", pattern=_BIC, expected="a BIC of 8 or 11 characters"),
    )
    table.finish()
    return party
