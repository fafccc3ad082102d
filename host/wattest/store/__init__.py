"""What is kept: ledgers (SQLite file, PostgreSQL, memory) and the passports of boards."""

from wattest.store.memory import MemoryStore
from wattest.store.passport import Passport
from wattest.store.passport_facts import (
    BoardEntry,
    BoardFacts,
    BoardState,
    Calibration,
    Event,
    FirmwareUse,
    KeyUse,
    PassportEvent,
    Wear,
)
from wattest.store.place import is_url, open_store
from wattest.store.sqlite import SqliteStore

__all__ = [
    "BoardEntry",
    "BoardFacts",
    "BoardState",
    "Calibration",
    "Event",
    "FirmwareUse",
    "KeyUse",
    "MemoryStore",
    "Passport",
    "PassportEvent",
    "SqliteStore",
    "Wear",
    "is_url",
    "open_store",
]
