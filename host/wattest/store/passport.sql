-- What happened to boards, one row an event, all boards in one file. Rows are only ever added: what
-- is true of a board now is folded from its rows.

CREATE TABLE IF NOT EXISTS event (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    chip_id TEXT NOT NULL CHECK (length(chip_id) = 12),  -- base MAC, lower-case hex
    at_ms   INTEGER NOT NULL,                            -- UTC ms since 1970
    kind    TEXT NOT NULL,
    slot    TEXT,                                        -- physical place, such as a USB location
    detail  TEXT NOT NULL,                               -- one flat JSON object
    once    TEXT,                                        -- names what must be noted only once
    UNIQUE (chip_id, once)
) STRICT;

CREATE INDEX IF NOT EXISTS event_of_board ON event (chip_id, at_ms, id);
