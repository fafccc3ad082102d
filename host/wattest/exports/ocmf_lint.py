"""Check OCMF texts by the numbered rules, and say what the existing verifier does with each."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from wattest.errors import OcmfError
from wattest.exports.ocmf import HEADER, SEPARATOR, Digits, Ocmf, page_of, read_ocmf
from wattest.exports.ocmf_inside import inside_faults
from wattest.exports.ocmf_pages import page_faults
from wattest.exports.ocmf_rules import RULES, OcmfFinding
from wattest.exports.ocmf_signature import (
    CURVES,
    DEFAULT_ALGORITHM,
    DEFAULT_ENCODING,
    DER_TYPE,
    SignatureCheck,
    SignatureState,
    signature_bytes,
    verify_ocmf,
)
from wattest.exports.ocmf_verifier import (
    LEVELS_REFUSED,
    Broken,
    Placed,
    obis_groups,
    transaction_faults,
)

LEVELS: Final = LEVELS_REFUSED | {
    "NONE", "HEARSAY", "TRUSTED", "VERIFIED", "CERTIFIED", "SECURE",
}  # fmt: skip
TOP_KEYS: Final = frozenset(
    (
        *("FV", "GI", "GS", "GV", "PG", "MV", "MM", "MS", "MF"),
        *("IS", "IL", "IF", "IT", "ID", "TT", "CF", "LC", "CT", "CI", "RD"),
    )
)
READING_KEYS: Final = frozenset(["TM", "TX", "RV", "RI", "RU", "RT", "CL", "EF", "ST"])
OURS: Final = frozenset({36, 37, 44, 45})
"""Rules that the existing verifier never looks at, and that we refuse a file for."""
_USER_KEYS = ("IS", "IL", "IF", "IT", "ID")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3}[+-]\d{4} [A-Z]")
_INHERITED = ("TM", "TX", "RI", "RU", "RT", "EF", "ST")
_RULE_OF_ERROR = {"header": 1, "sections": 1, "ascii": 3}
_VERSION_MIN, _VERSION_MAX = Decimal("0.1"), Decimal("1.3")
_DECIMALS_MAX = 5
_LENGTHS = {"TT": 250, "CF": 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfItem:
    """A text to check, with what its container says of it.

    Args:
        data: the text.
        spki: the key to check it with, or None.
        transaction: texts with one number here are one transaction; None: it stands alone.
        context: ``begin``, ``end`` or ``""``.
    """

    data: bytes
    spki: bytes | None = None
    transaction: str | None = None
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintedText:
    """One text and what was found in it.

    Args:
        name: its page, or ``text n`` where it has none.
        ocmf: as read; None if it has not the form.
        signature: the outcome of checking it.
        findings: in order of the text.
    """

    name: str
    ocmf: Ocmf | None
    signature: SignatureCheck
    findings: tuple[OcmfFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """All texts of a file.

    Args:
        texts: each with its findings.
        findings: about several texts together.
    """

    texts: tuple[LintedText, ...]
    findings: tuple[OcmfFinding, ...]

    @property
    def all_findings(self) -> tuple[OcmfFinding, ...]:
        """Findings of the texts, then those about several."""
        return (*(item for text in self.texts for item in text.findings), *self.findings)

    @property
    def refused(self) -> bool:
        """The existing verifier would refuse something of it."""
        return any(finding.rule.fails for finding in self.all_findings)

    @property
    def complete(self) -> bool:
        """No page is missing or twice, a pair is of one meter, records inside fit their text.

        Ours alone checks that.
        """
        return not any(finding.rule.number in OURS for finding in self.all_findings)

    @property
    def passed(self) -> bool:
        """Neither the existing verifier nor ours would refuse it."""
        return not self.refused and self.complete


def lint_ocmf(items: Sequence[OcmfItem], *, node_spki: bytes | None = None) -> LintReport:
    """Check texts, each by itself and all of them together.

    Args:
        items: in the order of their file.
        node_spki: key of the node whose records are inside texts of a wattest bench, or None.
    """
    texts = tuple(_text(number, item, node_spki) for number, item in enumerate(items, 1))
    together: list[OcmfFinding] = []
    keyed = [(text.ocmf, item.spki) for text, item in zip(texts, items, strict=True) if text.ocmf]
    for where, message in page_faults(keyed):
        together.append(OcmfFinding(rule=RULES[36], where=where, message=message))
    groups: dict[str, list[tuple[OcmfItem, LintedText]]] = {}
    for item, text in zip(items, texts, strict=True):
        if item.transaction is not None:
            groups.setdefault(item.transaction, []).append((item, text))
    for name, group in groups.items():
        if len(group) > 1:
            together += [_finding(broken) for broken in _pair(name, group)]
    return LintReport(texts=texts, findings=tuple(together))


def _finding(broken: Broken) -> OcmfFinding:
    number, where, message = broken
    return OcmfFinding(rule=RULES[number], where=where, message=message)


def _text(number: int, item: OcmfItem, node_spki: bytes | None) -> LintedText:
    findings: list[OcmfFinding] = []
    data = item.data.strip(b" \t\r\n")
    parts = data.split(SEPARATOR.encode())
    if len(parts) == 4 and parts[0] == HEADER.encode() and not parts[3].startswith(b"{"):
        data = SEPARATOR.encode().join(parts[:3])
        findings.append(_finding((2, f"text {number}", "a fourth part follows the signature")))
    try:
        ocmf = read_ocmf(data)
    except OcmfError as error:
        rule = RULES[_RULE_OF_ERROR.get(error.rule, 4)]
        findings.append(OcmfFinding(rule=rule, where=f"text {number}", message=str(error)))
        unread = SignatureCheck(state=SignatureState.UNCHECKED, message="the text has no form")
        return LintedText(
            name=f"text {number}", ocmf=None, signature=unread, findings=tuple(findings)
        )
    page = ocmf.page
    name = f"{page[0]}{page[1]}" if page else f"text {number}"
    check = verify_ocmf(ocmf, item.spki)
    findings += [_finding(broken) for broken in _payload(ocmf.payload, name)]
    findings += [_finding(broken) for broken in _section(ocmf.signature, name)]
    findings += [_finding(broken) for broken in inside_faults(ocmf, name, node_spki)]
    if check.state is SignatureState.INVALID:
        findings.append(_finding((35, f"{name} SD", check.message)))
    elif check.state is SignatureState.UNREADABLE:
        findings.append(_finding((33, f"{name} SD", check.message)))
    return LintedText(name=name, ocmf=ocmf, signature=check, findings=tuple(findings))


def _payload(payload: Mapping[str, Any], name: str) -> Iterator[Broken]:
    yield from _head(payload, name)
    yield from _user(payload, name)
    for key in payload:
        if key not in TOP_KEYS and key[:1] not in tuple("UVWXYZ"):
            yield 31, f"{name} {key}", f"{key} is neither a key of OCMF nor an own one"
    for key, most in _LENGTHS.items():
        if len(str(payload.get(key, ""))) > most:
            yield 39, f"{name} {key}", f"more than {most} characters"
    readings = payload.get("RD")
    if not isinstance(readings, list) or not all(isinstance(item, dict) for item in readings):
        yield 12, f"{name} RD", f"expected a list of readings, got {type(readings).__name__}"
        return
    if not readings:
        yield 43, f"{name} RD", "expected at least one reading"
        return
    yield from _readings(payload, readings, name)


def _head(payload: Mapping[str, Any], name: str) -> Iterator[Broken]:
    version = payload.get("FV")
    try:
        known = _VERSION_MIN <= Decimal(str(version)) <= _VERSION_MAX
    except InvalidOperation:
        known = False
    if not known:
        yield 5, f"{name} FV", f"expected a version from 0.1 to 1.3, got {version!r}"
    page = payload.get("PG")
    if type(page) is not str or len(page) < 2:
        yield 6, f"{name} PG", f"expected a letter and a number, got {page!r}"
    elif page_of(page) is None:
        yield 7, f"{name} PG", f"expected T or F and a number, got {page!r}"
    if not payload.get("MS"):
        yield 8, f"{name} MS", "the serial of the meter is missing"


def _user(payload: Mapping[str, Any], name: str) -> Iterator[Broken]:
    transaction = str(payload.get("PG", "")).startswith("T")
    for key in _USER_KEYS:
        if (key in payload) != transaction and not (key in {"IL", "IF"} and transaction):
            what = "missing in" if transaction else "given without"
            yield 9, f"{name} {key}", f"{key} is {what} a transaction"
    if type(payload.get("IS", False)) is not bool:
        yield 9, f"{name} IS", f"expected true or false, got {payload['IS']!r}"
    flags = payload.get("IF", [])
    if not isinstance(flags, list) or not all(type(flag) is str for flag in flags):
        yield 11, f"{name} IF", f"expected a list of texts, got {flags!r}"
    level = payload.get("IL")
    if level is not None and not _is_in(level, LEVELS):
        yield 40, f"{name} IL", f"{level!r} is no level of OCMF"


def _readings(
    payload: Mapping[str, Any], readings: Sequence[Mapping[str, Any]], name: str
) -> Iterator[Broken]:
    placed = [
        Placed(where=f"{name} RD[{index}]", fields=fields) for index, fields in enumerate(readings)
    ]
    transaction = str(payload.get("PG", "")).startswith("T")
    last: dict[str, Any] = {}
    for item in placed:
        last |= {key: item.fields[key] for key in _INHERITED if key in item.fields}
        yield from _reading(item, last, transaction=transaction)
    if not transaction:
        return
    has_begin = any(item.begins for item in placed)
    has_end = any(item.ends for item in placed)
    if has_begin and has_end:
        yield from transaction_faults(placed, [payload.get("IL")])
    else:
        missing = "first" if has_end else "last" if has_begin else "first and the last"
        yield 17, f"{name} RD", f"the {missing} reading of the transaction is not in this text"


def _reading(item: Placed, last: Mapping[str, Any], *, transaction: bool) -> Iterator[Broken]:
    """Check one reading; fields equal to those of the reading before may be left out."""
    where = item.where
    time = last.get("TM")
    if type(time) is not str or not _TIME.fullmatch(time):
        yield 13, f"{where}.TM", f"expected YYYY-MM-DDThh:mm:ss,mmm+hhmm X, got {time!r}"
    elif time[-1] not in "UISR":
        yield 13, f"{where}.TM", f"expected the letter U, I, S or R, got {time[-1]!r}"
    reason = last.get("TX")
    if transaction and (type(reason) is not str or reason.strip() not in set("BCXELRAPST")):
        yield 16, f"{where}.TX", f"expected one letter of BCXELRAPST, got {reason!r}"
    elif not transaction and "TX" in item.fields:
        yield 16, f"{where}.TX", "given without a transaction"
    yield from _value(item, last)
    if not _is_in(last.get("ST"), set("NGTDRMXIOSEF")):
        yield 41, f"{where}.ST", f"expected a letter of NGTDRMXIOSEF, got {last.get('ST')!r}"
    flags = last.get("EF", "")
    if type(flags) is not str or set(flags) - set("Et"):
        yield 28, f"{where}.EF", f"expected E, t or both, got {flags!r}"
    elif "t" in flags:
        yield 28, f"{where}.EF", "the time is marked as not usable"
    if not _is_in(last.get("RT", "AC"), ("AC", "DC")):
        yield 29, f"{where}.RT", f"expected AC or DC, got {last.get('RT')!r}"
    for key in item.fields:
        if key not in READING_KEYS:
            yield 31, f"{where}.{key}", f"{key} is no key of a reading"


def _value(item: Placed, last: Mapping[str, Any]) -> Iterator[Broken]:
    where = item.where
    value = item.fields.get("RV")
    if value is not None and not isinstance(value, Digits):
        yield 20, f"{where}.RV", f"expected a number, got {value!r}"
    decimals = str(value).strip().partition(".")[2] if value is not None else ""
    if len(decimals) > _DECIMALS_MAX:
        yield 21, f"{where}.RV", f"{len(decimals)} decimals"
    code, unit = last.get("RI"), last.get("RU")
    if (code is None) != (unit is None) or (value is not None and code is None):
        yield 22, f"{where}.RI", "RI and RU go together, and with RV"
    if code is not None and "RI" not in item.fields:
        yield 22, f"{where}.RI", "inherited: the verifier does not see this reading"
    if unit is not None and not _is_in(unit, ("kWh", "Wh", "mOhm", "uOhm")):
        yield 23, f"{where}.RU", f"expected kWh or Wh, got {unit!r}"
    if code is not None and (type(code) is not str or obis_groups(code) is None):
        yield 24, f"{where}.RI", f"expected an OBIS code, got {code!r}"


def _is_in(value: Any, allowed: Container[str]) -> bool:
    """Tell whether a JSON value is one of these texts; lists and maps are none."""
    return type(value) is str and value in allowed


def _section(section: Mapping[str, Any], name: str) -> Iterator[Broken]:
    algorithm = section.get("SA", DEFAULT_ALGORITHM)
    if not _is_in(algorithm, CURVES):
        yield 32, f"{name} SA", f"expected an algorithm of OCMF, got {algorithm!r}"
    try:
        signature_bytes(section)
    except ValueError as error:
        key = "SD" if _is_in(section.get("SE", DEFAULT_ENCODING), ("hex", "base64")) else "SE"
        yield 33, f"{name} {key}", str(error)
    if section.get("SM", DER_TYPE) != DER_TYPE:
        yield 34, f"{name} SM", f"expected {DER_TYPE}, got {section['SM']!r}"
    for key in section:
        if key not in {"SA", "SE", "SI", "SM", "SD"} and key[:1] not in tuple("ABCDEFUVWXYZ"):
            yield 31, f"{name} {key}", f"{key} is neither a key of OCMF nor an own one"


def _pair(name: str, group: Sequence[tuple[OcmfItem, LintedText]]) -> Iterator[Broken]:
    """Check the two texts of one transaction together, as the verifier does."""
    where = f"transaction {name}"
    begins = [text for item, text in group if item.context == "begin"]
    ends = [text for item, text in group if item.context == "end"]
    if len(begins) != 1 or len(ends) != 1 or len(group) != 2:
        yield 38, where, f"expected one begin and one end, got {len(begins)} and {len(ends)}"
        return
    first, second = begins[0].ocmf, ends[0].ocmf
    if first is None or second is None:
        return
    sides = [
        [
            Placed(where=f"{text.name} RD[{index}]", fields=fields)
            for index, fields in enumerate(text.ocmf.payload.get("RD") or [])
            if isinstance(fields, dict)
        ]
        for text in (begins[0], ends[0])
        if text.ocmf is not None
    ]
    if any(item.ends for item in sides[0]):
        yield 38, where, "the text that begins it has a last reading"
    if any(item.begins for item in sides[1]):
        yield 38, where, "the text that ends it has a first reading"
    yield from transaction_faults(
        [*sides[0], *sides[1]], [first.payload.get("IL"), second.payload.get("IL")]
    )
    serials = [str(one.payload.get("MS")) for one in (first, second)]
    if serials[0] != serials[1]:
        yield 37, where, f"meter {serials[0]} at first, {serials[1]} at last"
