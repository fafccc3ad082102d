"""Make a bundle from a kept run, and verify one from a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wattest import __version__
from wattest.errors import ConfigError, UsageError, VerificationError
from wattest.evidence.build import BundleMaker
from wattest.evidence.container import ARCHIVE_BYTES_MAX
from wattest.evidence.manifest import ReadingSubject, SessionSubject
from wattest.evidence.page_build import PAGE_NAME, build_page
from wattest.evidence.select import Subject, subjects_of
from wattest.evidence.verdict import StepDone, Verdict
from wattest.evidence.verify import verdict_of, verify
from wattest.exports.statement_page import statement_page
from wattest.operations.kept.ledger_view import checkpoint_verifier
from wattest.operations.kept.statements import statements_of, with_evidence
from wattest.operations.rundir import RunDir, write_whole
from wattest.settlement import load_zone, terms_from_cbor
from wattest.settlement.period import format_instant
from wattest.store import open_store

MAKER = f"wattest {__version__}"
STATEMENT_PAGE = "statement.html"
_SHOWN_MAX = 12
_ZIP_START = b"PK\x03\x04"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle that was written.

    Attributes:
        path: where.
        size: bytes.
        verdict: of its own verification, which passed.
        about: what it proves, for people.
    """

    path: Path
    size: int
    verdict: Verdict
    about: str


def bundle_statement(
    folder: Path,
    out: Path,
    *,
    contract: str | None = None,
    period: str | None = None,
    page: bool = False,
) -> Made:
    """Write the bundle of a statement.

    Args:
        folder: of a kept run.
        out: the file; replaced whole.
        contract: its name; None if there is only one.
        period: ``2026-06``, an instant or day inside of it, or ``begin/end``; None if the contract
            has only one.
        page: put the page into it that checks it.

    Raises:
        ConfigError: this is not the folder of a run.
        UsageError: no such contract or period; names those there are.
        StoreError: the ledger cannot be read, or the file not written.
        VerificationError: what the ledger holds does not hold; nothing was written.
    """
    with _maker(folder) as maker:
        subject, zone = _find(maker, contract, period)
        shown = _shown(folder, [*subject.statements])
        data = maker.statement(subject, {STATEMENT_PAGE: shown, **_verifier(page=page)})
    about = f"contract {subject.contract}, {_name(subject, zone)}"
    return _write(out, data, about)


def bundle_session(folder: Path, out: Path, name: str, *, page: bool = False) -> Made:
    """Write the bundle of a session, named by its id or by ``KID/NUMBER`` of its first record.

    Raises:
        UsageError: no such session that ended, or several; names them.
        ConfigError, StoreError, VerificationError: as :func:`bundle_statement`.
    """
    with _maker(folder) as maker:
        known = maker.selection.sessions()
        found = [s for identifier, s in known if name in (identifier, _session_name(s))]
        if len(found) != 1:
            some = [f"{_session_name(s)} ({identifier})" for identifier, s in known]
            what = "no session" if not found else "more than one session"
            raise UsageError(f"{what} {name!r} that ended; {_there_are(some)}")
        data = maker.session(found[0], _verifier(page=page))
    return _write(out, data, f"session {_session_name(found[0])}")


def bundle_reading(folder: Path, out: Path, name: str, *, page: bool = False) -> Made:
    """Write the bundle of one record, named ``KID/CTX/NUMBER``; a serial stands for its key.

    Raises:
        UsageError: no such record.
        ConfigError, StoreError, VerificationError: as :func:`bundle_statement`.
    """
    parts = name.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts[1:]):
        raise UsageError(f"KID/CTX/NUMBER expected, such as 0123456789abcdef/0/17, got {name!r}")
    with _maker(folder) as maker:
        kids = {
            enrolment.kid
            for enrolment in maker.catalogue.enrolments.values()
            if parts[0] in (enrolment.kid.hex(), enrolment.serial)
        }
        if len(kids) != 1:
            some = sorted({e.kid.hex() for e in maker.catalogue.enrolments.values()})
            what = "no key" if not kids else "more than one key"
            raise UsageError(f"{what} {parts[0]!r} is enrolled; {_there_are(some)}")
        subject = ReadingSubject(kid=kids.pop(), ctx=int(parts[1]), seq=int(parts[2]))
        data = maker.reading(subject, _verifier(page=page))
    return _write(out, data, f"record {name}")


def verify_file(path: Path, *, log_key: str | None = None) -> Iterator[StepDone | Verdict]:
    """Verify the bundle in ``path``; yields each step, and the verdict last.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(ARCHIVE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=str(path)) from error
    return verify(data, log_key=log_key)


@contextmanager
def _maker(folder: Path) -> Iterator[BundleMaker]:
    run = RunDir(folder)
    verifier = checkpoint_verifier(run)
    with open_store(run.ledger_place, read_only=True) as store:
        yield BundleMaker(store, verifier, MAKER)


def _write(out: Path, data: bytes, about: str) -> Made:
    """Write what holds: a bundle that its own verification refuses helps nobody."""
    _check_place(out)
    verdict = verdict_of(data)
    if not verdict.passed:
        raise VerificationError(
            f"the bundle would not hold: step {verdict.step}, {verdict.rule}: {verdict.where}: "
            f"{verdict.message}",
            hint="run `wattest verify` on the folder to see what is wrong",
        )
    write_whole(out, data)
    return Made(path=out, size=len(data), verdict=verdict, about=about)


def _check_place(out: Path) -> None:
    """Refuse to replace anything but a bundle: the ledger lies in the next folder."""
    try:
        with out.open("rb") as file:
            begin = file.read(len(_ZIP_START))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot be replaced: {error.strerror}", path=str(out)) from error
    if begin not in {_ZIP_START, b""}:
        raise ConfigError("is there and is no bundle", path=str(out), hint="name another file")


def _verifier(*, page: bool) -> dict[str, bytes]:
    return {PAGE_NAME: build_page().encode()} if page else {}


def _shown(folder: Path, indexes: Sequence[int]) -> bytes:
    wanted = [one for one in statements_of(folder) if one.index in indexes]
    placed = with_evidence(folder, wanted)
    return statement_page([replace(one, folder="") for one in placed]).encode()


def _find(
    maker: BundleMaker, contract: str | None, period: str | None
) -> tuple[Subject, dt.tzinfo]:
    catalogue = maker.catalogue
    names = sorted({str(doc.get("contract")) for doc in catalogue.statements.values()})
    if contract is None and len(names) == 1:
        contract = names[0]
    if contract is None or contract not in names:
        what = "name a contract" if contract is None else f"no statement of contract {contract!r}"
        raise UsageError(f"{what}; {_there_are(names)}")
    subjects = subjects_of(catalogue, contract)
    zone = _zone(maker, contract)
    found = subjects
    if period is not None:
        chosen = _chooser(period, zone)
        found = [subject for subject in subjects if chosen(subject)]
    if len(found) != 1:
        some = [_name(subject, zone) for subject in subjects]
        what = "no period" if not found else "more than one period"
        raise UsageError(f"contract {contract}: {what} {period or ''} of it; {_there_are(some)}")
    return found[0], zone


def _zone(maker: BundleMaker, contract: str) -> dt.tzinfo:
    for index, document in maker.catalogue.terms.items():
        if document.get("contract") == contract:
            return load_zone(terms_from_cbor(maker.catalogue.bodies[index]).zone)
    return dt.UTC


def _chooser(period: str, zone: dt.tzinfo) -> Callable[[Subject], bool]:
    """Return what tells whether a statement's period is meant."""
    begin, slash, end = period.partition("/")
    if slash:
        span = (_instant(begin, zone, period), _instant(end, zone, period))
        return lambda subject: subject.period == span
    if len(period) == 7:
        _instant(f"{period}-01", zone, period)
        return lambda subject: _local(subject.period[0], zone).strftime("%Y-%m") == period
    at = _instant(period, zone, period)
    return lambda subject: subject.period[0] <= at < subject.period[1]


def _instant(text: str, zone: dt.tzinfo, period: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--period: 2026-06, a day or instant, or begin/end expected, got {period!r}"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // dt.timedelta(milliseconds=1)


def _local(time_ms: int, zone: dt.tzinfo) -> dt.datetime:
    return (_EPOCH + dt.timedelta(milliseconds=time_ms)).astimezone(zone)


def _name(subject: Subject, zone: dt.tzinfo) -> str:
    """Name a period as ``--period`` takes it, with its first day in words of the zone."""
    day = _local(subject.period[0], zone).strftime("%Y-%m-%d")
    return f"{format_instant(subject.period[0])}/{format_instant(subject.period[1])} ({day})"


def _session_name(subject: SessionSubject) -> str:
    return f"{subject.kid.hex()}/{subject.begin}"


def _there_are(names: Sequence[str]) -> str:
    if not names:
        return "the ledger has none"
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    return f"there are: {', '.join(names[:_SHOWN_MAX])}{more}"


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
