"""The PZEM-004T driver on the frame model of its module, with faults on the line; the meter."""

from __future__ import annotations

import pytest
from node.clock import Clock
from node.drivers.pzem004t import BAUD, Pzem004t, crc16
from node.meter import INJECTED, SENSOR, Meter
from node.registers import Registers
from node_ticks import Ticks

from wattest.emulator import pzem004t as model
from wattest.emulator.uart import UartPort

PER = 3_600_000


class Load:
    """A load that a test changes."""

    def __init__(self) -> None:
        self.power_uw = 3_600_000_000
        self.voltage_uv = 230_000_000

    def power_mean_uw(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.power_uw

    def voltage_mean_uv(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.voltage_uv


class Uart:
    """`machine.UART` over the model; time is what the test says."""

    def __init__(self, ticks: Ticks, module: model.Pzem004t) -> None:
        self.ticks = ticks
        self.port = UartPort(module, BAUD)
        self.sent: list[bytes] = []

    @property
    def t_ns(self) -> int:
        return self.ticks.ms * 1_000_000

    def any(self) -> int:
        return self.port.available(self.t_ns)

    def readinto(self, buf: bytearray) -> int | None:
        data = self.port.read(len(buf), self.t_ns)
        buf[: len(data)] = data
        return len(data) or None

    def write(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        self.port.write(bytes(data), self.t_ns)
        return len(data)


class Bench:
    """Module, driver and meter; a watt-hour a second."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.load = Load()
        self.module = model.Pzem004t(self.load)
        self.uart = Uart(ticks, self.module)
        self.sensor = Pzem004t(self.uart, 1, power_nw_per_count=1_000_000)
        self.registers = Registers(PER, 4_600, 1000, 0)
        self.registers.attach(lambda _buf=None: b"", b"")
        self.meter = Meter(self.sensor, self.registers, Clock(60), 1000)
        assert self.meter.begin()

    def sample(self, times: int = 1, after_ms: int = 1000) -> list[str]:
        found = []
        for _ in range(times):
            self.ticks.ms += after_ms
            self.meter.sample()
            found.append(self.meter.status)
            if self.meter.status not in "GO":
                self.meter.recover()
        return found

    def wh(self) -> int:
        return self.registers.import_milliwh() // 1000


@pytest.fixture
def bench(ticks: Ticks) -> Bench:
    return Bench(ticks)


def test_request_and_check_are_the_manuals(bench: Bench) -> None:
    assert bench.uart.sent == [bytes.fromhex("01 04 00 00 00 0A 70 0D")]
    assert crc16(bytes.fromhex("01 04 00 00 00 0A"), 6) == 0x0D70
    data = bytes(range(40))
    assert crc16(data, 40).to_bytes(2, "little") == model.crc16(data)


def test_hour_is_metered_to_the_watt_hour_one_period_late(bench: Bench) -> None:
    assert set(bench.sample(3601)) == {"G"}
    assert abs(bench.wh() - 3600) <= 1
    assert bench.meter.power_milliw(1_000_000) == 3_600_000
    assert bench.registers.use_s() == pytest.approx(3600, abs=2)
    assert bench.meter.fiscal.err() == ""


def test_counter_the_module_had_before_is_not_energy(ticks: Ticks) -> None:
    ticks.ms = 7_200_000
    bench = Bench(ticks)
    bench.sample(11)
    assert 9 <= bench.wh() <= 11


def test_sample_never_waits_and_an_answer_on_its_way_is_no_fault(bench: Bench) -> None:
    bench.sample(2)
    assert bench.sample(after_ms=20) == ["G"]
    assert bench.meter.fiscal.err() == ""
    assert bench.sample(after_ms=980) == ["G"]


def test_module_that_is_reset_is_told_and_its_new_count_is_no_energy(bench: Bench) -> None:
    bench.sample(100)
    before = bench.wh()
    bench.module.reset_energy(bench.uart.t_ns)
    assert "M" in bench.sample(2)
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("M", "E")
    bench.sample(10)
    assert before + 10 <= bench.wh() <= before + 13


def test_reset_on_the_line_by_somebody_else_is_told(bench: Bench) -> None:
    bench.sample(10)
    bench.uart.write(bytes((1, 0x42)) + model.crc16(bytes((1, 0x42))))
    assert "M" in bench.sample(3)


@pytest.mark.parametrize("bit", [0, 9, 30, 105, 199])
def test_damaged_answers_are_read_errors_and_their_energy_comes_later(
    bit: int, bench: Bench
) -> None:
    bench.sample(5)
    trouble = bench.module.trouble
    trouble.every, trouble.bit = 2, bit
    assert set(bench.sample(20)) == {"F", "G"}
    assert bench.meter.fiscal.err() == "E"
    trouble.every = 0
    bench.sample(3)
    assert abs(bench.wh() - 27) <= 1


def test_silent_module_is_no_answer_and_its_energy_comes_later(bench: Bench) -> None:
    bench.sample(5)
    bench.module.trouble.silent = True
    found = bench.sample(30)
    assert set(found[1:]) == {"D"}
    assert not bench.sensor.check()
    bench.module.trouble.silent = False
    bench.sample(3)
    assert abs(bench.wh() - 37) <= 1
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("D", "E")


def test_answer_of_another_address_is_another_module(bench: Bench) -> None:
    bench.sample(5)
    original = bench.module.receive

    def answering(data: bytes, t_ns: int) -> tuple[int, bytes] | None:
        said = original(data, t_ns)
        assert said is not None
        frame = b"\x02" + said[1][1:-2]
        return said[0], frame + model.crc16(frame)

    bench.module.receive = answering
    assert bench.sample(3)[1:] == ["X", "X"]


def test_counter_that_jumps_beyond_what_can_flow_is_another_module(bench: Bench) -> None:
    bench.sample(5)
    before = bench.wh()
    bench.module.counter_offset_wh = 5_000_000
    assert "X" in bench.sample(2)
    assert bench.wh() <= before + 2
    bench.module.counter_offset_wh = 0
    assert "M" in bench.sample(2)
    assert bench.wh() <= before + 4


def test_refusal_of_the_module_is_a_read_error(bench: Bench) -> None:
    bench.sample(5)

    def refusing(_data: bytes, t_ns: int) -> tuple[int, bytes]:
        frame = bytes((1, 0x84, 1))
        return t_ns, frame + model.crc16(frame)

    bench.module.receive = refusing
    assert bench.sample(3)[1:] == ["F", "F"]


def test_power_beyond_the_alarm_of_the_module_is_out_of_range_and_not_counted(
    bench: Bench,
) -> None:
    bench.sample(5)
    before = bench.wh()
    bench.load.power_uw = 25_000_000_000
    assert "O" in bench.sample(3)
    bench.load.power_uw = 3_600_000_000
    bench.sample(3)
    assert bench.wh() <= before + 12
    assert bench.sample() == ["G"]
    assert (bench.meter.fiscal.status(), bench.meter.fiscal.err()) == ("O", "E")


def test_noise_before_an_answer_spoils_it_once(bench: Bench) -> None:
    bench.sample(5)
    bench.uart.port._ring += b"\x00\xff\x00"
    assert bench.sample(3) == ["F", "G", "G"]
    assert abs(bench.wh() - 7) <= 1


def test_energy_during_injection_is_not_added(bench: Bench) -> None:
    bench.sample(5)
    bench.meter.inject(0, False)
    bench.meter.select_input(INJECTED)
    before = bench.wh()
    bench.sample(60)
    assert bench.wh() == before
    bench.meter.select_input(SENSOR)
    bench.sample(11)
    assert before + 9 <= bench.wh() <= before + 11
    assert bench.meter.fiscal.err() == ""


def test_port_that_was_set_up_anew_is_used(bench: Bench) -> None:
    other = Uart(bench.ticks, bench.module)
    bench.sensor.use_bus(other)
    bench.sensor.begin()
    assert bench.sample() == ["G"]
    assert len(other.sent) == 2
