"""A log as people read it: lines of text, frames, and what happened to the port, in order."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from wattest.operations.console.chunk import Chunk, ChunkKind
from wattest.operations.console.text_line import TextLine
from wattest.operations.console.words import frame_line, line_to_node, note_line
from wattest.units import NS_PER_S
from wattest.wire import Frame, FrameFault, FrameScanner, Text

SILENCE_NS: Final = NS_PER_S
"""A run that no zero has ended by then was no frame."""
_PRINTABLE = frozenset(string.printable.encode())


class ItemKind(StrEnum):
    """What an item is."""

    TEXT = "text"
    FRAME = "frame"
    DAMAGED = "damaged"
    NOTE = "note"
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line to show.

    Args:
        kind: what it is.
        utc_ms: when it came, UTC ms since 1970; of a line of text, when its first byte came.
        mono_ns: the same by the recorder's clock that is never set.
        text: one line for people.
        frame: of kind FRAME.
        note: of kind NOTE: what the recorder says of itself.
        data: of kinds SENT and DAMAGED: the bytes.
    """

    kind: ItemKind
    utc_ms: int
    mono_ns: int
    text: str
    frame: Frame | None = None
    note: dict[str, Any] = field(default_factory=dict)
    data: bytes = b""


class View:
    """Turns chunks of a log into items."""

    def __init__(self) -> None:
        self._scanner = FrameScanner()
        self._line = TextLine()
        self._begun: Chunk | None = None
        self._last: Chunk | None = None

    @property
    def unfinished(self) -> TextLine:
        """The line that has not ended yet: a prompt, what is being typed."""
        return self._line

    @property
    def unfinished_since_ms(self) -> int | None:
        """When its first byte came, UTC ms; None if it is empty."""
        return None if self._begun is None else self._begun.utc_ms

    def take(self, chunk: Chunk) -> Iterator[Item]:
        """Yield what a chunk completes."""
        yield from self.silence(chunk.mono_ns)
        self._last = chunk
        if chunk.kind is ChunkKind.RECEIVED:
            for found in self._scanner.feed(chunk.data):
                yield from self._found(found, chunk)
        elif chunk.kind is ChunkKind.NOTE:
            yield from self.finish()
            yield _item(ItemKind.NOTE, chunk, note_line(chunk.note), note=chunk.note)
        elif chunk.kind is ChunkKind.SENT:
            yield from _sent(chunk)
        else:
            text = f"{len(chunk.data)} bytes of the log are damaged"
            yield _item(ItemKind.DAMAGED, chunk, text, data=chunk.data)

    def silence(self, mono_ns: int) -> Iterator[Item]:
        """Give up a frame that has stood unfinished for too long: it was none.

        Args:
            mono_ns: now, by the recorder's clock.
        """
        last = self._last
        if last is None or not self._scanner.pending_bytes:
            return
        if mono_ns - last.mono_ns > SILENCE_NS:
            for found in self._scanner.flush():
                yield from self._found(found, last)

    def finish(self) -> Iterator[Item]:
        """Yield what is unfinished: nothing will complete it."""
        last = self._last
        if last is None:
            return
        for found in self._scanner.flush():
            yield from self._found(found, last)
        if self._line.text:
            yield self._ended(self._line.end(), last)

    def _found(self, found: Frame | Text | FrameFault, chunk: Chunk) -> Iterator[Item]:
        if isinstance(found, Frame):
            yield _item(ItemKind.FRAME, chunk, frame_line(found), frame=found)
            return
        if isinstance(found, FrameFault) and not _PRINTABLE.issuperset(found.data):
            text = f"damaged frame of {len(found.data)} bytes: {found.rule}"
            yield _item(ItemKind.DAMAGED, chunk, text, data=found.data)
            return
        if self._begun is None:
            self._begun = chunk
        for line in self._line.feed(found.data):
            yield self._ended(line, chunk)
            self._begun = chunk
        if not self._line.text:
            self._begun = None

    def _ended(self, line: str, chunk: Chunk) -> Item:
        begun, self._begun = self._begun or chunk, None
        return _item(ItemKind.TEXT, begun, line)


def items(chunks: Iterable[Chunk]) -> Iterator[Item]:
    """Yield everything a kept log shows."""
    view = View()
    for chunk in chunks:
        yield from view.take(chunk)
    yield from view.finish()


def _item(kind: ItemKind, chunk: Chunk, text: str, **more: Any) -> Item:
    return Item(kind=kind, utc_ms=chunk.utc_ms, mono_ns=chunk.mono_ns, text=text, **more)


def _sent(chunk: Chunk) -> Iterator[Item]:
    lines = chunk.data.splitlines(keepends=True)
    words = [line_to_node(line) for line in lines]
    if lines and all(words):
        for word, line in zip(words, lines, strict=True):
            yield _item(ItemKind.SENT, chunk, word, data=line)
        return
    shown = chunk.data.decode("utf-8", "backslashreplace")
    yield _item(ItemKind.SENT, chunk, f"typed {shown!r}", data=chunk.data)
