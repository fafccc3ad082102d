"""`wattest flash` with the vendor's own esptool: what is written, kept, refused, left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flash_harness import CHIP_ID, FlashBench, Hand, flash_bench

from wattest.boards import load_board
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.emulator.board import Power
from wattest.emulator.flash import NorFlash
from wattest.errors import ConfigError, FlashError, LinkError, StoreError
from wattest.flashing import build_image
from wattest.flashing.journal import journal_head
from wattest.link import open_port
from wattest.operations.commission import flash as flash_module
from wattest.operations.commission.flash import flash_board
from wattest.operations.commission.flash_events import ChipFound
from wattest.store import BoardState, Passport, PassportEvent
from wattest.system import utc_ms

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]


def nvs(bench: FlashBench) -> bytes:
    flash = bench.kind.flash
    return bench.port.call(lambda: bench.board.flash.read(flash.nvs_offset, flash.nvs_bytes))


def test_a_blank_board_is_flashed_once_and_keeps_key_and_journal_when_its_files_change(
    tmp_path: Path,
) -> None:
    with flash_bench(tmp_path) as bench:
        image = build_image(bench.kind)
        first = bench.flash().flashed
        assert (first.cached, first.new_key, first.bootcount) == (False, False, 1)
        assert (first.cfg, first.image_sha256) == (image.cfg.hex(), image.sha256)
        assert (first.chip_id, first.serial) == (CHIP_ID, f"WT-{CHIP_ID.upper()}")

        before, kept = bench.operations(), nvs(bench)
        again = bench.flash()
        assert again.flashed.cached
        assert "writing" not in again.steps
        # A boot appends its own records, and nothing else was written.
        assert bench.operations() - before < 100

        head = bench.head()
        assert head is not None
        changed = bench.flash(interval_ms=10_000)
        assert changed.kept is not None
        assert changed.kept.entries >= head.entries
        assert not changed.flashed.new_key
        assert (changed.flashed.kid, changed.flashed.cached) == (first.kid, False)
        assert changed.flashed.cfg != first.cfg
        assert changed.flashed.bootcount == again.flashed.bootcount + 1
        assert nvs(bench) == kept
        assert not list(bench.home.rescue.glob("*"))

        assert bench.passport()[0].kind == PassportEvent.SEEN
        flashes = [event for event in bench.passport() if event.kind == PassportEvent.FLASHED]
        assert [event.detail["cfg"] for event in flashes] == [first.cfg, changed.flashed.cfg]
        assert flashes[-1].detail["image_sha256"] == changed.flashed.image_sha256
        assert flashes[-1].detail["board"] == "emulated-esp32"


@pytest.mark.long
def test_a_board_that_no_longer_runs_what_was_flashed_is_written_again(tmp_path: Path) -> None:
    with flash_bench(tmp_path, "emulated-esp32c3") as bench:
        first = bench.flash().flashed

        def change_a_file() -> None:
            bench.board.power_off()
            bench.board.install({"extra.py": b"x = 1\n"})
            bench.board.power_on()

        bench.port.call(change_a_file)
        again = bench.flash()
        assert "it does not run what it should" in again.steps
        assert (again.flashed.cached, again.flashed.kid) == (False, first.kid)
        assert again.flashed.cfg == first.cfg


def test_another_chip_and_another_flash_size_are_refused_and_the_node_runs_on(
    tmp_path: Path,
) -> None:
    with flash_bench(tmp_path) as bench:
        first = bench.flash().flashed
        kid = first.kid
        before = bench.operations()
        with pytest.raises(FlashError, match=r"expected an esp32s3 .* got an esp32; nothing was"):
            bench.flash(board=load_board("emulated-esp32s3"))
        bench.wait_for("a record every")
        with pytest.raises(FlashError, match="is known as emulated-esp32, not as esp32-devkitc"):
            bench.flash(
                board=load_board("esp32-devkitc"), micropython=micropython(tmp_path, "esp32")
            )
        bench.wait_for("a record every")
        (bench.home.make(bench.home.rescue) / f"{first.chip_id}.img").mkdir()
        with pytest.raises(StoreError) as caught:
            bench.flash(force=True)
        assert caught.value.diagnostics().endswith("nothing was written")
        bench.wait_for("a record every")
        assert bench.operations() - before < 200
        (bench.home.rescue / f"{first.chip_id}.img").rmdir()
        assert bench.flash().flashed.kid == kid
    with flash_bench(tmp_path, flash=NorFlash(8 << 20)) as bench:
        with pytest.raises(FlashError, match=r"expected 4 MiB of flash .* got 8 MiB; nothing was"):
            bench.flash()
        assert bench.operations() == 0


def micropython(folder: Path, chip: str) -> Path:
    path = folder / f"{chip}.bin"
    path.write_bytes(synthetic_micropython(chip))
    return path


@pytest.mark.long
def test_an_interrupted_write_says_what_to_do_and_the_next_one_goes_on(tmp_path: Path) -> None:
    with flash_bench(tmp_path) as bench:
        kid = bench.flash().flashed.kid
        told = bench.flash(Hand(stop_at="writing"), force=True)
        rescue = bench.home.rescue / f"{CHIP_ID}.img"
        assert told.interrupted.text == (
            "interrupted: the board is half written and may not start; its key is untouched, "
            f"its journal is kept in {rescue}; run the command again"
        )
        assert rescue.stat().st_mode & 0o077 == 0
        assert bench.passport()[-1].kind == PassportEvent.FLASH_FAILED
        again = bench.flash().flashed
        assert (again.kid, again.new_key, again.cached) == (kid, False, False)
        assert not rescue.exists()


@pytest.mark.long
def test_an_interruption_before_the_write_leaves_the_node_running(tmp_path: Path) -> None:
    with flash_bench(tmp_path) as bench:
        bench.flash()
        told = bench.flash(Hand(stop_at="reading the journal"), force=True)
        assert told.interrupted.text == "interrupted: nothing was written"
        bench.wait_for("a record every")


def test_an_enrolled_board_that_lost_its_journal_is_said_to_have_a_new_key(
    tmp_path: Path,
) -> None:
    """Goal: nobody believes a node to be enrolled whose file system something else destroyed."""
    with flash_bench(tmp_path) as bench:
        kid = bench.flash().flashed.kid
        with Passport(bench.home.passport) as passport:
            passport.note(CHIP_ID, PassportEvent.PROVISIONED, {"kid": kid}, at_ms=utc_ms())
        offset = bench.kind.flash.vfs_offset

        def destroy() -> None:
            bench.board.power_off()
            for sector in range(2):
                bench.board.flash.erase(offset + sector * 4096)
            bench.board.power_on()

        bench.port.call(destroy)
        again = bench.flash(force=True).flashed
        assert again.new_key is (again.kid != kid)
        assert again.new_key
        with Passport(bench.home.passport) as passport:
            assert passport.facts(CHIP_ID).state is BoardState.FLASHED


@pytest.mark.long
def test_a_new_key_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    with flash_bench(tmp_path) as bench:
        kid = bench.flash().flashed.kid
        anew = bench.flash(new_key=True)
        assert anew.kept is None
        assert anew.flashed.kid != kid
        assert anew.flashed.bootcount == 1
        head = journal_head(bench.journal())
        assert head is not None
        assert head.kid.hex() == anew.flashed.kid


def test_a_board_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with flash_bench(tmp_path, sniff_sync=False) as bench:
        with pytest.raises(FlashError, match="no ESP32 answers; nothing was written") as caught:
            bench.flash()
        assert "hold the BOOT button" in caught.value.hint
        assert bench.operations() == 0


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with (
        flash_bench(tmp_path) as bench,
        open_port(bench.port.address),
        pytest.raises(LinkError, match="is in use by another program"),
    ):
        bench.flash()


def test_two_flashes_of_one_port_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    with flash_bench(tmp_path) as bench:
        first = flash_board(bench.options(), Hand())
        for event in first:
            if isinstance(event, ChipFound):
                break
        with pytest.raises(LinkError, match="another job is at this port"):
            bench.flash()
        assert bench.operations() == 0
        first.close()


@pytest.mark.long
def test_a_flash_chip_with_a_worn_sector_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with flash_bench(tmp_path) as bench:
        flash = bench.board.flash
        program = flash.program

        def stuck(offset: int, data: bytes) -> bool:
            return program(offset, b"\0" + data[1:] if offset == 0x300000 else data)

        bench.port.call(lambda: monkeypatch.setattr(flash, "program", stuck))
        with pytest.raises(
            FlashError, match="reads back differently; the board is half"
        ) as caught:
            bench.flash()
        assert "worn out; run the command again" in caught.value.hint
        bench.port.call(lambda: monkeypatch.setattr(flash, "program", program))
        assert bench.flash().flashed.bootcount == 1


def test_firmware_without_identity_is_told_by_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = flash_module.build_image

    def strange(board, **options):
        image = real(board, **options)
        files = {"main.py": b"print('wattest: no node here')\n"}
        return type(image)(
            board=board,
            files=files,
            cfg=image.cfg,
            data=flash_data(files, board),
            manifest=image.manifest,
        )

    monkeypatch.setattr(flash_module, "build_image", strange)
    with flash_bench(tmp_path) as bench:
        with pytest.raises(
            FlashError,
            match="no signed boot record within 4 s, it printed: wattest: no node here; all is",
        ):
            bench.flash(boot_wait_s=4.0)
        assert bench.port.call(lambda: bench.board.power) is Power.RUNNING


def flash_data(files, board):
    from wattest.flashing.filesystem import build_filesystem

    return build_filesystem(files, size_bytes=board.flash.vfs_bytes)


def test_a_corrupt_micropython_file_is_refused_before_the_port_is_touched(tmp_path: Path) -> None:
    data = bytearray(synthetic_micropython("esp32"))
    data[-1000] ^= 1
    path = tmp_path / "broken.bin"
    path.write_bytes(data)
    with flash_bench(tmp_path) as bench:
        with pytest.raises(
            ConfigError, match=r"broken.bin: no sound MicroPython image: .*checksum"
        ):
            bench.flash(micropython=path)
        with pytest.raises(ConfigError, match="the image is for esp32c3, not for esp32"):
            bench.flash(micropython=micropython(tmp_path, "esp32c3"))
        assert bench.operations() == 0
