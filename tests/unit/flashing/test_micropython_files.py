"""MicroPython's combined images: which one fits a board, and how one is fetched."""

import hashlib
import http.server
import threading
from dataclasses import replace

import pytest

from wattest.boards import load_board
from wattest.boards.esp_image import (
    PARTITION_TABLE_OFFSET,
    PartitionRow,
    build_partition_table,
    parse_partition_table,
)
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.errors import ConfigError, FlashError
from wattest.flashing.micropython import (
    check_micropython,
    download_micropython,
    read_micropython,
)

BOARD = load_board("esp32-devkitc")
DATA = synthetic_micropython("esp32")
TABLE_AT = PARTITION_TABLE_OFFSET - BOARD.flash.firmware_offset


def with_table(change) -> bytes:
    """Return the image with another partition table."""
    rows = change(parse_partition_table(DATA[TABLE_AT:]))
    table = build_partition_table(rows)
    return DATA[:TABLE_AT] + table + DATA[TABLE_AT + len(table) :]


@pytest.mark.parametrize("name", ["esp32-devkitc", "esp32-s3-devkitc-1", "esp32-c3-devkitm-1"])
def test_an_image_is_split_without_touching_nvs(name):
    board = load_board(name)
    found = check_micropython(synthetic_micropython(board.chip), board, where="x.bin")
    assert [part.offset for part in found.segments] == [
        board.flash.firmware_offset,
        0x8000,
        0x10000,
    ]
    nvs = range(board.flash.nvs_offset, board.flash.nvs_offset + board.flash.nvs_bytes)
    for part in found.segments:
        assert part.offset + len(part.data) <= nvs.start or part.offset >= nvs.stop
    assert found.version
    assert found.sha256 == hashlib.sha256(synthetic_micropython(board.chip)).hexdigest()


def moved_application(rows):
    return [
        replace(row, size_bytes=0x180000) if row.offset == 0x10000 else row for row in rows
    ] + [PartitionRow(label="ota_1", type=0, subtype=0x11, offset=0x190000, size_bytes=0x180000)]


def moved_nvs(rows):
    return [replace(row, size_bytes=0x4000) if row.label == "nvs" else row for row in rows]


def old_table(rows):
    return [
        *rows,
        PartitionRow(label="vfs", type=1, subtype=0x81, offset=0x200000, size_bytes=0x200000),
    ]


def test_a_table_that_lists_the_file_system_is_as_good():
    assert check_micropython(with_table(old_table), BOARD, where="x").segments


WRONG = {
    "larger than its partition": (
        synthetic_micropython("esp32", application_bytes=2_100_000),
        r"bytes do not fit the partition of 2031616",
    ),
    "empty": (b"", "no sound MicroPython image: image: header"),
    "a web page": (b"<html>" * 20, "image: magic at byte 0"),
    "cut off": (DATA[:-2000], "no sound MicroPython image: image: segment"),
    "one bit": (
        DATA[:-1000] + bytes([DATA[-1000] ^ 1]) + DATA[-999:],
        "no sound MicroPython image: image: checksum",
    ),
    "another chip": (synthetic_micropython("esp32c3"), "is for esp32c3, not for esp32"),
    "two applications": (
        with_table(moved_application),
        "a file system at 0x200000 expected, got 0x310000",
    ),
    "another nvs": (with_table(moved_nvs), r"NVS at 0x9000\+0x6000 expected, got 0x9000\+0x4000"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_image_that_does_not_fit_is_refused(name, tmp_path):
    data, message = WRONG[name]
    path = tmp_path / "file.bin"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=message) as caught:
        read_micropython(path, BOARD)
    assert "file.bin" in str(caught.value)
    assert "\n" not in caught.value.diagnostics()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.bin: cannot be read: no such file"):
        read_micropython(tmp_path / "absent.bin", BOARD)


def test_the_file_of_the_release_must_have_its_digest(tmp_path):
    path = tmp_path / BOARD.micropython.file_name
    path.write_bytes(DATA)
    with pytest.raises(ConfigError, match=f"SHA-256 {BOARD.micropython.sha256} expected, got"):
        read_micropython(path, BOARD)
    path = path.rename(tmp_path / "my_own_build.bin")
    assert read_micropython(path, BOARD).name == "my_own_build.bin"


class Server(http.server.BaseHTTPRequestHandler):
    content = DATA

    def do_GET(self):
        if "absent" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        cut = 100 if "short" in self.path else 0
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: len(self.content) - cut])

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def known(url: str, sha256: str = hashlib.sha256(DATA).hexdigest()):
    return replace(BOARD.micropython, url=url, sha256=sha256)


def test_what_is_fetched_is_kept_under_its_name(server, tmp_path):
    seen = list(download_micropython(known(f"{server}/good.bin"), tmp_path))
    assert seen[-1] == (len(DATA), len(DATA))
    assert (tmp_path / "good.bin").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["good.bin"]


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("good.bin", "0" * 64, "SHA-256 0000000000.* expected, got"),
        ("good.bin", "", "no SHA-256 is recorded, so nothing is downloaded"),
        ("absent.bin", "0" * 64, "absent.bin: cannot be downloaded: .*not found"),
        ("short.bin", "0" * 64, "cannot be downloaded|expected, got"),
    ],
)
def test_what_must_not_be_used_is_not_kept(server, tmp_path, name, sha256, message):
    with pytest.raises((ConfigError, FlashError), match=message) as caught:
        list(download_micropython(known(f"{server}/{name}", sha256), tmp_path))
    assert "\n" not in caught.value.diagnostics()
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FlashError, match=r"cannot be downloaded: .*refused") as caught:
        list(download_micropython(known("http://127.0.0.1:9/x.bin", "0" * 64), tmp_path))
    assert "--micropython FILE" in caught.value.hint
