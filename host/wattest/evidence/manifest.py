"""manifest.json of a bundle: what it proves, and the digest of every other member.

Source: docs/evidence.md section 2.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn

from wattest.evidence.verdict import RuleBroken

FORMAT: Final = "wattest-bundle/1"
GENERATIONS_MAX: Final = 400
WHOLE_MAX: Final = 2**53 - 1
"""Largest integer of a manifest: what every JSON reader keeps exactly."""

_ALWAYS: Final = ("checkpoint.txt", "entries.cbor", "proof.bin")
_FOR_PEOPLE: Final = frozenset({"statement.html", "verify.html", "README.txt"})
_HEX_KID = re.compile(r"[0-9a-f]{16}")
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_FUTURE = re.compile(r"wattest-bundle/([0-9]{1,9})")


class Form(StrEnum):
    """What a bundle proves."""

    STATEMENT = "statement"
    SESSION = "session"
    READING = "reading"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAsk:
    """How many of which witnesses must have cosigned; 0 of none if the terms do not ask."""

    threshold: int = 0
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSubject:
    """The statement of one contract and period.

    Attributes:
        contract: its name.
        period: (begin, end), ms since 1970 UTC.
        generations: how many statements of it there are.
        terms: hash of the terms of the last one, 32 bytes.
        witness: as the terms have it.
    """

    contract: str
    period: tuple[int, int]
    generations: int
    terms: bytes
    witness: WitnessAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSubject:
    """A transaction of one key: numbers (ctx 1) of the records that begin and end it."""

    kid: bytes
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSubject:
    """One record."""

    kid: bytes
    ctx: int
    seq: int


Subject = StatementSubject | SessionSubject | ReadingSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """Size and SHA-256 (32 bytes) of a member."""

    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says of itself; nothing of it is trusted before the steps are through.

    Attributes:
        subject: what it proves.
        maker: program and version.
        log: verifier key of the log.
        files: every other member.
    """

    subject: Subject
    maker: str
    log: str
    files: Mapping[str, FileDigest]

    @property
    def form(self) -> Form:
        """What kind of thing it proves."""
        match self.subject:
            case StatementSubject():
                return Form.STATEMENT
            case SessionSubject():
                return Form.SESSION
            case ReadingSubject():
                return Form.READING

    def encode(self) -> bytes:
        """Return manifest.json."""
        files = {
            name: {"bytes": file.size, "sha256": file.sha256.hex()}
            for name, file in self.files.items()
        }
        return canonical_json(
            {
                "format": FORMAT,
                "form": self.form.value,
                "maker": self.maker,
                "log": self.log,
                "files": files,
                **_subject_fields(self.subject),
            }
        )


def required_members(subject: Subject) -> tuple[str, ...]:
    """Return the names, besides the manifest, that a bundle of this subject must have."""
    if not isinstance(subject, StatementSubject):
        return _ALWAYS
    numbers = range(1, subject.generations + 1)
    names = [f"{stem}" for n in numbers for stem in (f"cutoff-{n}.txt", f"consistency-{n}.bin")]
    return (*_ALWAYS, *names)


def canonical_json(value: Any) -> bytes:
    """Encode JSON in the one form: sorted keys, no white space, as few escapes as possible."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def parse_manifest(data: bytes) -> Manifest:
    """Read manifest.json.

    Raises:
        RuleBroken: rule ``format`` or ``manifest``.
    """
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as exc:
        raise RuleBroken("manifest", "manifest.json", f"JSON expected: {exc}") from exc
    if not isinstance(value, dict):
        _broken("an object expected")
    _check_format(value.get("format"))
    _check_values(value)
    try:
        same = canonical_json(value) == data
    except ValueError:  # half of a surrogate pair has no UTF-8
        same = False
    if not same:
        _broken("the one form of JSON expected: sorted keys, no white space")
    form = value.get("form")
    if form not in set(Form):
        _broken(f"form statement, session or reading expected, got {form!r}")
    fields = {**_COMMON, **_OWN[Form(form)]}
    for key in sorted({*fields, *value}):
        if key not in fields or key not in value or not fields[key](value[key]):
            _broken(f"{key}: missing, unknown or not as specified")
    files = {
        name: FileDigest(size=file["bytes"], sha256=bytes.fromhex(file["sha256"]))
        for name, file in value["files"].items()
    }
    subject = _subject_of(Form(form), value)
    required = set(required_members(subject))
    if odd := sorted((required - files.keys()) | (files.keys() - required - _FOR_PEOPLE)):
        _broken(f"files: {odd[0]} is missing or no member of this form")
    return Manifest(subject=subject, maker=value["maker"], log=value["log"], files=files)


def _check_format(value: Any) -> None:
    if value == FORMAT:
        return
    if isinstance(value, str) and _FUTURE.fullmatch(value):
        message = f"{FORMAT} expected, got {value}: a newer verifier is needed"
    else:
        message = f"{FORMAT} expected, got something else: not a bundle"
    raise RuleBroken("format", "manifest.json", message)


def _check_values(value: Any) -> None:
    """Refuse numbers that another reader might not keep, and depth."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > 4 or item is None or isinstance(item, float):
            _broken("texts, whole numbers, lists and objects expected, not nested deeper")
        if type(item) is int and not -WHOLE_MAX <= item <= WHOLE_MAX:
            _broken(f"a number of at most {WHOLE_MAX} expected")
        if isinstance(item, dict):
            waiting += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            waiting += [(inner, depth + 1) for inner in item]


def _subject_fields(subject: Subject) -> dict[str, Any]:
    match subject:
        case StatementSubject():
            ask = subject.witness
            return {
                "contract": subject.contract,
                "period": list(subject.period),
                "generations": subject.generations,
                "terms": subject.terms.hex(),
                "witness": {"keys": list(ask.keys), "threshold": ask.threshold},
            }
        case SessionSubject():
            names = {"kid": subject.kid.hex(), "begin": subject.begin, "end": subject.end}
            return {"session": names}
        case ReadingSubject():
            names = {"kid": subject.kid.hex(), "ctx": subject.ctx, "seq": subject.seq}
            return {"reading": names}


def _subject_of(form: Form, value: Mapping[str, Any]) -> Subject:
    if form is Form.STATEMENT:
        ask = value["witness"]
        return StatementSubject(
            contract=value["contract"],
            period=(value["period"][0], value["period"][1]),
            generations=value["generations"],
            terms=bytes.fromhex(value["terms"]),
            witness=WitnessAsk(threshold=ask["threshold"], keys=tuple(ask["keys"])),
        )
    names = value[form.value]
    kid = bytes.fromhex(names["kid"])
    if form is Form.SESSION:
        return SessionSubject(kid=kid, begin=names["begin"], end=names["end"])
    return ReadingSubject(kid=kid, ctx=names["ctx"], seq=names["seq"])


_Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return type(value) is str


def _whole(low: int, high: int = WHOLE_MAX) -> _Check:
    return lambda value: type(value) is int and low <= value <= high


def _hex(pattern: re.Pattern[str]) -> _Check:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


def _object(fields: Mapping[str, _Check]) -> _Check:
    return lambda value: (
        type(value) is dict
        and value.keys() == fields.keys()
        and all(check(value[key]) for key, check in fields.items())
    )


def _is_period(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) == 2
        and all(type(item) is int and item >= 0 for item in value)
        and value[0] < value[1]
    )


def _is_files(value: Any) -> bool:
    check = _object({"bytes": _whole(0), "sha256": _hex(_HEX_DIGEST)})
    return type(value) is dict and all(check(file) for file in value.values())


def _is_keys(value: Any) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


_COMMON: Final[Mapping[str, _Check]] = {
    "format": _is_text,
    "form": _is_text,
    "maker": _is_text,
    "log": _is_text,
    "files": _is_files,
}
_OWN: Final[Mapping[Form, Mapping[str, _Check]]] = {
    Form.STATEMENT: {
        "contract": _is_text,
        "period": _is_period,
        "generations": _whole(1, GENERATIONS_MAX),
        "terms": _hex(_HEX_DIGEST),
        "witness": _object({"keys": _is_keys, "threshold": _whole(0)}),
    },
    Form.SESSION: {
        "session": _object({"kid": _hex(_HEX_KID), "begin": _whole(1), "end": _whole(1)}),
    },
    Form.READING: {
        "reading": _object({"kid": _hex(_HEX_KID), "ctx": _whole(0, 2), "seq": _whole(1)}),
    },
}


def _broken(message: str) -> NoReturn:
    raise RuleBroken("manifest", "manifest.json", message)
