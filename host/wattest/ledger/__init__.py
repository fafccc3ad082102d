"""The tamper-evident ledger: an RFC 6962 tree over entries, proofs, signed checkpoints, audit."""

from wattest.ledger.checkpoint import CheckpointSigner, CheckpointVerifier, SignedCheckpoint
from wattest.ledger.entry import (
    Conflict,
    ConflictRow,
    Duplicate,
    Entry,
    EntryKind,
    NewEntry,
    Outcome,
    Receipt,
    RecordFacts,
    RecordRow,
)
from wattest.ledger.ledger import Ledger
from wattest.ledger.logged_record import record_entry
from wattest.ledger.proof import verify_consistency, verify_inclusion
from wattest.ledger.store import LedgerReader, Store
from wattest.ledger.tree import EMPTY_ROOT, leaf_hash
from wattest.ledger.view import ConsistencyProof, InclusionProof, LedgerView

__all__ = [
    "EMPTY_ROOT",
    "CheckpointSigner",
    "CheckpointVerifier",
    "Conflict",
    "ConflictRow",
    "ConsistencyProof",
    "Duplicate",
    "Entry",
    "EntryKind",
    "InclusionProof",
    "Ledger",
    "LedgerReader",
    "LedgerView",
    "NewEntry",
    "Outcome",
    "Receipt",
    "RecordFacts",
    "RecordRow",
    "SignedCheckpoint",
    "Store",
    "leaf_hash",
    "record_entry",
    "verify_consistency",
    "verify_inclusion",
]
