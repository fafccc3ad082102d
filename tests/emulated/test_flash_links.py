"""`wattest flash` over every kind of port, and on every chip that is emulated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flash_harness import CHIP_ID, FlashBench, flash_bench

from wattest.flashing import build_image
from wattest.operations.commission.flash_events import Flashed

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]


def flash_blank(bench: FlashBench) -> Flashed:
    """Flash a blank board."""
    first = bench.flash(boot_wait_s=120.0).flashed
    assert (first.chip_id, first.bootcount) == (CHIP_ID, 1)
    assert first.cfg == build_image(bench.kind).cfg.hex()
    return first


def flash_twice(folder: Path, name: str, link: str) -> None:
    """Flash a blank board, then other files; it keeps its key."""
    with flash_bench(folder, name, link=link) as bench:
        first = flash_blank(bench)
        second = bench.flash(interval_ms=10_000, boot_wait_s=120.0)
        assert second.kept is not None
        assert (second.flashed.kid, second.flashed.new_key) == (first.kid, False)
        assert second.flashed.cfg != first.cfg


@pytest.mark.long
def test_a_board_behind_a_socket_is_flashed(tmp_path: Path) -> None:
    flash_twice(tmp_path, "emulated-esp32", "socket")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:set[DN]a.* is deprecated")  # pyserial's client, as it is
def test_a_board_behind_rfc2217_is_flashed(tmp_path: Path) -> None:
    """Once only: pyserial waits a tenth of a second whenever esptool changes a timeout."""
    with flash_bench(tmp_path, link="rfc2217") as bench:
        flash_blank(bench)


@pytest.mark.long
@pytest.mark.parametrize("name", ["emulated-esp32s3", "emulated-esp32c3"])
def test_another_chip_is_flashed(tmp_path: Path, name: str) -> None:
    flash_twice(tmp_path, name, "pty")
