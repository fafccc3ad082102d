"""The ROMFS image of the shims, against mpremote's own writer."""

from __future__ import annotations

import pytest
from mpremote.romfs import VfsRomWriter

from wattest.emulator import rom_image as module
from wattest.emulator.rom_image import pack_romfs, rom_image
from wattest.errors import EmulatorError


@pytest.mark.parametrize("sizes", [[], [0], [1], [5, 200, 70_000], [127, 128, 16_383, 16_384]])
def test_image_is_what_mpremote_writes(sizes: list[int]) -> None:
    files = [(f"module{index}.mpy", bytes(size)) for index, size in enumerate(sizes)]
    oracle = VfsRomWriter()
    for name, data in files:
        oracle.mkfile(name, data)
    assert pack_romfs(files) == oracle.finalise()


def test_image_holds_every_shim_and_is_made_once() -> None:
    image = rom_image()
    for name in (b"machine.mpy", b"time.mpy", b"os.mpy", b"select.mpy", b"esp32.mpy"):
        assert name in image
    assert rom_image() is image


def test_shim_that_does_not_compile_is_named(tmp_path) -> None:
    source = tmp_path / "broken.py"
    source.write_text("def f(:\n")
    with pytest.raises(EmulatorError, match=r"mpy-cross refuses the shim broken\.py: .*Syntax"):
        module._compile(source, tmp_path / "broken.mpy")
