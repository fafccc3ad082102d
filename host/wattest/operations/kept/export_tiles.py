"""Writes a ledger as static files that any file server turns into a public log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wattest.errors import ConfigError, DecodeError, StoreError
from wattest.ledger import LedgerView
from wattest.ledger.cosignature import parse_cosignature
from wattest.ledger.kept_checkpoint import check_kept
from wattest.ledger.tiles import CHECKPOINT_NAME, check_exportable, tile_files
from wattest.operations.kept.ledger_view import find_signed, name_of
from wattest.operations.rundir import write_whole
from wattest.store import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedTiles:
    """What was written.

    Attributes:
        origin: of the log.
        size: entries the checkpoint covers.
        files: tiles and bundles the layout has for that size.
        written: those that were not there yet.
        cosignatures: of witnesses under the checkpoint.
    """

    origin: str
    size: int
    files: int
    written: int
    cosignatures: int


def export_tiles(place: Path | str, out: Path, *, key: str | None = None) -> ExportedTiles:
    """Write a ledger into a folder, or go on with what was written there before.

    Every entry is hashed before anything is written. The checkpoint comes last, so that whoever
    fetches meanwhile finds all it promises.

    Args:
        place: folder of a run, ledger file or URL.
        out: new, empty, or an earlier export of this ledger.
        key: the checkpoint key of a file or a database.

    Raises:
        ConfigError: no ledger is there, its key is missing, or ``out`` holds something else.
        StoreError: the ledger cannot be read or the folder cannot be written.
        VerificationError: the ledger is not what its newest checkpoint says, or does not go on
            from the one that was exported before.
    """
    found, verifier = find_signed(place, key)
    with open_store(found, read_only=True) as store:
        view = LedgerView(store, verifier)
        newest = view.checkpoint()
        if newest is None:
            raise ConfigError("nothing is signed yet: the ledger is empty", path=name_of(place))
        size = newest.checkpoint.size
        check_exportable(view.proven_entries())
        _check_folder(out, view)
        lines = store.cosignatures(size)
        files = written = 0
        for file in tile_files(view.entries(0, size)):
            files += 1
            written += _write_once(out / file.path, file.content)
        note = newest.note + b"".join(_line(line) for line in lines)
        write_whole(out / CHECKPOINT_NAME, note)
    return ExportedTiles(
        origin=verifier.origin, size=size, files=files, written=written, cosignatures=len(lines)
    )


def _line(line: bytes) -> bytes:
    return parse_cosignature(line).to_line().encode()


def _check_folder(out: Path, view: LedgerView) -> None:
    """Refuse to mix two logs, or a log and something else, in one folder."""
    checkpoint = out / CHECKPOINT_NAME
    where = f"-o {out}"
    if out.exists() and not out.is_dir():
        raise ConfigError("is a file, expected a folder", path=where)
    try:
        if checkpoint.is_file():
            check_kept(view, checkpoint.read_bytes(), where=str(checkpoint))
        elif out.is_dir() and any(each.name != "tile" for each in out.iterdir()):
            raise ConfigError(
                "holds something else", path=where, hint="choose a new or empty folder"
            )
    except DecodeError as error:
        hint = "choose a new or empty folder"
        raise ConfigError(f"its checkpoint: {error}", path=where, hint=hint) from error
    except OSError as error:
        raise StoreError(f"{out}: cannot be read: {error.strerror}") from error


def _write_once(path: Path, content: bytes) -> bool:
    """Write a file that never changes; return whether it was not there yet."""
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    write_whole(path, content)
    return True
