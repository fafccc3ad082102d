"""`wattest flash` over every kind of port, and on every chip that is emulated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flash_harness import CHIP_ID, flash_bench

from wattest.flashing import build_image

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]


def flash_twice(folder: Path, name: str, link: str) -> None:
    """Flash a blank board, then other files; it keeps its key."""
    with flash_bench(folder, name, link=link) as bench:
        first = bench.flash(boot_wait_s=120.0).flashed
        assert (first.chip_id, first.bootcount) == (CHIP_ID, 1)
        assert first.cfg == build_image(bench.kind).cfg.hex()
        second = bench.flash(interval_ms=10_000, boot_wait_s=120.0)
        assert second.kept is not None
        assert (second.flashed.kid, second.flashed.new_key) == (first.kid, False)
        assert second.flashed.cfg != first.cfg


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:set[DN]a.* is deprecated")  # pyserial's client, as it is
@pytest.mark.parametrize("link", ["socket", "rfc2217"])
def test_a_board_behind_the_network_is_flashed(tmp_path: Path, link: str) -> None:
    flash_twice(tmp_path, "emulated-esp32", link)


@pytest.mark.long
@pytest.mark.parametrize("name", ["emulated-esp32s3", "emulated-esp32c3"])
def test_another_chip_is_flashed(tmp_path: Path, name: str) -> None:
    flash_twice(tmp_path, name, "pty")
