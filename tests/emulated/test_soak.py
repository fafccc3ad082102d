"""A node that is left alone for a week, in a heap of 128 KiB, through to the ledger.

Method: the whole firmware with one addition: a timer that collects garbage now and then and
prints how much of the heap is free, so that a leak is seen long before it hurts. Two hours in
every run of the tests, a week in the long lane.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import pytest
from run_harness import Bench

from wattest.flashing import FirmwareBuild, build_firmware
from wattest.flashing.build import config_digest
from wattest.operations.events import ConsolePrinted, NodeChanged, RecordLogged, RunFinished
from wattest.operations.virtual import bench as bench_module
from wattest.operations.virtual import rig as rig_module
from wattest.operations.virtual.bench import EmulatedBench
from wattest.operations.virtual.run import RunOptions, run
from wattest.wire import Record

pytestmark = pytest.mark.emulated

LOAD = '{ kind = "steps", steps = [["0s", 1000], ["40m", -700], ["65m", 0], ["90m", 350]] }'
LOOK_EVERY_S = 600
MAIN_ADDED = f"""
from machine import Timer


def _look(_timer):
    gc.collect()
    print("soak heap free %d" % gc.mem_free())


Timer(0).init(period={LOOK_EVERY_S * 1000}, callback=_look)
main()
"""
HEAP = re.compile(r"soak heap free (\d+)")
FREE_BYTES_MIN = 16 * 1024
DRIFT_BYTES_MAX = 1024


def build_with_a_look_at_the_heap(
    config: Mapping[str, object], *, p256_table_bytes: int
) -> FirmwareBuild:
    """Build the firmware with the timer in its main.py, and the digest that fits."""
    build = build_firmware(config, p256_table_bytes=p256_table_bytes)
    files = dict(build.files)
    (name,) = [name for name in files if name.endswith("main.py")]
    text = files[name].decode()
    assert text.count("\nmain()\n") == 1
    files[name] = text.replace("\nmain()\n", MAIN_ADDED).encode()
    return FirmwareBuild(files=files, cfg=config_digest(files))


@pytest.fixture
def benches(monkeypatch: pytest.MonkeyPatch) -> list[EmulatedBench]:
    """Have every bench of a run look at its heap, and be looked at afterwards."""
    made: list[EmulatedBench] = []

    class WatchedBench(EmulatedBench):
        def __init__(self, *, seed: int, duration_ns: int) -> None:
            super().__init__(seed=seed, duration_ns=duration_ns)
            made.append(self)

    monkeypatch.setattr(bench_module, "build_firmware", build_with_a_look_at_the_heap)
    monkeypatch.setattr(rig_module, "EmulatedBench", WatchedBench)
    return made


def check_readings(records: list[Record], interval_ms: int) -> None:
    """Numbers and times without a hole, registers that never run back, a clock that is right."""
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert {(record.status, record.err, int(record.tsync)) for record in records} == {("G", "", 2)}
    for before, after in pairwise(records):
        assert before.time_ms is not None
        assert after.time_ms is not None
        assert abs(after.time_ms - before.time_ms - interval_ms) <= 1100
        assert after.mono_ms > before.mono_ms
        assert (after.import_milliwatthours or 0) >= (before.import_milliwatthours or 0)
        assert (after.export_milliwatthours or 0) >= (before.export_milliwatthours or 0)


@pytest.mark.parametrize("hours", [2, pytest.param(168, marks=pytest.mark.long)])
def test_node_lives_on_without_losing_memory_records_or_time(
    hours: int, benches: list[EmulatedBench]
) -> None:
    scenario = Bench(load=LOAD, duration=f"{hours}h", interval="60s").scenario()
    records: list[Record] = []
    free_bytes: list[int] = []
    text = ""
    last = None
    for event in run(scenario, RunOptions()):
        match event:
            case RecordLogged():
                record = event.verdict.record
                assert record is not None
                assert record.time_ms is None or abs(event.now_ms - record.time_ms) < 5000
                if record.event is None:
                    records.append(record)
            case ConsolePrinted():
                text = (text + event.text)[-4096:]
                if "\n" in event.text:
                    free_bytes += [int(found) for found in HEAP.findall(text)]
                    text = text.rpartition("\n")[2]
            case NodeChanged():
                assert event.state != "restarted"
            case _:
                last = event
    assert isinstance(last, RunFinished)
    assert last.reasons == ()
    assert last.findings == ()
    assert len(records) >= 60 * hours
    check_readings(records, scenario.interval_ms)
    assert len(free_bytes) >= 6 * hours - 1
    live_bytes = 128 * 1024 - min(free_bytes)
    print(f"{hours} h: at most {live_bytes} bytes of 131072 alive, {len(free_bytes)} looks")
    assert min(free_bytes) >= FREE_BYTES_MIN
    assert free_bytes[0] - free_bytes[-1] <= DRIFT_BYTES_MAX
    node = benches[0].nodes["feeder"]
    assert (node.board.boots, node.board.crashes, node.board.uart_dropped) == (1, 0, 0)
    kept = sum(size for _, _, size in node.board.disk().entries("/journal"))
    assert kept <= node.plan.board.journal.total_bytes
    assert kept <= 4 * node.plan.board.journal.segment_bytes  # all but the newest was pruned
