"""Serial ports, pulse pins and hot paths of the sensors, seen from MicroPython."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from board_harness import SECOND, Bench

from wattest.boards import load_board, node_config
from wattest.emulator.ina228 import ChipErrors
from wattest.emulator.pzem004t import Pzem004t
from wattest.emulator.s0_pulses import S0Output
from wattest.emulator.sensor_errors import MeterErrors
from wattest.emulator.uart import UartWiring
from wattest.flashing import build_firmware
from wattest.operations.virtual.fitted import fit_sensor

pytestmark = pytest.mark.emulated

MAIN = (Path(__file__).parent.parent.parent / "firmware" / "main.py").read_text()
UART = """
import machine, time
uart = machine.UART(2, baudrate=9600, tx=machine.Pin(17), rx=machine.Pin(16))
ask = b"\\x01\\x04\\x00\\x00\\x00\\x0a\\x70\\x0d"
"""
KILOWATT_UW = 10**9


class Mains:
    """230 V and a power that a test changes."""

    power_uw = 3600 * 10**6

    def power_mean_uw(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.power_uw

    def voltage_mean_uv(self, _t0_ns: int, _t1_ns: int) -> int:
        return 230_000_000


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.board.hardware.uarts = (UartWiring(device=Pzem004t(Mains()), tx=17, rx=16),)
    yield made
    made.board.close()


def test_frame_goes_out_and_the_answer_comes_at_the_speed_of_the_line(bench: Bench) -> None:
    lines = bench.printed(
        UART
        + """
print(uart.any(), uart.read(), uart.write(ask), uart.any())
t = time.ticks_ms()
while uart.any() < 25: pass
print(time.ticks_diff(time.ticks_ms(), t))
buf = bytearray(3)
print(uart.readinto(buf), buf, len(uart.read()), uart.read(), uart.any())
"""
    )
    assert lines[0] == "0 None 8 0"
    assert 52 <= int(lines[1]) <= 56  # 33 bytes of 1.04 ms and 20 ms of the module's own
    assert lines[2] == "3 bytearray(b'\\x01\\x04\\x14') 22 None 0"


def test_timeout_of_a_port_waits_no_longer_than_it_says(bench: Bench) -> None:
    lines = bench.printed(
        UART
        + """
quiet = machine.UART(1, baudrate=9600, tx=4, rx=5, timeout=30)
slow = machine.UART(2, baudrate=9600, tx=17, rx=16, timeout=200)
for port in quiet, slow:
    port.write(ask)
    t = time.ticks_ms()
    found = port.read(25)
    print(found and len(found), time.ticks_diff(time.ticks_ms(), t))
"""
    )
    (nothing, waited), (got, answered) = (line.split() for line in lines)
    assert (nothing, got) == ("None", "25")
    assert 30 <= int(waited) <= 40
    assert 54 <= int(answered) <= 66


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("machine.UART(0)", "ValueError: UART(0) does not exist"),
        ("machine.UART(1, parity=0)", "ValueError: only 8N1"),
        ("machine.UART(1, baudrate=0)", "OSError"),
    ],
)
def test_port_the_model_does_not_have_is_refused(call: str, error: str, bench: Bench) -> None:
    shown = bench.start(f"import machine\n{call}")
    assert error in shown


COUNTING = """
import machine, time
pin = machine.Pin(27, machine.Pin.IN, machine.Pin.PULL_UP)
falls = 0
def count(p):
    global falls
    falls += not p.value()
pin.irq(count, pin.IRQ_FALLING)
"""


def output_of(bench: Bench, mains: Mains, **settings: object) -> S0Output:
    return S0Output(
        bench.board, bench.world, mains, pin=27, impulses_per_kwh=1000, pulse_ms=80, **settings
    )


def test_pulses_come_at_the_exact_times_of_the_energy(bench: Bench) -> None:
    output = output_of(bench, Mains())  # a watt-hour a second
    bench.start(COUNTING)
    bench.run(60)
    assert output.pulses == 61
    said = bench.type("print(falls)\r")
    assert said.splitlines()[1] in {"60", "61"}
    assert "Traceback" not in said, "a soft interrupt at the prompt disturbs nobody"


@pytest.mark.parametrize(
    ("power_uw", "settings", "pulses"),
    [
        (KILOWATT_UW, {}, 100),
        (-KILOWATT_UW, {}, 0),
        (-KILOWATT_UW, {"exporting": True}, 100),
        (KILOWATT_UW, {"errors": MeterErrors(gain_current_ppm=20_000)}, 102),
        (0, {}, 0),
    ],
)
def test_meter_gives_a_pulse_for_each_watt_hour_of_its_direction(
    power_uw: int, settings: dict[str, object], pulses: int, bench: Bench
) -> None:
    mains = Mains()
    mains.power_uw = power_uw
    output = output_of(bench, mains, **settings)
    bench.world.run_until(361 * SECOND)
    assert output.pulses == pulses


def test_sticking_contact_holds_the_pin_until_it_is_released(bench: Bench) -> None:
    output = output_of(bench, Mains())
    output.hold()
    bench.world.run_until(10 * SECOND)
    assert bench.board.pin_level(27) == 0
    output.release()
    bench.world.run_until(10 * SECOND + SECOND // 2)
    assert bench.board.pin_level(27) == 1


def test_interrupt_of_an_interpreter_that_is_gone_is_not_called(bench: Bench) -> None:
    """A soft reset frees the handler: calling it would run whatever lies there now."""
    output_of(bench, Mains())
    bench.start(COUNTING)
    assert "soft reboot" in bench.type(b"\x03\x04", seconds=5)
    assert bench.type("print(falls > 0)\r").splitlines()[1] == "True"
    assert "raw REPL" in bench.type(b"\x03\x01")
    assert bench.board.hardware.pins[27].irq_callback
    assert "soft reboot" in bench.type(b"\x04", seconds=5)  # main.py does not run again
    assert not bench.board.hardware.pins[27].irq_callback
    assert "OK3" in bench.type(b"print(1 + 2)\x04", seconds=5)
    assert bench.board.crashes == 0


HOT = """
import micropython, time
node.meter.begin()
node.align()
for _ in range(3):
    time.sleep_ms(1010)
    node.sample_if_due()
before = node.recorder._registers.import_milliwh()
done = caught = 0
while done < 12:
    time.sleep_ms(200)
    micropython.heap_lock()
    try:
        if time.ticks_diff(time.ticks_ms(), node._sample_at) >= 0:
            node.sample_if_due()
            done += 1
    finally:
        micropython.heap_unlock()
micropython.heap_lock()
try:
    [done]
except MemoryError:
    caught = 1
finally:
    micropython.heap_unlock()
after = node.recorder._registers.import_milliwh()
print("samples", done, node.meter.status, "caught", caught, "milliwh", after - before)
"""


@pytest.mark.parametrize("name", ["ade7953", "pzem", "s0"])
def test_hot_path_of_a_sensor_allocates_nothing_under_a_locked_heap(name: str) -> None:
    """Goal: a sample of this sensor fits the node's promise: no allocation while all is well.

    Method: the node's own sample on a locked heap; a list comes last, to show that the lock works.
    """
    board_file = load_board(f"emulated-esp32-{name}")
    fitted = fit_sensor(board_file, Mains(), ChipErrors())
    bench = Bench()
    bench.bus._devices.update(fitted.bus._devices)
    config = node_config(board_file, serial="HOT", interval_ms=60_000)
    files = dict(build_firmware(config, p256_table_bytes=16_384).files)
    block = "".join(f"            {text}\n" for text in HOT.strip().splitlines())
    files["main.py"] = MAIN.replace("            node.run()\n", block).encode()
    bench.board.install(files)
    fitted.connect(bench.board, bench.world)
    bench.board.power_on()
    shown = bench.run(25)
    bench.board.close()
    line = next((line for line in shown.splitlines() if line.startswith("samples")), shown)
    assert line.startswith("samples 12 G caught 1 milliwh"), line
    assert 10_000 <= int(line.split()[-1]) <= 14_000
