"""Verified records on their way into settlements, with times that later events give them.

A record sealed before the clock was ever set has no time. The first signed time-set event of the
same boot gives it one: ``new - (mono of the event - mono of the record)`` (docs/formats.md
section 1.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from wattest.settlement.reading import SettlementReading, reading_of_record
from wattest.wire.record import EventKind, Record

_NEW_TIME = 3
_Boot = tuple[bytes, bytes]


class ReadingBook:
    """Readings of a growing ledger, ready to settle at any moment.

    Adding is constant time; nothing is recomputed but the times that an event just made known.
    """

    def __init__(self) -> None:
        self._readings: list[SettlementReading] = []
        self._clocks: dict[_Boot, tuple[int, int]] = {}
        self._waiting: dict[_Boot, list[tuple[int, int, Record]]] = {}

    def __len__(self) -> int:
        return len(self._readings)

    def add(self, record: Record, *, index: int) -> None:
        """Add a verified record that the ledger holds at ``index``; any order."""
        boot = (record.kid, record.bootseed)
        event = record.event
        if event is not None and event.kind == EventKind.TIME_SET:
            self._set_clock(boot, record.mono_ms, event.fields[_NEW_TIME])
        derived = None
        if record.time_ms is None:
            derived = self._derive(boot, record.mono_ms)
            self._waiting.setdefault(boot, []).append((len(self._readings), index, record))
        self._readings.append(reading_of_record(record, index=index, derived_time_ms=derived))

    def readings(self) -> tuple[SettlementReading, ...]:
        """Return everything added so far, in the order it was added."""
        return tuple(self._readings)

    def _set_clock(self, boot: _Boot, mono_ms: int, new_ms: int) -> None:
        """Keep the earliest time-set event of a boot: only it speaks about the time before."""
        known = self._clocks.get(boot)
        if known is not None and known[0] <= mono_ms:
            return
        self._clocks[boot] = (mono_ms, new_ms)
        for position, index, record in self._waiting.get(boot, ()):
            self._readings[position] = reading_of_record(
                record, index=index, derived_time_ms=self._derive(boot, record.mono_ms)
            )

    def _derive(self, boot: _Boot, mono_ms: int) -> int | None:
        clock = self._clocks.get(boot)
        return None if clock is None else clock[1] - (clock[0] - mono_ms)


def collect_readings(
    entries: Iterable[tuple[int, Record]], *, size: int | None = None
) -> tuple[SettlementReading, ...]:
    """Return the readings of ledger entries.

    Args:
        entries: ``(index, record)`` of verified records, readings and events, any order.
        size: only entries below this index; ``None``: all.
    """
    book = ReadingBook()
    for index, record in entries:
        if size is None or index < size:
            book.add(record, index=index)
    return book.readings()
