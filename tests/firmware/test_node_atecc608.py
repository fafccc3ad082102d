"""A node whose key is in a secure element: the whole firmware, and the chip's faults."""

from itertools import pairwise

import pytest
from element_node import WATTS, element, is_whole, node, text_of
from node.drivers.atecc608 import crc16

from emulated import ELEMENT, Setup
from wattest.emulator.atecc608 import Atecc608, ElementFaults
from wattest.emulator.atecc608_packet import Opcode
from wattest.emulator.atecc608_vault import Vault
from wattest.emulator.i2c import BitErrorFault, NackFault, StuckBusFault

NOON_MS = 1_767_268_800_000
SET_TIME, SET_INTERVAL, RELAY, BEGIN, END, SYNC, IDENTIFY, TEST_INPUT = range(1, 9)


@pytest.mark.parametrize(("data", "crc"), [("0411", 0x4333), ("0702800000", 0xAD09)])
def test_driver_computes_published_checksums(data: str, crc: int) -> None:
    assert crc16(bytes.fromhex(data)) == crc


# ---- a life without trouble ----


@pytest.mark.emulated
def test_records_are_signed_by_the_element_and_the_boot_record_names_it() -> None:
    setup = node().start().run_s(62)
    key, boot, *fiscal = setup.records()
    assert (key.event, boot.event[1], len(fiscal)) == ({1: 9, 2: 0}, 1, 6)
    chip = setup.bus.device(0x60)
    assert boot.body[24] == chip.vault.serial_number
    assert boot.claims[263] == 0
    assert not [record for record in (key, *fiscal) if 24 in record.body]
    assert is_whole(setup)
    assert f"the key is in secure element {boot.body[24].hex()}" in text_of(setup)
    signed = chip.commands.count(Opcode.SIGN)
    assert signed == len(setup.records())


@pytest.mark.emulated
def test_node_with_an_element_needs_no_table_and_leaves_heap() -> None:
    setup = node().start().run_s(2)
    free = next(line for line in text_of(setup).splitlines() if "heap free" in line)
    assert int(free.split()[2]) >= 40 * 1024
    setup.board.power_off()
    names = [name for name, _, _ in setup.board.disk().entries("/")]
    assert "node.json" in names
    assert "p256.tbl" not in names


@pytest.mark.emulated
def test_key_survives_every_reset_and_loss_of_power() -> None:
    setup = node().start().run_s(25)
    setup.board.hard_reset()
    setup.run_s(15)
    setup.board.power_off()
    setup.run_s(5)
    setup.board.power_on()
    setup.run_s(15)
    assert len({bytes(hello[1]) for hello in setup.host.hellos}) == 1
    assert [record.event[2] for record in setup.records(2) if record.event[1] == 9] == [0]
    assert is_whole(setup)


@pytest.mark.emulated
def test_samples_stay_on_their_grid_while_the_element_works() -> None:
    """Ten samples a second and a record a second: about 140 ms of each are the element's."""
    setup = node(sample_period_ms=100, interval_ms=1000, sensor_adc_config=0xF914)
    read, samples = setup.chip.read, []

    def noting(size: int, t_ns: int) -> bytes:
        if size == 3:  # CURRENT, then POWER
            samples.append(t_ns // 1_000_000)
        return read(size, t_ns)

    setup.chip.read = noting
    setup.start().run_s(30)
    gaps = [later - first for first, later in pairwise(samples[40::2])]
    assert len(gaps) > 260
    assert max(gaps) < 150, "what cannot wait is one flash operation of 45 ms"
    fiscal = setup.records(0)
    assert len(fiscal) >= 28
    assert {(record.body[7], record.body.get(8)) for record in fiscal} == {("G", None)}
    elapsed_ms = fiscal[-1].body[5] - fiscal[0].body[5]
    metered = fiscal[-1].mantissas[0] - fiscal[0].mantissas[0]
    assert abs(metered - 1000 * WATTS * elapsed_ms // 3_600_000) <= 1


@pytest.mark.emulated
def test_same_seeds_give_the_same_bytes() -> None:
    streams = []
    for _ in range(2):
        setup, seen = node(), bytearray()
        setup.board.on_output(lambda _t_ns, data, seen=seen: seen.extend(data))
        setup.start().run_s(25)
        streams.append(bytes(seen))
    assert streams[0] == streams[1]
    other = node(element(b"two")).start().run_s(2)
    assert other.host.hellos[0][1] not in streams[0]


# ---- an element that is not there, or not ready ----


@pytest.mark.emulated
def test_node_without_its_element_says_so_meters_on_and_goes_on_when_it_is_back() -> None:
    setup = node().start().run_s(35)
    before = setup.records(0)[-1]
    setup.board.power_off()
    fault = NackFault(0x60)
    setup.bus.add_fault(fault)
    setup.board.power_on()
    setup.run_s(60)
    assert "ATECC608 at 0x60 does not answer" in text_of(setup)
    assert "no key, so no records; metering on" in text_of(setup)
    assert len(setup.host.hellos) == 1
    assert setup.records(0)[-1] == before
    setup.bus.remove_fault(fault)
    setup.run_s(40)
    assert "the secure element is back; resetting" in text_of(setup)
    assert len(setup.host.hellos) == 2
    assert is_whole(setup)
    after = setup.records(0)[-1]
    # 35 s, then 60 and 40 s less two boots, what power took (one interval) and the sampling.
    assert after.mantissas[0] >= 1000 * WATTS * (35 - 12 + 60 + 20) // 3600
    assert after.mantissas[0] <= 1000 * WATTS * 135 // 3600


@pytest.mark.emulated
def test_registers_of_a_node_without_its_element_survive_a_loss_of_power() -> None:
    setup = node().start().run_s(15)
    fault = NackFault(0x60)
    setup.bus.add_fault(fault)
    setup.board.hard_reset()
    setup.run_s(65)
    setup.board.power_off()
    setup.bus.remove_fault(fault)
    setup.board.power_on()
    setup.run_s(12)
    assert is_whole(setup)
    assert setup.records(0)[-1].mantissas[0] >= 1000 * WATTS * 60 // 3600


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("chip", "said"),
    [
        (element(locked=False), "ATECC608 at 0x60 not configured: its zones are not locked"),
        (Atecc608(Vault(b"one", key_slots=(3,))), "answers 0x0f to command 0x40"),
    ],
    ids=["unlocked", "slot without a key"],
)
def test_element_that_was_not_configured_is_refused_and_no_key_is_made(
    chip: Atecc608, said: str
) -> None:
    setup = node(chip).start().run_s(30)
    assert said in text_of(setup)
    assert setup.host.hellos == []
    assert setup.records() == []
    assert chip.commands.count(Opcode.READ) <= 6
    flash = setup.flash.read(0, setup.flash.size_bytes)
    assert b"wattest\0key" not in flash


@pytest.mark.emulated
def test_neither_table_nor_element_is_one_clear_line() -> None:
    setup = Setup(table_bytes=0).start().run_s(2)
    assert "wattest: /p256.tbl: missing; nothing could be signed" in text_of(setup)
    assert "Traceback" not in text_of(setup)


# ---- an element that fails ----


@pytest.mark.emulated
@pytest.mark.parametrize("fault", [NackFault(0x60), BitErrorFault(0x60, every=1, bit=1)])
def test_failure_of_the_element_is_on_record_when_it_is_over(fault: object) -> None:
    setup = node().start().run_s(35)
    setup.bus.add_fault(fault)
    setup.run_s(50)
    assert len(setup.records(0)) == 3
    assert setup.events(4) == []
    assert setup.command(IDENTIFY, b"12345678") == 6
    setup.bus.remove_fault(fault)
    setup.run_s(40)
    assert setup.events(4) == [{1: 4, 2: 8, 3: 1}, {1: 4, 2: 8, 3: 0}]
    assert setup.command(IDENTIFY, b"12345678") == 0
    assert is_whole(setup)
    last = setup.records(0)[-1]
    assert (last.body[7], last.body.get(8)) == ("G", None)
    assert abs(last.mantissas[0] - 1000 * WATTS * last.body[5] // 3_600_000) <= 100
    assert text_of(setup).count("Traceback") == 0


@pytest.mark.emulated
@pytest.mark.parametrize("failing_s", [8, 60])
def test_registers_are_kept_at_each_interval_while_the_element_fails(failing_s: int) -> None:
    setup = node().start().run_s(25)
    fault = NackFault(0x60)
    setup.bus.add_fault(fault)
    setup.run_s(failing_s)
    setup.board.power_off()
    setup.bus.remove_fault(fault)
    setup.board.power_on()
    setup.run_s(2)
    setup.command(IDENTIFY, b"12345678")
    assert is_whole(setup)
    kept_s = (25 + failing_s) // 10 * 10
    assert setup.records()[-1].mantissas[0] >= 1000 * WATTS * (kept_s - 1) // 3600


@pytest.mark.emulated
def test_command_does_nothing_that_could_not_be_recorded() -> None:
    setup = node().start().run_s(25)
    setup.command(RELAY, 0)
    fault = NackFault(0x60)
    setup.bus.add_fault(fault)
    setup.run_s(10)
    assert setup.command(RELAY, 1) == 6
    assert setup.board.pin_level(4) == 0
    setup.bus.remove_fault(fault)
    setup.run_s(15)
    assert setup.command(RELAY, 1) == 0
    assert setup.board.pin_level(4) == 1
    assert setup.events(6)[-1][2] == 6


@pytest.mark.emulated
@pytest.mark.parametrize("every", [2, 3, 5, 7])
def test_errors_on_the_wire_are_mended_without_a_trace(every: int) -> None:
    """A reply that came damaged is read again, not worked out again."""
    chip = element()
    setup = node(chip)
    setup.bus.add_fault(BitErrorFault(0x60, every=every, bit=40, step=11))
    setup.start().run_s(62)
    assert len(setup.records(0)) == 6
    assert setup.events(4) == []
    assert is_whole(setup)
    assert chip.commands.count(Opcode.SIGN) == len(setup.records())


@pytest.mark.emulated
@pytest.mark.parametrize(
    "trouble",
    [
        {"statuses": (0xEE, 0x08)},
        {"statuses": (0x0F,)},
        {"lost_commands": 2},
        {"short_replies": 2},
        {"self_test_failures": 2},
    ],
    ids=["watchdog, health", "execution", "lost", "short", "self-test"],
)
def test_wrong_answers_are_asked_again(trouble: dict[str, object]) -> None:
    chip = element()
    setup = node(chip).start().run_s(15)
    chip.faults = ElementFaults(**trouble)
    setup.run_s(10)
    assert len(setup.records(0)) == 2
    assert setup.events(4) == []
    assert is_whole(setup)


@pytest.mark.emulated
def test_chip_that_other_traffic_woke_is_used_all_the_same() -> None:
    chip = element()
    setup = node(chip).start().run_s(15)
    for _ in range(200):
        setup.bus.hold_sda_low(90_000, setup.world.now_ns)
        setup.run_s(0.05)
    assert len(setup.records(0)) == 2
    assert is_whole(setup)


@pytest.mark.emulated
def test_stuck_bus_is_survived_by_the_element_as_by_the_sensor() -> None:
    setup = node().start().run_s(15)
    fault = StuckBusFault()
    setup.bus.add_fault(fault)
    setup.run_s(30)
    setup.bus.remove_fault(fault)
    setup.run_s(40)
    assert is_whole(setup)
    assert {1: 4, 2: 8, 3: 0} in setup.events(4)
    assert setup.records(0)[-1].body[7] == "G"


# ---- configuration ----


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"element_slot": 16}, "element_slot: expected 0..15, got 16"),
        ({"element_slot": None}, "element_slot: expected 0..15, got None"),
        ({"element_i2c_freq_hz": 400_000}, "element_i2c_freq_hz: expected 10000..100000"),
        ({"element_i2c_scl": 23}, "element_i2c_scl: differs from i2c_scl"),
        ({"element_colour": 1}, "unknown key element_colour"),
    ],
)
def test_wrong_element_in_the_configuration_is_named(
    change: dict[str, object], message: str
) -> None:
    from node import config

    from emulated import CONFIG

    values = {**CONFIG, **ELEMENT, **change}
    with pytest.raises(config.ConfigError, match=message.replace("..", r"\.\.")):
        config.check({key: values[key] for key in values if values[key] is not None}, "/node.json")
