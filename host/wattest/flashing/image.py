"""The image of a node's file system for one kind of board, and the manifest that says what it is.

An image is the same for all boards of a kind: a node without a serial of its own names itself
after its chip. What a board keeps to itself, its journal, is joined when it is flashed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wattest import __version__
from wattest.boards import Board, node_config
from wattest.errors import ConfigError
from wattest.flashing.build import (
    FirmwareBuild,
    build_firmware,
    firmware_version,
    mpy_cross_version,
)
from wattest.flashing.filesystem import BLOCK_BYTES, build_filesystem

MANIFEST_FORMAT: Final = 1
JOURNAL_FOLDER: Final = "journal"
INTERVAL_MS: Final = 60_000
"""Record interval of an image that does not say otherwise, ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashImage:
    """What is written at the file system's offset.

    Args:
        board: the kind of board it is for.
        files: path without the leading slash -> content.
        cfg: 16 bytes, docs/formats.md section 5: what the node's records will say.
        data: the whole file system, as long as the board's.
        manifest: a JSON document, docs/flashing.md.
    """

    board: Board
    files: Mapping[str, bytes]
    cfg: bytes
    data: bytes
    manifest: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Digest of the image without a journal, hex."""
        return str(self.manifest["image"]["sha256"])

    def with_journal(self, journal: Mapping[str, bytes]) -> bytes:
        """Return the file system with the journal of a board in it.

        Args:
            journal: name of a file in the folder -> content.

        Raises:
            ConfigError: it does not fit.
        """
        if not journal:
            return self.data
        kept = {f"{JOURNAL_FOLDER}/{name}": data for name, data in journal.items()}
        return build_filesystem({**self.files, **kept}, size_bytes=self.board.flash.vfs_bytes)


def build_image(
    board: Board, *, serial: str | None = None, interval_ms: int = INTERVAL_MS
) -> FlashImage:
    """Build the image of a board.

    Args:
        board: the hardware the node runs on.
        serial: name of this one node, or None for an image that fits every board of the kind.
        interval_ms: record interval, a multiple of the board's sample period.

    Raises:
        ConfigError: serial or interval do not fit, or the firmware does not compile or not fit.
    """
    if serial is not None and re.fullmatch(r"[ -~]{1,32}", serial) is None:
        raise ConfigError(
            f"1 to 32 printable ASCII characters expected, got {serial!r}", path="--serial"
        )
    try:
        config = node_config(board, serial=serial, interval_ms=interval_ms)
    except ValueError as exc:
        raise ConfigError(str(exc), path="--interval-ms") from None
    build = build_firmware(config, p256_table_bytes=board.memory.p256_table_bytes, chip=board.chip)
    data = build_filesystem(build.files, size_bytes=board.flash.vfs_bytes)
    return FlashImage(
        board=board,
        files=build.files,
        cfg=build.cfg,
        data=data,
        manifest=_manifest(board, build, data, config),
    )


def manifest_document(image: FlashImage) -> bytes:
    """Return the manifest as a file's content."""
    return json.dumps(image.manifest, indent=2).encode() + b"\n"


def _manifest(
    board: Board, build: FirmwareBuild, data: bytes, config: Mapping[str, object]
) -> Mapping[str, Any]:
    return {
        "format": MANIFEST_FORMAT,
        "board": board.name,
        "chip": board.chip,
        "serial": config.get("serial"),
        "interval_ms": config["interval_ms"],
        "versions": {
            "wattest": __version__,
            "firmware": firmware_version(),
            "mpy_cross": mpy_cross_version(),
            "micropython": board.micropython.version,
        },
        "cfg": build.cfg.hex(),
        "image": {
            "offset": board.flash.vfs_offset,
            "size_bytes": len(data),
            "block_bytes": BLOCK_BYTES,
            "littlefs": "2.0",
            "sha256": hashlib.sha256(data).hexdigest(),
        },
        "flash": {
            "size_bytes": board.flash.size_bytes,
            "firmware_offset": board.flash.firmware_offset,
            "nvs_offset": board.flash.nvs_offset,
            "nvs_bytes": board.flash.nvs_bytes,
        },
        "files": [
            {
                "path": f"/{path}",
                "size_bytes": len(build.files[path]),
                "sha256": hashlib.sha256(build.files[path]).hexdigest(),
            }
            for path in sorted(build.files)
        ],
    }
