"""Memory that the whole firmware leaves free after boot in a 128 KiB heap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from node_bench import Console, bench_of

KIB = 1024
_FREE = re.compile(rb"heap free: (\d+) bytes")


def rows() -> Iterator[dict[str, Any]]:
    for table_bytes in (32_768, 16_384):
        yield {
            "what": f"heap free after boot of 128 KiB, {table_bytes // KIB} KB table",
            "ours": _free_bytes(table_bytes) / KIB,
            "unit": "KiB",
            "reference": None,
            "reference_name": "",
            "ratio": None,
            "bar": ">= 24" if table_bytes == 32_768 else "",
        }


def _free_bytes(table_bytes: int) -> int:
    bench, (node,) = bench_of(1, p256_table_bytes=table_bytes)
    try:
        console = Console(bench, node)
        node.board.power_on()
        console.until(b"bytes\r\n\x00")
        found = _FREE.search(bytes(console.output))
    finally:
        bench.close()
    if found is None:
        raise RuntimeError("the node did not say how much of its heap is free")
    return int(found.group(1))
