"""Many emulated boards in one process: memory, and the time from power-on to a signed reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

from node_bench import BOOT_LIMIT_NS, bench_of, run_until

from wattest.operations.virtual.bench import BenchNode, EmulatedBench
from wattest.wire import Frame, FrameScanner, parse_record
from wattest.wire.message import FrameKind

MIB = 1 << 20
_POSITION_BYTES = 4
_BOARDS_METERING = 300
_BOARDS_STARTED = 1000


def rows() -> Iterator[dict[str, Any]]:
    warm, _ = _started(1)
    warm.close()
    before_bytes = _resident_bytes()
    bench, nodes = bench_of(_BOARDS_METERING, interval_ms=1000)
    made_bytes = _resident_bytes()
    boot_s = _boot_to_reading_s(bench, nodes)
    run_until(bench, _never(bench, seconds=5), limit_ns=BOOT_LIMIT_NS)
    each_mib = (_resident_bytes() - made_bytes) / _BOARDS_METERING / MIB
    flash_mib = (made_bytes - before_bytes) / _BOARDS_METERING / MIB
    bench.close()
    yield _row(f"{_BOARDS_METERING} boards metering: memory each", each_mib, "MiB", "<= 1.5")
    yield _row("  their flash and chips, beside it", flash_mib, "MiB", "")
    yield _row(
        "  power-on to first signed reading, each",
        boot_s / _BOARDS_METERING * 1000,
        "ms",
        "<= 60 ms",
    )
    bench, alive = _started(_BOARDS_STARTED)
    bench.close()
    yield _row(f"of {_BOARDS_STARTED} boards, how many start", alive, "boards", ">= 1,000")


def _row(what: str, ours: float, unit: str, bar: str) -> dict[str, Any]:
    return {
        "what": what,
        "ours": ours,
        "unit": unit,
        "reference": None,
        "reference_name": "",
        "ratio": None,
        "bar": bar,
    }


def _boot_to_reading_s(bench: EmulatedBench, nodes: list[BenchNode]) -> float:
    """Power all boards on; return the processor time until each has sent a signed reading."""
    waiting = {node.plan.name for node in nodes}
    for node in nodes:
        _watch(node, waiting)
    start_s = process_time()
    for node in nodes:
        node.board.power_on()
    run_until(bench, lambda: not waiting, limit_ns=BOOT_LIMIT_NS)
    return process_time() - start_s


def _watch(node: BenchNode, waiting: set[str]) -> None:
    """Take a node off the list when its first fiscal reading arrives."""
    scanner = FrameScanner()
    name = node.plan.name

    def look(_t_ns: int, data: bytes) -> None:
        if name not in waiting:
            return
        for item in scanner.feed(data):
            if not isinstance(item, Frame) or item.kind != FrameKind.RECORD:
                continue
            if parse_record(item.body[_POSITION_BYTES:]).event is None:
                waiting.discard(name)

    node.board.on_output(look)


def _started(count: int) -> tuple[EmulatedBench, int]:
    """Start boards; return how many said hello, that is run the firmware."""
    bench, nodes = bench_of(count)
    up: set[str] = set()
    for node in nodes:
        name = node.plan.name
        node.board.on_output(
            lambda _t_ns, data, name=name: up.add(name) if b"heap free" in data else None
        )
        node.board.power_on()
    run_until(bench, lambda: len(up) == count, limit_ns=BOOT_LIMIT_NS)
    return bench, len(up)


def _never(bench: EmulatedBench, *, seconds: int) -> Any:
    """Return a condition that holds after some virtual time: let the boards meter for a while."""
    end_ns = bench.world.now_ns + seconds * 1_000_000_000
    return lambda: bench.world.now_ns >= end_ns


def _resident_bytes() -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise RuntimeError("this system does not say how much memory a process has")
    return int(found.group(1)) * 1024
