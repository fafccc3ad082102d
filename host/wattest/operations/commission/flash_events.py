"""What flashing a board is asked for, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattest.boards import Board
from wattest.flashing.esptool import BAUD
from wattest.flashing.image import INTERVAL_MS
from wattest.operations.commission.home import Home

BOOT_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashOptions:
    """One flash.

    Args:
        port: address of the port.
        board: the kind of board that must be there.
        home: of the bench: passports, MicroPython images, copies of journals.
        serial: name of this one node, or None: it names itself after its chip.
        interval_ms: record interval.
        micropython: a combined image; None: the one in the home, or, for an emulated board, a
            small one made here.
        download: fetch the image the board file knows if it is not in the home.
        force: write even if the board holds just this already, or is known as another board.
        new_key: erase the whole chip first: key, journal and command key are gone for good.
        baud: speed to transfer at.
        boot_wait_s: how long the node has to show its boot record, s.
    """

    port: str
    board: Board
    home: Home
    serial: str | None = None
    interval_ms: int = INTERVAL_MS
    micropython: Path | None = None
    download: bool = False
    force: bool = False
    new_key: bool = False
    baud: int = BAUD
    boot_wait_s: float = BOOT_WAIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something begins; for people."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """So many bytes of this step are done; ``total_bytes`` is 0 if nobody knows."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFound:
    """What is behind the port: ``esp32`` and so on, base MAC in hex, size of its flash."""

    chip: str
    chip_id: str
    flash_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalKept:
    """The board's journal is carried over.

    Args:
        kid: key it belongs to, hex.
        entries: how many records it holds.
        rescued: it comes from the copy that was kept before an earlier attempt.
    """

    kid: str
    entries: int
    rescued: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flashed:
    """The board runs what it should, as its signed boot record says.

    Args:
        board: name of the board file.
        chip_id: base MAC in hex.
        cached: nothing was written, it held just this.
        cfg: digest of its files in hex, from the record.
        image_sha256: of the file system without the journal.
        micropython: version or file name.
        micropython_sha256: of its combined image.
        kid: key the record is signed with, hex.
        serial: of the node.
        bootcount: from the record.
        new_key: the node has another key than its journal was of, or, without a journal, than its
            passport says is enrolled.
    """

    board: str
    chip_id: str
    cached: bool
    cfg: str
    image_sha256: str
    micropython: str
    micropython_sha256: str
    kid: str
    serial: str
    bootcount: int
    new_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """Somebody stopped it; in what state the board is, and what to do. The last event."""

    text: str


FlashEvent = Step | Moved | ChipFound | JournalKept | Flashed | Interrupted
