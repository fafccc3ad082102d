"""The audit of what witnesses signed: every kept cosignature must hold for its checkpoint.

Their keys are in ``witnesses.txt``. The keys of witnesses that both parties rely on are in the
terms, and whoever demands a threshold looks there; here, every line must be what it claims.
"""

from __future__ import annotations

from collections.abc import Iterator

from wattest.errors import WattestError
from wattest.ledger.cosignature import parse_cosignature
from wattest.ledger.store import LedgerReader
from wattest.operations.kept.audit_files import Problem
from wattest.operations.kept.cosign import read_witnesses
from wattest.operations.rundir import RunDir
from wattest.wire.note import parse_note


def check_cosignatures(run: RunDir, store: LedgerReader) -> Iterator[Problem]:
    """Check every cosignature of a ledger.

    Args:
        run: the folder.
        store: its ledger.
    """
    try:
        keys = read_witnesses(run)
    except WattestError as error:
        yield Problem(where=run.witnesses.name, message=str(error))
        return
    try:
        rows = list(store.cosigned())
        sizes = {row.size for row in rows}
        notes = {each.size: each.note for each in store.checkpoints() if each.size in sizes}
    except WattestError as error:
        yield Problem(where="table cosignature", message=str(error))
        return
    for row in rows:
        where = f"table cosignature size {row.size}"
        if row.size not in notes:
            yield Problem(where=where, message="there is no checkpoint of that size")
            continue
        try:
            line = parse_cosignature(row.line)
            owner = next((key for key in keys if key.owns(line)), None)
            if owner is None:
                message = f"the key of {line.name} {line.key_id.hex()} is not in witnesses.txt"
                yield Problem(where=where, message=message)
                continue
            owner.verify(parse_note(notes[row.size]).text, line)
        except WattestError as error:
            yield Problem(where=where, message=str(error))
