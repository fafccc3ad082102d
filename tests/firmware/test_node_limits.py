"""What the node promises at its limits: allocation, deadlines, a full journal, lost counters."""

from pathlib import Path

import pytest

from emulated import CONFIG, Setup
from wattest.emulator.flash import FlashLayout
from wattest.emulator.i2c import NackFault
from wattest.emulator.nvs import NvsStore

pytestmark = pytest.mark.emulated

MAIN = (Path(__file__).parent.parent.parent / "firmware" / "main.py").read_text()
NOON_MS = 1_767_268_800_000
SET_TIME, BEGIN = 1, 4


def with_main(statements: str) -> dict[str, bytes]:
    """main.py with other statements in the place of `node.run()`."""
    assert "            node.run()\n" in MAIN
    block = "".join(f"            {text}\n" for text in statements.splitlines())
    return {"main.py": MAIN.replace("            node.run()\n", block).encode()}


def test_hot_path_allocates_nothing_under_a_locked_heap() -> None:
    """Goal: sample, integrate, save: proved by a heap that refuses any allocation.

    Method: the node's own `sample_if_due`, with a sample due each time, between heap_lock and
    heap_unlock; an allocation would be a MemoryError. A list comes last, to show that the lock
    works.
    """
    files = with_main(
        """
import micropython, time
node.meter.begin()
node.align()
time.sleep_ms(2100)
node.sample_if_due()
before = node.recorder._registers.import_milliwh()
done = 0
micropython.heap_lock()
try:
    while done < 30:
        if time.ticks_diff(time.ticks_ms(), node._sample_at) >= 0:
            node.sample_if_due()
            done += 1
    caught = 0
    try:
        [done]
    except MemoryError:
        caught = 1
finally:
    micropython.heap_unlock()
after = node.recorder._registers.import_milliwh()
print("samples", done, "caught", caught, "milliwh", after - before)
""".strip(),
    )
    setup = Setup(files=files).start().run_s(60)
    text = bytes(setup.host.stream + setup.host.text).decode()
    line = next((line for line in text.splitlines() if line.startswith("samples")), text)
    assert line.startswith("samples 30 caught 1 milliwh"), line
    assert 80 * 29 <= int(line.split()[-1]) <= 80 * 30


def test_samples_stay_on_their_grid_while_records_are_sealed() -> None:
    """At ten samples a second and a record a second, no sample is late by a period."""
    files = with_main(
        """
latest = [0, 0, 0]
real = node.meter.sample
import time
def watched():
    late = time.ticks_diff(time.ticks_ms(), node._sample_at)
    latest[0] += 1
    latest[1] = max(latest[1], late)
    latest[2] += late >= 100
    real()
    if latest[0] == 300:
        print("samples %d latest %d ms, late by a period %d" % tuple(latest))
node.meter.sample = watched
node.run()
""".strip(),
    )
    setup = Setup(
        files=files,
        sample_period_ms=100,
        interval_ms=1000,
        sensor_adc_config=0xF914,  # 84 + 540 + 50 us, 128 averages: 86 ms
    )
    setup.start().run_s(40)
    text = bytes(setup.host.text).decode()
    line = next((line for line in text.splitlines() if line.startswith("samples")), text)
    assert line.endswith("late by a period 0"), line
    assert all("E" not in record.body.get(8, "") for record in setup.records(0))
    first, last = setup.records(0)[0], setup.records(0)[-1]
    expected = 288_000 * (last.body[5] - first.body[5]) // 3_600_000
    assert abs(last.mantissas[0] - first.mantissas[0] - expected) <= 1


def test_full_journal_holds_meters_on_and_resumes() -> None:
    setup = Setup(
        acknowledging=False,
        interval_ms=1000,
        journal_bytes=16_384,
        journal_segment_bytes=2048,
    )
    setup.start().run_s(60)
    setup.board.power_off()
    setup.board.power_on()
    setup.run_s(20)
    setup.acknowledging = True
    setup.run_s(90)
    fiscal = setup.records(0)
    gap = max(
        range(1, len(fiscal)),
        key=lambda index: fiscal[index].mantissas[0] - fiscal[index - 1].mantissas[0],
    )
    held = fiscal[gap].mantissas[0] - fiscal[gap - 1].mantissas[0]
    assert fiscal[gap].seq == fiscal[gap - 1].seq + 1
    assert held > 288_000 * 30 // 3600, "energy metered while no record could be sealed"
    assert {1: 4, 2: 5, 3: 1} in setup.events(4)
    assert setup.events(4)[-1] == {1: 4, 2: 5, 3: 0}
    assert setup.events(1)[1][4] == 2
    assert [record.seq for record in fiscal] == list(range(1, len(fiscal) + 1))


def test_commands_that_cannot_be_put_on_record_are_refused() -> None:
    setup = Setup(
        acknowledging=False,
        interval_ms=1000,
        journal_bytes=16_384,
        journal_segment_bytes=2048,
    )
    setup.start().run_s(60)
    assert setup.command(BEGIN, "x") == 6


@pytest.mark.parametrize("loss", ["journal erased", "flash swapped"])
def test_lost_counter_forces_a_new_key(loss: str) -> None:
    setup = Setup().start().run_s(130)
    setup.board.power_off()
    if loss == "journal erased":
        disk = setup.board.disk()
        for name, _, _ in disk.entries("/journal"):
            disk.unlink(f"/journal/{name}")
    else:
        namespace = NvsStore(FlashLayout().nvs(setup.flash)).namespace("wattest")
        namespace.set_blob("key", (12345).to_bytes(32, "big"))
        namespace.commit()
    before = setup.records(0)[-1].mantissas[0]
    seen = len(setup.host.records)
    setup.board.power_on()
    setup.run_s(65)
    old, new = setup.host.hellos[0], setup.host.hellos[-1]
    assert old[1] != new[1]
    fresh = setup.host.records[seen:]
    assert (fresh[0].seq, fresh[0].position) == (1, 0)
    assert fresh[0].event == {1: 9, 2: 1}
    assert fresh[0].body[11] == bytes(32)
    assert fresh[1].event[1] == 1
    if loss == "flash swapped":
        assert fresh[1].event[4] == 2
        assert fresh[-1].mantissas[0] >= before


def test_corrupt_head_is_explained_by_a_break_and_no_number_is_used_again() -> None:
    setup = Setup().start().run_s(130)
    used = {(record.ctx, record.seq): record.data for record in setup.records()}
    setup.board.power_off()
    disk = setup.board.disk()
    name = max(name for name, _, _ in disk.entries("/journal") if len(name) == 8)
    data = bytearray(disk.read_file(f"/journal/{name}"))
    data[-30] ^= 4
    disk.write_file(f"/journal/{name}", bytes(data))
    setup.board.power_on()
    setup.run_s(65)
    (broken,) = setup.events(10)
    assert broken[3] >= 1
    for record in setup.records():
        assert used.setdefault((record.ctx, record.seq), record.data) == record.data
    assert setup.host.hellos[0][1] == setup.host.hellos[-1][1]


def test_exception_in_the_loop_is_an_event_and_the_loop_goes_on() -> None:
    files = with_main(
        """
real = node.recorder.fiscal
failures = []
def failing(pause):
    if len(failures) < 3:
        failures.append(1)
        raise ValueError("injected")
    real(pause)
node.recorder.fiscal = failing
node.run()
""".strip(),
    )
    setup = Setup(files=files, interval_ms=5000).start().run_s(40)
    assert setup.events(4) == [{1: 4, 2: 6, 3: 1, 4: 1}]
    fiscal = setup.records(0)
    assert [record.seq for record in fiscal] == [1, 2, 3, 4]
    expected = 288_000 * (fiscal[-1].body[5] - 1000) // 3_600_000
    assert fiscal[-1].mantissas[0] >= expected, "sampling went on"
    assert "ValueError: injected" in bytes(setup.host.text).decode()


def test_watchdog_resets_a_hung_node_and_the_registers_survive() -> None:
    files = with_main(
        """
import time
real = node.step
def step():
    if node.chain.bootcount == 1 and node.clock.mono_ms() > 20000:
        while True:
            pass
    real()
node.step = step
node.run()
""".strip(),
    )
    setup = Setup(files=files, watchdog_ms=8000).start().run_s(60)
    boots = setup.events(1)
    assert [boot[2] for boot in boots] == [1, 3]
    assert boots[1][4] == 1


def test_node_with_the_small_table_signs_alike() -> None:
    large = Setup().start().run_s(65)
    small = Setup(table_bytes=16_384).start().run_s(65)
    assert large.host.hellos[0][8] == small.host.hellos[0][8]
    assert large.records()[0].body[11] == small.records()[0].body[11]
    assert len(small.records()) == 3


def test_time_degrades_from_synchronised_to_informative() -> None:
    setup = Setup(sync_valid_s=30, interval_ms=10_000).start().run_s(3)
    setup.command(SET_TIME, NOON_MS)
    setup.run_s(60)
    marks = [record.body[4] for record in setup.records(0)]
    assert marks[0] == 2
    assert marks[-1] == 1
    assert marks == sorted(marks, reverse=True)
    assert CONFIG["sync_valid_s"] == 93_600


def test_marks_of_an_interval_outlive_a_record_that_could_not_be_appended() -> None:
    """A sensor fault and a stepped clock are told by the next record that can be sealed."""
    files = with_main(
        """
real = node.journal.append
failures = []
def failing(size, state):
    if node.meter.fiscal is not None and node.clock.mono_ms() > 14000 and len(failures) < 1:
        failures.append(1)
        raise OSError(5)
    return real(size, state)
node.journal.append = failing
node.run()
""".strip(),
    )
    setup = Setup(files=files, interval_ms=10_000).start().run_s(3)
    setup.command(SET_TIME, NOON_MS)
    setup.run_s(2)
    setup.command(SET_TIME, NOON_MS + 2_000_500)
    fault = NackFault(0x40)
    setup.bus.add_fault(fault)
    setup.run_s(3)
    setup.bus.remove_fault(fault)
    setup.run_s(40)
    marks = [(record.body[7], record.body.get(8, "")) for record in setup.records(0)]
    assert ("D", "Et") in marks
    assert marks[-1] == ("G", "")
    assert [record.seq for record in setup.records(0)] == list(range(1, len(marks) + 1))


@pytest.mark.long
def test_whole_firmware_runs_with_a_collection_at_every_allocation() -> None:
    """The torture of the collector: what is alive must be found at any allocation."""
    text = "import gc\n\ngc.threshold(1)\n" + MAIN
    calm = Setup().start().run_s(200)
    setup = Setup(files={"main.py": text.encode()}).start().run_s(900)
    assert setup.board.crashes == 0
    assert setup.host.hellos[0][8] == calm.host.hellos[0][8]
    assert len(setup.records(0)) >= 2
    assert [record.event for record in setup.records(2)] == [
        record.event for record in calm.records(2)
    ]
    assert "Error" not in bytes(setup.host.text).decode()
