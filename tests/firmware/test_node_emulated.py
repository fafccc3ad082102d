"""The whole firmware on an emulated board: boot, records, resets, faults."""

from hashlib import sha256

import pytest

from emulated import CONFIG, SECOND_NS, ConstantLoad, Setup
from wattest.emulator.i2c import NackFault, StuckBusFault

pytestmark = pytest.mark.emulated

NOON_MS = 1_767_268_800_000
SET_TIME, SET_INTERVAL, RELAY, BEGIN, END, SYNC, IDENTIFY, TEST_INPUT = range(1, 9)


def chain_holds(setup: Setup) -> bool:
    """Every record names the one before, numbers count up by one in each ctx."""
    prev = bytes(32)
    seqs = [0, 0, 0]
    for record in setup.records():
        seqs[record.ctx] += 1
        if record.seq != seqs[record.ctx] or record.body[11] != prev:
            return False
        if record.body[10] != seqs[2]:
            return False
        prev = record.digest
    return True


def test_node_boots_and_sends_verified_records() -> None:
    setup = Setup().start().run_s(125)
    hello = setup.host.hellos[0]
    assert hello[2] == CONFIG["serial"]
    assert (hello[3], hello[4], hello[5], hello[6], hello[7]) == (0, 0, 0, 0, 1)
    key, boot, *fiscal = setup.records()
    assert (key.ctx, key.seq, key.event) == (2, 1, {1: 9, 2: 0})
    assert (boot.ctx, boot.seq, boot.event) == (2, 2, {1: 1, 2: 1, 3: 0, 4: 0, 5: 0})
    assert boot.claims[256] == b"\x02" + bytes.fromhex("240ac4123456")
    assert (boot.claims[263], boot.claims[270]) == (0, "wattest-node")
    assert [record.body[5] // 1000 for record in fiscal] == [60, 120]
    assert all(record.body[12] == setup.cfg for record in setup.records())
    assert all(record.claims[267] == 1 for record in setup.records())
    assert chain_holds(setup)
    elapsed_ms = fiscal[1].body[5] - fiscal[0].body[5]
    energy = fiscal[1].mantissas[0] - fiscal[0].mantissas[0]
    assert abs(energy - 288_000 * elapsed_ms // 3_600_000) <= 1
    assert fiscal[1].mantissas[3] == 288_000 - 1


def test_heap_has_24_kib_left_after_boot() -> None:
    setup = Setup().start().run_s(2)
    line = next(x for x in bytes(setup.host.text).decode().splitlines() if "heap free" in x)
    assert int(line.split()[2]) >= 24 * 1024


def test_console_says_who_the_node_is() -> None:
    setup = Setup().start().run_s(2)
    text = bytes(setup.host.text).decode()
    assert "wattest-node 0.1.0 on emulated-esp32, serial EMU-0001" in text
    assert f"key {setup.host.hellos[0][1].hex()}, boot 1, reset cause 1" in text
    assert "a sample every 1000 ms, a record every 60000 ms" in text


def test_acknowledged_records_are_pruned_and_not_sent_again() -> None:
    setup = Setup(interval_ms=1000).start().run_s(60)
    records = setup.records()
    assert len(records) >= 58
    assert len(setup.host.records) == len(records)
    setup.send(b"\n")
    setup.board.power_off()
    segments = [name for name, _, _ in setup.board.disk().entries("/journal")]
    assert len(segments) == 1


def test_unacknowledged_records_are_sent_again_ever_later_eight_at_most() -> None:
    setup = Setup(acknowledging=False, interval_ms=1000).start().run_s(40)
    positions = [record.position for record in setup.host.records]
    assert set(positions) == set(range(8))
    assert 3 <= positions.count(0) <= 5


def test_forged_acknowledgement_prunes_nothing_and_is_counted() -> None:
    setup = Setup(acknowledging=False).start().run_s(3)
    record = setup.records()[0]
    line = bytearray(setup.host.acknowledge(record))
    setup.host.command_key = bytes(32)
    setup.send(setup.host.acknowledge(record))
    setup.run_s(2)
    setup.send(bytes(line))
    setup.run_s(10)
    assert setup.events(6) == [{1: 6, 2: 1, 3: 1}]


@pytest.mark.parametrize("how", ["soft_reset", "hard_reset"])
def test_registers_survive_a_reset_in_rtc_memory(how: str) -> None:
    setup = Setup().start().run_s(100)
    reset = getattr(setup.board, how)
    reset()
    setup.run_s(90)
    first, second = setup.records(0)[0], setup.records(0)[-1]
    boot = setup.events(1)[1]
    assert (boot[4], boot[3]) == (1, 2000)
    metered = second.mantissas[0] - first.mantissas[0]
    # 40 s before the reset, at most two periods and the boot itself are missing.
    elapsed_s = 40 + second.body[5] // 1000
    assert 288_000 * (elapsed_s - 4) // 3600 <= metered <= 288_000 * (elapsed_s + 1) // 3600
    assert second.claims[267] == 2
    assert second.claims[268] != first.claims[268]
    assert chain_holds(setup)


def test_power_loss_loses_at_most_one_interval_and_the_boot_record_says_so() -> None:
    setup = Setup().start().run_s(110)
    before = setup.records(0)[-1]
    setup.board.power_off()
    setup.run_s(30)
    setup.board.power_on()
    setup.run_s(65)
    boot = setup.events(1)[1]
    assert boot == {1: 1, 2: 1, 3: 62_000, 4: 2, 5: 0}
    after = setup.records(0)[-1]
    assert after.mantissas[0] >= before.mantissas[0] + 288_000 * 55 // 3600
    assert after.mantissas[0] <= before.mantissas[0] + 288_000 * 62 // 3600
    assert chain_holds(setup)


def test_first_time_set_dates_the_records_before_it() -> None:
    setup = Setup(interval_ms=10_000).start().run_s(25)
    assert setup.command(SET_TIME, NOON_MS + 333) == 0
    setup.run_s(30)
    early = setup.records(0)[0]
    assert 3 not in early.body
    assert early.body[4] == 0
    event = next(record for record in setup.records(2) if record.event[1] == 2)
    assert event.event == {1: 2, 3: NOON_MS + 333, 4: 2}
    assert event.body[3] == NOON_MS + 333
    late = setup.records(0)[-1]
    assert late.body[4] == 2
    derived = event.event[3] - (event.body[5] - late.body[5])
    assert derived == late.body[3]
    assert "t" not in late.body.get(8, "")


def test_records_are_sealed_at_multiples_of_utc_once_the_clock_is_set() -> None:
    setup = Setup(interval_ms=10_000).start().run_s(3)
    setup.command(SET_TIME, NOON_MS + 4321)
    setup.run_s(60)
    times = [record.body[3] for record in setup.records(0)]
    assert len(times) == 6
    assert all(time_ms % 10_000 <= 2 for time_ms in times)
    assert [time_ms // 10_000 for time_ms in times] == list(
        range(times[0] // 10_000, times[0] // 10_000 + 6),
    )


def test_stepped_clock_is_flagged_in_the_interval_and_on_record() -> None:
    setup = Setup(interval_ms=10_000).start().run_s(3)
    setup.command(SET_TIME, NOON_MS)
    setup.run_s(12)
    setup.command(SET_TIME, NOON_MS + 3_600_000)
    setup.run_s(21)
    flagged = [record.body.get(8, "") for record in setup.records(0)]
    assert flagged == ["", "t", "", ""][: len(flagged)]
    assert len(flagged) >= 3
    assert setup.events(2)[1][3] == NOON_MS + 3_600_000
    assert 2 in setup.events(2)[1]


# ---- sensor faults ----


def last_status(setup: Setup) -> tuple[str, str]:
    body = setup.records(0)[-1].body
    return body[7], body.get(8, "")


@pytest.mark.parametrize(
    ("fault", "status"),
    [(NackFault(0x40), "D"), (StuckBusFault(), "T")],
    ids=["no answer", "stuck"],
)
def test_bus_fault_is_flagged_told_and_over_when_the_chip_is_back(
    fault: NackFault | StuckBusFault,
    status: str,
) -> None:
    setup = Setup(interval_ms=10_000).start().run_s(12)
    assert last_status(setup) == ("G", "")
    setup.bus.add_fault(fault)
    setup.run_s(10)
    before = setup.records(0)[-1].mantissas[0]
    assert last_status(setup) == (status, "E")
    setup.run_s(10)
    assert setup.records(0)[-1].mantissas[0] == before
    setup.bus.remove_fault(fault)
    setup.run_s(30)
    assert last_status(setup) == ("G", "")
    assert setup.records(0)[-1].mantissas[0] > before
    assert setup.events(4) == [{1: 4, 2: 1, 3: 1}, {1: 4, 2: 1, 3: 0}]


def test_wrong_chip_is_flagged_and_never_metered() -> None:
    setup = Setup(interval_ms=10_000)
    setup.chip.device_id = 0x2380
    setup.start().run_s(25)
    assert last_status(setup) == ("X", "E")
    assert setup.records(0)[-1].mantissas[:2] == [0, 0]
    assert setup.events(4) == [{1: 4, 2: 2, 3: 1}]


def test_saturated_shunt_is_flagged() -> None:
    load = ConstantLoad(power_uw=288_000_000)
    setup = Setup(load=load, interval_ms=10_000).start().run_s(12)
    load.power_uw = 600_000_000  # 12.5 A through 16.2 mohm: 202 mV
    setup.run_s(10)
    assert last_status(setup) == ("O", "E")
    load.power_uw = 288_000_000
    setup.run_s(30)
    assert last_status(setup) == ("G", "")
    assert setup.events(4)[0][2] in (3, 4)
    assert setup.events(4)[-1][3] == 0


def test_export_goes_to_its_own_register() -> None:
    setup = Setup(load=ConstantLoad(power_uw=-48_000_000), interval_ms=10_000).start().run_s(62)
    imported, exported, use_s, power = setup.records(0)[-1].mantissas
    assert imported == 0
    assert exported == pytest.approx(48_000 * 60 // 3600, abs=12)
    assert 57 <= use_s <= 60
    assert abs(power + 48_000) <= 1


# ---- the console ----


def test_ctrl_c_leaves_the_repl_with_a_clean_message() -> None:
    setup = Setup().start().run_s(5)
    setup.send(b"\x03")
    setup.run_s(2)
    text = bytes(setup.host.text + setup.host.stream).decode()
    assert "wattest: stopped by Ctrl-C" in text
    assert text.rstrip().endswith(">>>")
    assert "Traceback" not in text


def test_garbage_and_endless_lines_are_ignored_and_taken() -> None:
    setup = Setup().start().run_s(3)
    before = setup.host.taken[-1] if setup.host.taken else 0
    for garbage in (b"hello\n", b"~!!!!\n", b"~AAAA\n", b"\r\n\n", b"x" * 250):
        setup.send(garbage)
        setup.run_s(1)
    setup.send(b"y" * 150 + b"\n")
    setup.run_s(1)
    sent = 6 + 6 + 6 + 3 + 250 + 151
    assert setup.host.taken[-1] - before == sent
    assert setup.command(IDENTIFY, b"12345678") == 0


def test_hello_line_is_answered_and_restarts_the_count() -> None:
    from host_side import hello_line

    setup = Setup().start().run_s(3)
    setup.send(b"xyz\n")
    setup.run_s(1)
    setup.send(hello_line() + b"ab\n")
    setup.run_s(1)
    assert len(setup.host.hellos) == 2
    assert setup.host.hellos[1][5] == len(setup.records())
    assert setup.host.taken[-1] == 3


def test_same_seed_gives_the_same_bytes() -> None:
    streams = []
    for _ in range(2):
        setup = Setup(interval_ms=5000)
        seen = bytearray()
        setup.board.on_output(lambda _t_ns, data, seen=seen: seen.extend(data))
        setup.start().run_s(3)
        setup.command(SET_TIME, NOON_MS)
        setup.run_s(20)
        streams.append(sha256(seen).hexdigest())
    assert streams[0] == streams[1]


def test_wrong_configuration_is_one_clear_line_and_the_repl() -> None:
    setup = Setup(interval_ms=1500)
    setup.start().run_s(2)
    text = bytes(setup.host.stream).decode()
    assert "wattest: /node.json: interval_ms: not a multiple of sample_period_ms" in text
    assert "Traceback" not in text
    assert setup.world.now_ns == 2 * SECOND_NS
