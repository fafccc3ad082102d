"""The files that repeat a logged statement for people and scripts: same name, same bytes, always.

They derive from the body of the statement's entry alone, so an audit writes them again and
compares.
"""

from __future__ import annotations

import datetime as dt
import json

from wattest.settlement import read_statement, statement_json, statement_text


def statement_files(body: bytes, *, index: int) -> dict[str, bytes]:
    """Return the files of one statement: name below ``statements/``, and content.

    Args:
        body: the body of its ledger entry.
        index: the entry.

    Raises:
        SettlementError: the body is no statement.
    """
    document = read_statement(body)
    name = f"{document['contract']}-{_stamp(document['period'][0])}"
    plain = {"index": index, **statement_json(document)}
    text = json.dumps(plain, indent=2, sort_keys=True)
    return {
        f"{name}.json": f"{text}\n".encode(),
        f"{name}.txt": statement_text(document).encode(),
        f"{name}.cbor": body,
    }


def _stamp(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
