"""``wattest build``: the image of a node's file system, and its manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from wattest.cli.options import Commands, add_json
from wattest.errors import ConfigError, StoreError

IMAGE_NAME = "firmware.img"
MANIFEST_NAME = "manifest.json"
_INTERVAL_MS = 60_000

_DESCRIPTION = """\
Compile the firmware for a board and make the image of its file system, with a manifest: files,
digests, versions, and the digest that every record of such a node will carry. The same source
gives the same bytes.
"""

_EXAMPLES = """\
examples:
  wattest build --board esp32-devkitc
  wattest build --board emulated-esp32 --interval-ms 10000 -o out
"""


def add_command(commands: Commands) -> None:
    """Add ``build`` to the command line."""
    parser = commands.add_parser(
        "build",
        help="make the flash image of a node and its manifest",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    add_image_options(parser)
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for image and manifest (default: build/BOARD)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides about the content of an image."""
    parser.add_argument(
        "--board", required=True, metavar="B", help="board file: a name, or a path of a .toml file"
    )
    parser.add_argument(
        "--serial", metavar="S", help="name of this one node (default: WT- and its chip's id)"
    )
    parser.add_argument(
        "--interval-ms",
        type=int,
        default=_INTERVAL_MS,
        metavar="N",
        help="time between two signed readings, 1000 to 3600000 (default: 60000)",
    )


def run(args: argparse.Namespace) -> int:
    """Write image and manifest.

    Raises:
        ConfigError: the board or an option is wrong, or the firmware is too large for it.
        StoreError: the folder cannot be written.
    """
    from wattest.boards import load_board
    from wattest.cli.output import print_json
    from wattest.flashing import build_image, manifest_document
    from wattest.operations.rundir import write_whole

    board = load_board(args.board)
    image = build_image(board, serial=args.serial, interval_ms=args.interval_ms)
    out: Path = args.out or Path("build") / board.name
    if out.exists() and not out.is_dir():
        raise ConfigError("is a file, expected a folder", path=f"--out {out}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreError(f"{out}: cannot be made: {(exc.strerror or '').lower()}") from exc
    write_whole(out / IMAGE_NAME, image.data)
    write_whole(out / MANIFEST_NAME, manifest_document(image))
    if args.json:
        print_json({**image.manifest, "out": str(out)})
        return 0
    content = sum(len(data) for data in image.files.values())
    print(f"board     {board.name} ({board.chip})")
    print(f"files     {len(image.files)}, {content:,} bytes")
    print(f"cfg       {image.cfg.hex()}")
    print(
        f"image     {out / IMAGE_NAME}: {len(image.data):,} bytes for {board.flash.vfs_offset:#x}"
    )
    print(f"sha256    {image.sha256}")
    print(f"manifest  {out / MANIFEST_NAME}")
    return 0
