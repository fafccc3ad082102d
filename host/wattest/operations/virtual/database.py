"""The database that a run in virtual time keeps its ledger in, where its folder names one."""

from __future__ import annotations

from wattest.errors import ConfigError
from wattest.operations.rundir import RunDir
from wattest.store import open_store
from wattest.store.sql_store import SqlStore


def empty_store(run_dir: RunDir) -> SqlStore:
    """Open the place of a ledger that begins with this run.

    Raises:
        ConfigError: there is a ledger already.
        StoreError: it cannot be opened.
    """
    store = open_store(run_dir.ledger_place)
    size = store.head().size
    if size:
        store.close()
        raise ConfigError(
            f"names a ledger of {size} entries, expected none or an empty one",
            path=str(run_dir.ledger_url),
            hint="a run in virtual time begins a ledger of its own: name another schema",
        )
    return store
