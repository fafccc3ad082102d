"""A collector that says on stdout how far it has committed and acknowledged, until it is killed.

Arguments: folder of the boards, folder of the collection.
"""

from __future__ import annotations

import sys
from pathlib import Path

from wattest.operations.events import CheckpointSigned
from wattest.operations.live.collect import collect_live
from wattest.operations.live.ports import read_ports


def main(home: str, out: str) -> None:
    for event in collect_live(read_ports(Path(home) / "boards.json"), Path(out)):
        if isinstance(event, CheckpointSigned):
            sys.stdout.write(f"{event.size}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
