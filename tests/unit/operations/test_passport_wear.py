"""Erase counts of emulated flash outlive the program, and reach the board's passport."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.emulator.flash import NorFlash
from wattest.errors import EmulatorError
from wattest.operations.commission.home import Home
from wattest.operations.standing.kept_wear import KeptWear
from wattest.store import Passport

CHIP_ID = "02aabbccddee"


def test_counts_go_on_where_the_last_program_ended(tmp_path: Path) -> None:
    path = tmp_path / "board.wear"
    for life in (1, 2, 3):
        flash = NorFlash(64 * 4096)
        flash.erase(0)  # what filling the chip from its image took is no wear
        wear = KeptWear(path, flash)
        flash.erase(0)
        flash.erase(4096)
        flash.erase(4096)
        assert flash.wear == {0: life, 1: 2 * life}
        assert wear.worst == 2 * life
        wear.save()


def test_board_with_a_passport_hears_of_it_and_no_other_gets_one(tmp_path: Path) -> None:
    home, flash = Home(tmp_path / "home"), NorFlash(64 * 4096)
    wear = KeptWear(tmp_path / "board.wear", flash)
    flash.erase(0)
    flash.erase(8192)
    flash.erase(8192)
    wear.note(home, CHIP_ID)
    assert not home.path.exists()
    with Passport(home.passport) as passport:
        passport.note(CHIP_ID, "seen", at_ms=1)
    wear.note(home, CHIP_ID)
    wear.note(home, "02aabbccddff")
    with Passport(home.passport, read_only=True) as passport:
        found = passport.facts(CHIP_ID).wear
        assert passport.chip_ids() == [CHIP_ID]
    assert found is not None
    assert (found.erases, found.worst) == (3, 2)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"0": null}', '{"a": 1}'])
def test_counts_that_cannot_be_read_are_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "board.wear"
    path.write_text(text)
    with pytest.raises(EmulatorError, match=r"board\.wear: cannot be read"):
        KeptWear(path, NorFlash(64 * 4096))
