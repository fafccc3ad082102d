"""What is kept on disk: ledgers (one SQLite file each, or memory) and the boards' passports."""

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
]
