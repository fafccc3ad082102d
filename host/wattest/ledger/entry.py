"""What goes into the ledger and what comes back: entries, their facts, receipts."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias


class EntryKind(enum.IntEnum):
    """First byte of every entry; docs/formats.md section 4."""

    READING = 1
    EVENT = 2
    ENROLMENT = 3
    TERMS = 4
    STATEMENT = 5
    FINDING = 6
    AGREEMENT = 7
    DISPUTE = 8
    RESOLUTION = 9
    ESTIMATE = 10
    ANCHOR = 11
    ROTATION = 12
    PAYMENT = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """What the ledger indexes of a record; all of it can be derived again from the record's bytes.

    Attributes:
        kid: key id, 8 bytes.
        ctx: 0 fiscal reading, 1 transaction reading, 2 legal event.
        seq: >= 1; (kid, ctx, seq) is the record's identity.
        time_ms: UTC of the register latch, ms since 1970, or None before the clock was set.
        tsync: 0..3, how good the time is.
        mono_ms: ms since boot of the register latch.
        bootseed: 8 bytes, tells boots apart.
        import_milliwh: active energy import register, or None if the record does not state it.
        export_milliwh: active energy export register, likewise.
        use_s: time in use register, s, likewise.
        power_milliwatts: active power, import positive, likewise.
        status: OCMF status letter.
        err: OCMF error flags, or "".
        input: 0 sensor, 1 injected, 2 played by a stimulus board.
        content_digest: SHA-256 of the record without its signature, 32 bytes: one content has
            many valid signatures.
    """

    kid: bytes
    ctx: int
    seq: int
    time_ms: int | None
    tsync: int
    mono_ms: int
    bootseed: bytes
    import_milliwh: int | None
    export_milliwh: int | None
    use_s: int | None
    power_milliwatts: int | None
    status: str
    err: str
    input: int
    content_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry to append.

    Attributes:
        kind: what the body is.
        body: exact bytes.
        facts: of a record (reading or event), else None. Facts make the append idempotent.
    """

    kind: EntryKind
    body: bytes
    facts: RecordFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A logged entry.

    Attributes:
        index: place in the ledger, from 0.
        kind: an ``EntryKind`` in a sound ledger.
        body: exact bytes.
        leaf: RFC 6962 leaf hash, 32 bytes.
    """

    index: int
    kind: int
    body: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """Facts of a logged record and the index of its entry."""

    index: int
    facts: RecordFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRow:
    """Two contents under one identity: the first one logged, and the finding that holds the other.

    Attributes:
        kid: key id, 8 bytes.
        ctx: context of the identity.
        seq: sequence number of the identity.
        content_digest: of the later content, 32 bytes.
        first_index: entry of the first content.
        index: finding entry with the later record's bytes.
    """

    kid: bytes
    ctx: int
    seq: int
    content_digest: bytes
    first_index: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The entry is logged, durably, under a signed checkpoint.

    Attributes:
        index: its place.
        size: size of the checkpoint that covers it.
    """

    index: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """The record was logged before, maybe under another signature; nothing was appended.

    Attributes:
        index: the entry logged first.
    """

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Another content is logged under this identity: the record is kept inside a finding.

    Attributes:
        index: the finding entry.
        first_index: the entry logged first.
    """

    index: int
    first_index: int


Outcome: TypeAlias = Receipt | Duplicate | Conflict
