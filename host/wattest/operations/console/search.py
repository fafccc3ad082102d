"""Finds things in a kept log: by words, by time, by the number of a reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattest.errors import UsageError
from wattest.operations.console.chunk import Chunk
from wattest.operations.console.view import Item, items
from wattest.operations.console.words import record_of
from wattest.wire.record import Ctx


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; everything that is given must hold.

    Args:
        pattern: in the line as it is shown, or None.
        since_ms: not before this moment, UTC ms since 1970, or None.
        until_ms: before this moment, or None.
        reading: number of a reading, or None.
    """

    pattern: re.Pattern[str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    reading: int | None = None

    def finds(self, item: Item) -> bool:
        """Tell whether an item is one of those."""
        if self.since_ms is not None and item.utc_ms < self.since_ms:
            return False
        if self.until_ms is not None and item.utc_ms >= self.until_ms:
            return False
        if self.pattern is not None and not self.pattern.search(item.text):
            return False
        if self.reading is None:
            return True
        record = None if item.frame is None else record_of(item.frame)
        return record is not None and record.ctx is Ctx.FISCAL and record.seq == self.reading


def pattern_of(text: str) -> re.Pattern[str]:
    """Read what a person looks for: plain words, or ``/a regular expression/``.

    Plain words are found in upper and lower case.

    Raises:
        UsageError: the expression is none.
    """
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        try:
            return re.compile(text[1:-1])
        except re.error as exc:
            raise UsageError(f"console: --search {text}: {exc}") from None
    return re.compile(re.escape(text), re.IGNORECASE)


def find(chunks: Iterable[Chunk], query: Query) -> Iterator[Item]:
    """Yield what is found, in order."""
    return (item for item in items(chunks) if query.finds(item))
