"""The image of a node's file system: what is in it, that it is the same bytes, what is refused."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from wattest.boards import board_names, load_board
from wattest.data import data_root
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.errors import ConfigError
from wattest.flashing import build_firmware, build_image, config_digest, manifest_document
from wattest.flashing import filesystem as filesystem_module
from wattest.flashing.filesystem import build_filesystem, read_folder

BOARD = load_board("emulated-esp32")


def mounted(image: bytes, offset: int = 0x200000) -> LittleFs:
    flash = NorFlash(offset + len(image))
    flash.program(offset, image)
    return LittleFs.mount(FlashLayout(vfs_offset=offset).vfs(flash))


def tree(disk: LittleFs, folder: str = "/") -> dict[str, bytes]:
    found = {}
    for name, is_folder, _ in disk.entries(folder):
        path = f"{folder}{name}"
        if is_folder:
            found |= tree(disk, f"{path}/")
        else:
            found[path] = disk.read_file(path)
    return found


@pytest.mark.parametrize("name", board_names())
def test_the_emulated_board_mounts_the_image_and_finds_every_file(name):
    board = load_board(name)
    image = build_image(board)
    assert len(image.data) == board.flash.vfs_bytes
    found = tree(mounted(image.data, board.flash.vfs_offset))
    assert found == {f"/{path}": data for path, data in image.files.items()}


def test_the_superblock_says_disk_version_2_0():
    data = build_image(BOARD).data
    at = data.index(b"littlefs") + len(b"littlefs") + 4  # the tag of the inline struct follows
    assert data[at : at + 4] == bytes.fromhex("00000200")


def test_the_manifest_states_what_the_image_is():
    image = build_image(BOARD, serial="EMU-7", interval_ms=10_000)
    manifest = json.loads(manifest_document(image))
    assert manifest["cfg"] == image.cfg.hex() == config_digest(image.files).hex()
    assert manifest["image"]["sha256"] == hashlib.sha256(image.data).hexdigest() == image.sha256
    assert manifest["image"]["offset"] == 0x200000
    assert (manifest["serial"], manifest["interval_ms"]) == ("EMU-7", 10_000)
    assert [(f["path"], f["size_bytes"], f["sha256"]) for f in manifest["files"]] == [
        (f"/{path}", len(data), hashlib.sha256(data).hexdigest())
        for path, data in sorted(image.files.items())
    ]
    assert json.loads(image.files["node.json"])["serial"] == "EMU-7"
    assert set(manifest["versions"]) == {"wattest", "firmware", "mpy_cross", "micropython"}


def test_an_image_without_a_serial_has_none_in_its_configuration():
    image = build_image(BOARD)
    assert "serial" not in json.loads(image.files["node.json"])
    assert image.manifest["serial"] is None


def test_another_folder_clock_and_hash_seed_give_the_same_bytes(tmp_path):
    program = (
        "import sys, time; time.time = lambda: float(sys.argv[2]); "
        "from wattest.cli.main import main; "
        "sys.exit(main(['build', '--board', 'emulated-esp32', '-o', sys.argv[1]]))"
    )
    copy = tmp_path / "a checkout elsewhere"
    for name in ("host", "firmware", "boards", "bench"):
        shutil.copytree(
            data_root() / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    built = set()
    for number, (root, clock) in enumerate([(data_root(), "0"), (copy, "4102444800")]):
        out = tmp_path / f"out{number}"
        changes = {"PYTHONHASHSEED": str(number), "TZ": f"UTC{number}", "LC_ALL": "C"}
        subprocess.run(
            [sys.executable, "-c", program, str(out), clock],
            cwd=tmp_path,
            env={**os.environ, **changes, "PYTHONPATH": str(root / "host")},
            check=True,
        )
        built.add(tuple((out / name).read_bytes() for name in ("firmware.img", "manifest.json")))
    assert len(built) == 1


def test_bytecode_is_the_same_for_every_chip():
    config = {"serial": "X"}
    builds = {
        build_firmware(config, p256_table_bytes=16_384, chip=chip).cfg
        for chip in ("esp32", "esp32s3", "esp32c3", "esp32c6")
    }
    assert len(builds) == 1


def test_a_journal_is_joined_without_changing_a_file_of_the_image():
    image = build_image(BOARD)
    journal = {"00000000": bytes(range(256)) * 16, "00000012": b"x" * 100, "hold": b"h" * 105}
    data = image.with_journal(journal)
    assert len(data) == len(image.data)
    assert read_folder(data, "journal") == journal
    found = tree(mounted(data))
    assert {path: found[path] for path in found if not path.startswith("/journal/")} == {
        f"/{path}": content for path, content in image.files.items()
    }
    assert image.with_journal({}) == image.data


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"serial": ""}, r"--serial: 1 to 32 printable ASCII characters expected, got ''"),
        ({"serial": "Zähler"}, r"--serial: 1 to 32 printable"),
        ({"interval_ms": 1500}, r"--interval-ms: .* a multiple of 1000 ms expected, got 1500"),
        ({"interval_ms": 0}, r"--interval-ms: interval of 1000 to 3600000 ms"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        build_image(BOARD, **options)


def test_files_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="take 70000 bytes, expected at most 65536"):
        build_filesystem({"a": bytes(70_000)}, size_bytes=65_536)


def test_a_partition_without_a_file_system_has_no_journal():
    assert read_folder(b"\xff" * 65_536, "journal") is None
    assert read_folder(bytes(65_536), "journal") is None
    assert read_folder(build_filesystem({"a": b""}, size_bytes=65_536), "journal") == {}


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_system_is_read_as_far_as_it_goes(seed):
    chance = random.Random(seed)
    files = {f"journal/{n:08x}": bytes([n]) * chance.randrange(1, 5000) for n in range(12)}
    image = bytearray(build_filesystem(files, size_bytes=256 * 1024))
    for _ in range(chance.choice((1, 30, 3000))):
        image[chance.randrange(len(image))] = chance.randrange(256)
    found = read_folder(bytes(image), "journal")
    assert found is None or set(found) <= {path.rpartition("/")[2] for path in files}


def test_a_file_of_impossible_size_is_left_out(monkeypatch):
    image = build_filesystem({"journal/00000000": bytes(5000)}, size_bytes=65_536)
    monkeypatch.setattr(filesystem_module, "_ENTRY_BYTES_MAX", 4000)
    assert read_folder(image, "journal") == {}
