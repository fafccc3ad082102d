"""Emulated nodes for the benchmarks: the whole firmware on boards that meter a steady load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import process_time

from wattest.data import data_root
from wattest.emulator.ina228 import ChipErrors
from wattest.operations.virtual.bench import BenchNode, EmulatedBench, NodePlan
from wattest.scenario import load_scenario, prepare

NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
SLICE_NS = NS_PER_S // 20
BOOT_LIMIT_NS = 30 * NS_PER_S


def bench_of(
    count: int, *, interval_ms: int = 60_000, p256_table_bytes: int | None = None
) -> tuple[EmulatedBench, list[BenchNode]]:
    """Return a bench with ``count`` provisioned boards, all off."""
    prepared = prepare(load_scenario(data_root() / "bench" / "scenarios" / "minimal.toml"))
    template = prepared.nodes[0]
    board = template.board
    if p256_table_bytes is not None:
        board = replace(board, memory=replace(board.memory, p256_table_bytes=p256_table_bytes))
    bench = EmulatedBench(seed=1, duration_ns=DAY_NS)
    nodes = [
        bench.add(
            NodePlan(
                name=f"node-{number}",
                asset=f"node-{number}",
                board=board,
                load=template.load,
                chip_errors=ChipErrors(),
                interval_ms=interval_ms,
            )
        )
        for number in range(count)
    ]
    return bench, nodes


class Console:
    """What one node prints, and a hand at its keyboard."""

    def __init__(self, bench: EmulatedBench, node: BenchNode) -> None:
        self.bench = bench
        self.node = node
        self.output = bytearray()
        node.board.on_output(lambda _t_ns, data: self.output.extend(data))

    def until(self, mark: bytes, *, limit_ns: int = BOOT_LIMIT_NS) -> float:
        """Run until ``mark`` was printed; return the processor time it took, s."""
        return run_until(self.bench, lambda: mark in self.output, limit_ns=limit_ns)

    def execute(self, program: str, *, limit_ns: int = 600 * NS_PER_S) -> float:
        """Run a program at the REPL; return the processor time it took, s."""
        self.output.clear()
        # Paste mode runs a whole program; Ctrl-D ends it. The node's ring takes 260 bytes.
        for piece in (b"\x05", program.encode(), b"\nprint('do' + 'ne')\n", b"\x04"):
            self.node.board.feed(piece)
            if piece != b"\x04":
                world = self.bench.world
                world.run_until(world.now_ns + SLICE_NS)
        return self.until(b"done", limit_ns=limit_ns)


def run_until(bench: EmulatedBench, there: Callable[[], bool], *, limit_ns: int) -> float:
    """Run virtual time in slices until ``there``; return the processor time it took, s.

    Raises:
        RuntimeError: it was not there after ``limit_ns`` of virtual time.
    """
    world = bench.world
    end_ns = world.now_ns + limit_ns
    start_s = process_time()
    while not there():
        if world.now_ns >= end_ns:
            raise RuntimeError("the node did not come to where it should be")
        world.run_until(world.now_ns + SLICE_NS)
    return process_time() - start_s
