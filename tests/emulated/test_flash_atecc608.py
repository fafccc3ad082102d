"""`wattest flash` with real esptool on a board whose key is in a secure element."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flash_harness import FlashBench, flash_bench

from wattest.emulator.atecc608 import Atecc608
from wattest.emulator.atecc608_vault import Vault

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]


def solder(bench: FlashBench, vault: Vault) -> None:
    (wiring,) = bench.board.hardware.wirings
    bench.port.call(lambda: wiring.bus.fit(0x60, Atecc608(vault)))


def scalar_is_in_flash(bench: FlashBench, vault: Vault) -> bool:
    scalar = vault.private_key_for_tests(0)
    assert scalar is not None
    flash = bench.board.flash
    content = bench.port.call(lambda: flash.read(0, flash.size_bytes))
    forms = [scalar.to_bytes(32, "big"), scalar.to_bytes(32, "little"), b"%x" % scalar]
    return any(form in content for form in forms)


def test_an_element_keeps_its_key_when_files_change_and_makes_another_after_an_erase(
    tmp_path: Path,
) -> None:
    vault = Vault(b"one")
    with flash_bench(tmp_path, "emulated-esp32-atecc608") as bench:
        solder(bench, vault)
        first = bench.flash().flashed
        assert first.bootcount == 1
        key = vault.private_key_for_tests(0)
        assert not scalar_is_in_flash(bench, vault)

        changed = bench.flash(interval_ms=10_000)
        assert changed.kept is not None
        assert (changed.flashed.kid, changed.flashed.new_key) == (first.kid, False)
        assert vault.private_key_for_tests(0) == key

        erased = bench.flash(new_key=True).flashed
        assert erased.kid != first.kid
        assert vault.private_key_for_tests(0) != key
        assert not scalar_is_in_flash(bench, vault)
