"""The firmware build: what a node's file system holds, and its digest."""

import hashlib
from itertools import pairwise

import pytest
from ecdsa import NIST256p

from wattest.boards import load_board, node_config
from wattest.errors import ConfigError
from wattest.flashing import build_firmware, config_digest, p256_table

CURVE = NIST256p.curve
CONFIG = node_config(load_board("emulated-esp32"), serial="TEST-1", interval_ms=60_000)


@pytest.mark.parametrize(("size_bytes", "blocks"), [(16_384, 2), (32_768, 4)])
def test_table_holds_the_points_its_layout_promises(size_bytes, blocks):
    table = p256_table(size_bytes)
    assert len(table) == size_bytes == blocks * 128 * 64
    step = 32 // blocks
    for block, index in [(0, 0), (0, 127), (1, 85), (blocks - 1, 1)]:
        scalar = 1 << 224 + step * block
        for tooth in range(7):
            scalar += (1 if index >> tooth & 1 else -1) << 32 * tooth + step * block
        point = (NIST256p.generator * (scalar % NIST256p.order)).to_affine()
        offset = (block * 128 + index) * 64
        stored = table[offset : offset + 64]
        assert stored == int(point.x()).to_bytes(32) + int(point.y()).to_bytes(32)


def test_every_table_entry_lies_on_the_curve():
    table = p256_table(32_768)
    for offset in range(0, len(table), 64):
        x = int.from_bytes(table[offset : offset + 32])
        y = int.from_bytes(table[offset + 32 : offset + 64])
        assert CURVE.contains_point(x, y)


def test_another_table_size_is_refused():
    with pytest.raises(ConfigError, match="p256_table_bytes: expected 16384 or 32768, got 8192"):
        p256_table(8192)


def test_build_is_the_same_bytes_twice():
    first = build_firmware(CONFIG, p256_table_bytes=32_768)
    second = build_firmware(CONFIG, p256_table_bytes=32_768)
    assert first == second
    assert {"boot.py", "main.py", "node.json", "p256.tbl", "node/app.mpy"} <= set(first.files)
    assert not any(name.endswith(".py") for name in first.files if "/" in name)


def test_digest_depends_on_every_path_and_every_byte():
    files = {"a": b"1", "b": b"2", "node/c.mpy": b"3"}
    variants = [
        files,
        files | {"a": b"2"},
        {"a": b"1", "b": b"2", "node/d.mpy": b"3"},
        files | {"z": b""},
        {name: content for name, content in files.items() if name != "b"},
    ]
    digests = sorted(config_digest(variant) for variant in variants)
    assert all(a != b for a, b in pairwise(digests))
    assert all(len(digest) == 16 for digest in digests)


def test_digest_is_the_one_the_formats_document_defines():
    files = {"main.py": b"x", "boot.py": b"y"}
    stream = b""
    for path in ("boot.py", "main.py"):
        stream += b"/" + path.encode() + b"\0" + hashlib.sha256(files[path]).digest()
    assert config_digest(files) == hashlib.sha256(stream).digest()[:16]
