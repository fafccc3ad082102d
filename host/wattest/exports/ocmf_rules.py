"""The rules of OCMF by number: the standard's text, and what the existing verifier does about it.

"The verifier" is S.A.F.E. Transparenzsoftware 1.4.1 (July 2025), its code as read, not as run. The
standard is OCMF 1.4.1 (April 2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Args:
        number: stable, from 1.
        standard: what is to be so.
        verifier: what the verifier does when it is not.
        fails: the verifier then refuses the text, shows it red, or stops with an exception.
        broken: the standard is broken; else it is only unwise.
    """

    number: int
    standard: str
    verifier: str
    fails: bool = False
    broken: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfFinding:
    """One thing that is not as a rule wants it.

    Args:
        rule: which rule.
        where: page of the text and place in it, such as ``T1 RD[0].ST``; ``file`` for the whole.
        message: expected and found.
    """

    rule: Rule
    where: str
    message: str


_ALL = (
    Rule(
        number=1,
        standard="three parts divided by bars, the first is OCMF; no bar inside a part",
        verifier="splits at bars: refuses fewer than three parts or another first part",
        fails=True,
    ),
    Rule(
        number=2,
        standard="the key travels outside of the text: a fourth part is no part of it any more",
        verifier="takes a fourth part for the key when none is given",
    ),
    Rule(
        number=3,
        standard="the signed bytes are the text's; other than ASCII is to be escaped",
        verifier="hashes the bytes of its machine's own character set: accepts on one machine, "
        "refuses on another",
        fails=True,
    ),
    Rule(
        number=4,
        standard="payload and signature are JSON objects, no key twice",
        verifier="refuses what its JSON reader cannot read",
        fails=True,
    ),
    Rule(
        number=5,
        standard="FV is there, text of a version",
        verifier="refuses a text without FV, or whose FV is not a number from 0.1 to 1.3: 1.4 too",
        fails=True,
    ),
    Rule(
        number=6,
        standard="PG is T or F and a number without leading zeros",
        verifier="stops with an exception when PG is missing or one letter; of the rest it uses "
        "the letter only",
        fails=True,
    ),
    Rule(
        number=7,
        standard="PG is T or F and a number without leading zeros",
        verifier="does not look at the number; another letter than T is checked by signature only",
    ),
    Rule(
        number=8,
        standard="MS is there; GS or MS names the key",
        verifier="does not look",
    ),
    Rule(
        number=9,
        standard="IS, IL, IF, IT, ID are there exactly when there is a transaction",
        verifier="does not look",
    ),
    Rule(
        number=10,
        standard="IL is one of the listed levels; four of them say that the user is not known",
        verifier="fails on MISMATCH, INVALID, OUTDATED, UNKNOWN, with a message about the clock",
        fails=True,
        broken=False,
    ),
    Rule(
        number=11,
        standard="IF is a list of texts, and may be empty",
        verifier="refuses another kind of value",
        fails=True,
    ),
    Rule(
        number=12,
        standard="RD is a list of readings",
        verifier="stops with an exception when there is no list of objects",
        fails=True,
    ),
    Rule(
        number=13,
        standard="TM is YYYY-MM-DDThh:mm:ss,mmm+hhmm and a letter",
        verifier="leaves out the comparison of times when it cannot read one",
    ),
    Rule(
        number=14,
        standard="the letter of TM is U, I, S or R",
        verifier="fails when the first reading of a transaction has no letter",
        fails=True,
    ),
    Rule(
        number=15,
        standard="times of one transaction are of one kind",
        verifier="fails when the first is relative (R) and the last is not",
        fails=True,
        broken=False,
    ),
    Rule(
        number=16,
        standard="TX says why a reading was taken: there in a transaction, absent else",
        verifier="knows B, and the ends E, L, R, A, P; takes all others for harmless",
    ),
    Rule(
        number=17,
        standard="a transaction has its first reading (B) and its last",
        verifier="checks the signature only, until the text with the other reading is there",
        broken=False,
    ),
    Rule(
        number=18,
        standard="a transaction has one first and one last reading of the register that is billed",
        verifier="fails on none and on more than one among the registers it counts: C is 1, 98, "
        "9E, B0 to C7, all hexadecimal; of loss-compensated ones if there are any",
        fails=True,
    ),
    Rule(
        number=19,
        standard="RV is a JSON number; it may be missing where only an event is told",
        verifier="stops with an exception when RV is not there or not a number at either end",
        fails=True,
    ),
    Rule(
        number=20,
        standard="RV is a JSON number, not a text",
        verifier="accepts a text that spells a number, with spaces around it",
    ),
    Rule(
        number=21,
        standard="RV has the digits that count, for kWh two decimals are advised",
        verifier="shows more than five decimals wrongly; signature and verdict stay right",
        broken=False,
    ),
    Rule(
        number=22,
        standard="RI and RU go together",
        verifier="ignores a reading without RI, even where the standard lets it be inherited",
    ),
    Rule(
        number=23,
        standard="RU is kWh or Wh; mOhm or uOhm for a loss",
        verifier="takes everything but Wh for kWh",
    ),
    Rule(
        number=24,
        standard="RI is an OBIS code",
        verifier="ignores a reading whose code it cannot read",
    ),
    Rule(
        number=25,
        standard="the first reading says ST",
        verifier="fails when the first reading that counts does not",
        fails=True,
    ),
    Rule(
        number=26,
        standard="a reading of a meter that is not well is not billed",
        verifier="fails when ST is not G at either end",
        fails=True,
        broken=False,
    ),
    Rule(
        number=27,
        standard="EF holds E, t or both; E says that the energy is not usable",
        verifier="fails on E at either end",
        fails=True,
        broken=False,
    ),
    Rule(
        number=28,
        standard="EF holds E, t or both; t says that the time is not usable",
        verifier="shows t, accepts it, and does not look at other letters",
        broken=False,
    ),
    Rule(
        number=29,
        standard="RT is AC or DC",
        verifier="does not look",
    ),
    Rule(
        number=30,
        standard="a register of a transaction does not go down, and its time not back",
        verifier="fails",
        fails=True,
    ),
    Rule(
        number=31,
        standard="own keys begin with U to Z, and stand at the top only",
        verifier="ignores keys it does not know",
    ),
    Rule(
        number=32,
        standard="SA is one of the listed algorithms; without it, ECDSA-secp256r1-SHA256",
        verifier="refuses another method than ECDSA or a curve it does not know; always hashes by "
        "SHA-256; takes the curve from SA and not from the key",
        fails=True,
    ),
    Rule(
        number=33,
        standard="SD is the signature in DER, spelled as SE says (hex or base64)",
        verifier="refuses what it cannot decode",
        fails=True,
    ),
    Rule(
        number=34,
        standard="SM is application/x-der",
        verifier="does not look",
    ),
    Rule(
        number=35,
        standard="the signature is that of the key over the exact bytes of the payload",
        verifier="fails",
        fails=True,
    ),
    Rule(
        number=36,
        standard="pages of a letter follow each other: none missing, none twice",
        verifier="shows PG and does not compare",
    ),
    Rule(
        number=37,
        standard="all texts of one transaction are from one meter",
        verifier="does not compare serials",
    ),
    Rule(
        number=38,
        standard="a pair has one text that begins and one that ends the transaction",
        verifier="fails when the first has an end or the second a beginning",
        fails=True,
    ),
    Rule(
        number=39,
        standard="TT has at most 250 characters, CF at most 25",
        verifier="does not look",
    ),
    Rule(
        number=40,
        standard="IL is one of the listed levels",
        verifier="accepts a level it does not know",
    ),
    Rule(
        number=41,
        standard="ST is one of NGTDRMXIOSEF",
        verifier="compares with G at the ends of a transaction and nowhere else",
    ),
    Rule(
        number=42,
        standard="the first reading with RI says RU",
        verifier="fails when the first reading that counts does not",
        fails=True,
    ),
    Rule(
        number=43,
        standard="RD holds at least one reading",
        verifier="checks the signature only",
    ),
    Rule(
        number=44,
        standard="own rule: a text of a wattest bench is the one its records inside (XC) give",
        verifier="ignores keys it does not know",
    ),
    Rule(
        number=45,
        standard="own rule: the records inside are signed by the node's key",
        verifier="ignores keys it does not know",
    ),
)

RULES: Final = {rule.number: rule for rule in _ALL}
"""Every rule by its number."""
