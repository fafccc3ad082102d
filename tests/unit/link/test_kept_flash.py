"""Flash in a file: what the board has said rests on what the file holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wattest.emulator.flash import NorFlash
from wattest.errors import EmulatorError
from wattest.operations.standing.kept_flash import KeptFlash

SECTOR = 4096


def content(flash: NorFlash) -> bytes:
    return flash.read(0, flash.size_bytes)


def again(path: Path) -> NorFlash:
    flash = NorFlash(16 * SECTOR)
    flash.program(3 * SECTOR, b"what a new board would hold")
    assert KeptFlash(path, flash).existed
    return flash


@pytest.fixture
def flash() -> NorFlash:
    flash = NorFlash(16 * SECTOR)
    flash.program(0, b"firmware")
    return flash


def test_what_was_synced_comes_back(tmp_path: Path, flash: NorFlash) -> None:
    path = tmp_path / "board.flash"
    kept = KeptFlash(path, flash)
    assert not kept.existed
    assert content(again(path)) == content(flash)
    flash.program(5 * SECTOR + 100, b"record")
    flash.program(9 * SECTOR, b"other")
    kept.sync()
    flash.erase(9 * SECTOR)
    kept.sync()
    kept.sync()
    assert content(again(path)) == content(flash)
    assert path.read_bytes() == content(flash), "an image as a tool reads it from a chip"
    assert path.stat().st_mode & 0o077 == 0, "a private key is in it"


def test_what_was_not_synced_is_as_if_power_had_failed_before(
    tmp_path: Path, flash: NorFlash
) -> None:
    path = tmp_path / "board.flash"
    KeptFlash(path, flash)
    before = content(flash)
    flash.program(5 * SECTOR, b"record")
    assert content(again(path)) == before


@pytest.mark.parametrize("fails_at", ["stage", "apply"])
def test_program_that_dies_inside_a_sync_has_done_all_of_it_or_nothing(
    tmp_path: Path, flash: NorFlash, fails_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "board.flash"
    kept = KeptFlash(path, flash)
    before = content(flash)
    flash.program(5 * SECTOR, b"head")
    flash.program(6 * SECTOR, b"body")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if fails_at == "stage":
            patch.setattr(Path, "replace", die)
        else:
            patch.setattr(KeptFlash, "_apply", die)
        with pytest.raises(KeyboardInterrupt):
            kept.sync()
    assert content(again(path)) == (before if fails_at == "stage" else content(flash))


def test_sync_that_was_torn_while_it_was_carried_out_is_finished(
    tmp_path: Path, flash: NorFlash, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "board.flash"
    kept = KeptFlash(path, flash)
    flash.program(5 * SECTOR, b"head")
    flash.program(6 * SECTOR, b"body")
    with monkeypatch.context() as patch:
        patch.setattr(KeptFlash, "_apply", lambda *_: None)
        kept.sync()
    with path.open("r+b") as image:
        image.seek(5 * SECTOR)
        image.write(flash.read(5 * SECTOR, SECTOR))
    assert content(again(path)) == content(flash)
    assert not path.with_name("board.flash.next").exists()


def test_image_of_another_chip_is_refused(tmp_path: Path, flash: NorFlash) -> None:
    path = tmp_path / "board.flash"
    KeptFlash(path, NorFlash(8 * SECTOR))
    with pytest.raises(EmulatorError, match="expected 65536 bytes, got 32768"):
        KeptFlash(path, flash)


def test_damaged_side_file_is_refused(tmp_path: Path, flash: NorFlash) -> None:
    path = tmp_path / "board.flash"
    KeptFlash(path, flash)
    path.with_name("board.flash.next").write_bytes(b"\x01\x00\x00\x00")
    with pytest.raises(EmulatorError, match="damaged"):
        KeptFlash(path, flash)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder it may not use")
def test_folder_that_cannot_be_written_is_said(tmp_path: Path, flash: NorFlash) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(EmulatorError, match="cannot write"):
        KeptFlash(folder / "board.flash", flash)
