-- The tables of a ledger file of format 1, as they were laid out until format 2.

CREATE TABLE entry (
    idx  INTEGER PRIMARY KEY,               -- from 0, without gaps
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 6),
    body BLOB NOT NULL,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

CREATE TABLE record (
    kid              BLOB NOT NULL CHECK (length(kid) = 8),
    ctx              INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    idx              INTEGER NOT NULL,
    time_ms          INTEGER,
    tsync            INTEGER NOT NULL,
    mono_ms          INTEGER NOT NULL,
    bootseed         BLOB NOT NULL,
    import_milliwh   INTEGER,
    export_milliwh   INTEGER,
    use_s            INTEGER,
    power_milliwatts INTEGER,
    status           TEXT NOT NULL,
    err              TEXT NOT NULL,
    input            INTEGER NOT NULL,
    content_digest   BLOB NOT NULL CHECK (length(content_digest) = 32),
    PRIMARY KEY (kid, ctx, seq)             -- permanent idempotency
) STRICT, WITHOUT ROWID;

CREATE TABLE conflict (
    kid            BLOB NOT NULL,
    ctx            INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    content_digest BLOB NOT NULL,
    first_idx      INTEGER NOT NULL,
    idx            INTEGER NOT NULL,
    PRIMARY KEY (kid, ctx, seq, content_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE tile (
    level  INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, n)
) STRICT;

CREATE TABLE edge (
    level  INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note BLOB NOT NULL
) STRICT;
