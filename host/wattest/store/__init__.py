"""Where a ledger is kept: one SQLite file, or memory."""

from wattest.store.memory import MemoryStore
from wattest.store.sqlite import SqliteStore

__all__ = ["MemoryStore", "SqliteStore"]
