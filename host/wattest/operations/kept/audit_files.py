"""The audit of what lies beside a ledger: run.json, statement files, digests.

The ledger explains itself. Files do not: a statement file must be what its entry says, the
checkpoint that run.json keeps must describe the ledger, and a finished run must have every file
that its digests list, and no other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wattest.errors import WattestError
from wattest.ledger import LedgerView
from wattest.ledger.kept_checkpoint import check_kept
from wattest.operations.kept.statement_files import statement_files
from wattest.operations.rundir import RunDir

_DIGEST_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\0]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Args:
        where: table or file, and the place in it.
        message: what was expected and what was found.
        index: entry of the ledger, or None.
    """

    where: str
    message: str
    index: int | None = None


def came_to_its_end(values: Mapping[str, Any]) -> bool:
    """Whether run.json says that the run was neither killed nor stopped."""
    return is_summed_up(values) and not values.get("stopped")


def is_summed_up(values: Mapping[str, Any]) -> bool:
    """Whether run.json says that every file was written: the run may have been stopped."""
    return values.get("finished") is True


def check_kept_checkpoint(run: RunDir, view: LedgerView) -> Iterator[Problem]:
    """The note beside the ledger must describe it: a ledger cut short would not know.

    Args:
        run: the folder; its run.json keeps the note.
        view: the ledger.
    """
    values = run.read_json()
    note = values.get("checkpoint")
    where = "run.json checkpoint"
    if not isinstance(note, str) or not note:
        if is_summed_up(values):
            yield Problem(where=where, message="a finished run keeps a checkpoint, got none")
        return
    try:
        check_kept(view, note.encode(), where="run.json")
    except WattestError as error:
        yield Problem(where=where, message=str(error))


def check_statement_files(run: RunDir, bodies: Mapping[int, bytes]) -> Iterator[Problem]:
    """Every statement file must be what the ledger's entry says; a finished run has them all.

    Args:
        run: the folder.
        bodies: logged statements by entry, those that could be read.
    """
    expected: dict[str, tuple[int, bytes]] = {}
    for index, body in bodies.items():
        for name, content in statement_files(body, index=index).items():
            expected[name] = (index, content)
    found = {file.name: file for file in run.statements.glob("*") if file.is_file()}
    for name, file in sorted(found.items()):
        where = f"statements/{name}"
        if name not in expected:
            yield Problem(where=where, message="no statement in the ledger has such a file")
        elif file.read_bytes() != expected[name][1]:
            message = f"is not the statement in the ledger, entry {expected[name][0]}"
            yield Problem(where=where, message=message)
    values = run.read_json()
    if is_summed_up(values) and not values.get("live"):
        for name in sorted(expected.keys() - found.keys()):
            yield Problem(where=f"statements/{name}", message="is missing")


def check_digests(run: RunDir) -> Iterator[Problem]:
    """Every file but the ledger, which explains itself entry by entry."""
    if not run.digests.exists():
        values = run.read_json()
        if is_summed_up(values) and not values.get("live"):
            yield Problem(where=run.digests.name, message="is missing")
        return
    lines = run.digests.read_bytes().decode("utf-8", "replace").splitlines()
    listed = {}
    for number, line in enumerate(lines, 1):
        match = _DIGEST_LINE.fullmatch(line)
        if match is None:
            where = f"{run.digests.name} line {number}"
            yield Problem(where=where, message="expected 64 hex digits, two spaces, a name")
        else:
            listed[match[2]] = match[1]
    yield from _compare(run, listed, run.file_names())


def _compare(run: RunDir, listed: Mapping[str, str], found: Iterable[str]) -> Iterator[Problem]:
    """Compare digests with files, either way."""
    names = set(found)
    for name, digest in listed.items():
        if name == run.ledger.name:
            continue  # older runs list it
        if name not in names:
            yield Problem(where=name, message="is missing")
        elif hashlib.sha256((run.path / name).read_bytes()).hexdigest() != digest:
            yield Problem(where=name, message="differs from its digest")
    for name in sorted(names - listed.keys()):
        yield Problem(where=name, message=f"is not listed in {run.digests.name}")
