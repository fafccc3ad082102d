"""A live ledger put back from a backup is refused, whole folder or file alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ledger_samples import plain
from wattest.errors import ForkFound
from wattest.operations.commission.ledger_desk import LedgerDesk
from wattest.operations.live.folder import LiveDir


def collected(path: Path, copies: Path | None, *numbers: int) -> int:
    """Log some entries like a collector that ends; return the ledger's size."""
    with LiveDir(path, epoch_ms=1, interval_ms=1000, demo_keys=True, copies=copies) as folder:
        ledger = folder.open_ledger()
        for number in numbers:
            ledger.append([plain(number)])
        signed = ledger.checkpoint()
        assert signed is not None
        folder.end({"checkpoint": signed.note.decode(), "entries": ledger.size})
        return ledger.size


def test_a_folder_put_back_from_a_backup_is_refused_by_the_copy_outside(tmp_path: Path):
    out, copies, backup = tmp_path / "out", tmp_path / "home" / "ledgers", tmp_path / "backup"
    collected(out, copies, 0, 1)
    shutil.copytree(out, backup)
    assert collected(out, copies, 2) == 3
    shutil.rmtree(out)
    shutil.copytree(backup, out)
    before = {file: file.read_bytes() for file in out.glob("ledger.sqlite")}
    with pytest.raises(ForkFound, match=r"has 2 entries, but the checkpoint kept in .* covers 3"):
        collected(out, copies, 2)
    with pytest.raises(ForkFound, match="covers 3"):
        LedgerDesk(out, now_ms=1, copies=copies)
    assert {file: file.read_bytes() for file in out.glob("ledger.sqlite")} == before


def test_a_ledger_file_alone_is_refused_by_run_json_too(tmp_path: Path):
    out = tmp_path / "out"
    collected(out, None, 0)
    shutil.copyfile(out / "ledger.sqlite", tmp_path / "backup")
    collected(out, None, 1)
    shutil.copyfile(tmp_path / "backup", out / "ledger.sqlite")
    with pytest.raises(ForkFound, match=r"kept in .*run\.json covers 2"):
        collected(out, None, 1)


def test_copies_of_two_folders_do_not_meet(tmp_path: Path):
    copies = tmp_path / "ledgers"
    for _ in range(2):
        for name in ("a", "b"):
            collected(tmp_path / name, copies, 0)
    assert len(list(copies.iterdir())) == 2
