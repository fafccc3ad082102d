"""The guest's machine, esp32, time, os and select: what node code may expect of a board."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from board_harness import Bench

import wattest.emulator
from wattest.emulator.board_hardware import Request
from wattest.emulator.i2c import BitErrorFault, NackFault, StuckBusFault

pytestmark = pytest.mark.emulated

I2C = """
import machine, time, micropython, errno, gc
i2c = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=400000)
"""


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


def test_sensor_answers_on_the_bus(bench: Bench) -> None:
    lines = bench.printed(
        I2C
        + """
print(i2c.scan(), i2c.readfrom_mem(0x40, 0x3e, 2), i2c.readfrom_mem(0x40, 0x3f, 2))
i2c.writeto_mem(0x40, 2, b"\\x0f\\xd2")
time.sleep(1)
b = bytearray(3)
i2c.readfrom_mem_into(0x40, 7, b)
print(int.from_bytes(b, "big") >> 4)
i2c.writeto(0x40, b"\\x05")
print(i2c.readfrom(0x40, 3))
"""
    )
    assert lines == ["[64] b'TI' b'\"\\x81'", "314572", "b'<\\x00\\x00'"]


def test_hot_path_allocates_nothing(bench: Bench) -> None:
    lines = bench.printed(
        I2C
        + """
import select, sys
rtc = machine.RTC()
poller = select.poll()
poller.register(sys.stdin, select.POLLIN)
three, state, head = bytearray(3), bytearray(200), memoryview(bytearray(8))
time.sleep(1)
gc.collect()
before = gc.mem_free()
micropython.heap_lock()
for _ in range(3):
    i2c.readfrom_mem_into(0x40, 7, three)
    i2c.readfrom_mem_into(0x40, 0x3e, head)
    i2c.writeto_mem(0x40, 2, b"\\x0f\\xd2")
    rtc.memory(state)
    time.sleep_ms(10)
    time.sleep_us(10)
    time.time()
    for _ in poller.ipoll(20):
        pass
    time.ticks_diff(time.ticks_ms(), 5)
micropython.heap_unlock()
print(before - gc.mem_free() < 32)
"""
    )
    assert lines == ["True"]


def test_transfers_take_bus_time(bench: Bench) -> None:
    lines = bench.printed(
        I2C
        + """
slow = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=10000)
b = bytearray(5)
for bus in i2c, slow:
    t = time.ticks_us()
    bus.readfrom_mem_into(0x40, 9, b)
    print(time.ticks_diff(time.ticks_us(), t))
"""
    )
    fast, slow = map(int, lines)
    # address, register, address, 5 bytes: 74 clocks
    assert 185 <= fast < 400
    assert 7400 <= slow < 7600


def test_faults_of_the_bus_have_an_esp32s_errno(bench: Bench) -> None:
    bench.start(I2C + "b = bytearray(2)\ndef get(): i2c.readfrom_mem_into(0x40, 0x3e, b)")
    check = (
        "\x05try: get(); print(bytes(b))\n"
        "except OSError as e: print(errno.errorcode[e.errno])\n\x04"
    )
    assert "b'TI'\n" in bench.type(check)
    for fault, expected in (
        (NackFault(0x40), "ENODEV\n"),
        (StuckBusFault(), "ETIMEDOUT\n"),
        (BitErrorFault(0x40, every=1, bit=0), "b'\\xd4I'\n"),
    ):
        bench.bus.add_fault(fault)
        assert expected in bench.type(check)
        bench.bus.remove_fault(fault)
    assert "b'TI'\n" in bench.type(check)


def test_pins_that_lead_nowhere_find_nobody(bench: Bench) -> None:
    lines = bench.printed(
        "import machine\nprint(machine.I2C(0, scl=machine.Pin(5), sda=machine.Pin(4)).scan(),"
        " machine.I2C(0).scan(), machine.SoftI2C(machine.Pin(22), machine.Pin(21)).scan())"
    )
    assert lines == ["[] [] [64]"]


def test_pin_levels_and_interrupts(bench: Bench) -> None:
    bench.start(
        """
from machine import Pin
import time
out = Pin(2, Pin.OUT, value=1)
button = Pin(0, Pin.IN, Pin.PULL_UP)
button.irq(lambda p: print("irq", p, p.value()), Pin.IRQ_FALLING)
print("pull", button.value())
while True: time.sleep(10)
"""
    )
    assert "pull 1" in bench.output.decode()
    assert bench.board.pin_level(2) == 1
    bench.board.set_pin(0, 0)
    assert bench.run(1) == "irq Pin(0) 0\n"
    bench.board.set_pin(0, 1)
    assert bench.run(1) == ""


def test_timer_fires_in_loops_sleeps_and_polls(bench: Bench) -> None:
    lines = bench.printed(
        """
import time, select, sys
from machine import Timer
seen = []
t0 = time.ticks_ms()
t = Timer(0)
t.init(period=100, callback=lambda t: seen.append(time.ticks_diff(time.ticks_ms(), t0)))
while len(seen) < 3: pass
time.sleep(0.3)
p = select.poll(); p.register(sys.stdin, 1)
p.poll(400)
t.deinit()
print(time.ticks_diff(time.ticks_ms(), t0), seen)
once = Timer(1)
once.init(mode=Timer.ONE_SHOT, period=50, callback=lambda t: seen.append("once"))
time.sleep(1)
print(seen[-1], len(seen))
"""
    )
    total, seen = re.fullmatch(r"(\d+) \[(.*)\]", lines[0]).groups()
    times = [int(part) for part in seen.split(", ")]
    assert 1000 <= int(total) <= 1010
    assert [round(time / 100) for time in times[:9]] == list(range(1, 10))
    assert all(abs(time - 100 * n) <= 3 for n, time in enumerate(times, 1))
    assert lines[1] == f"once {len(times) + 1}"


def test_callback_may_sleep_inside_a_sleep(bench: Bench) -> None:
    lines = bench.printed(
        """
import time
from machine import Timer
t0 = time.ticks_ms()
Timer(0).init(mode=Timer.ONE_SHOT, period=100, callback=lambda t: time.sleep_ms(50))
time.sleep_ms(500)
print(time.ticks_diff(time.ticks_ms(), t0))
"""
    )
    assert 500 <= int(lines[0]) <= 505


def test_analogue_input_shows_the_applied_voltage(bench: Bench) -> None:
    bench.board.set_adc_uv(34, 1_225_000)
    lines = bench.printed(
        "from machine import ADC, Pin\na = ADC(Pin(34), atten=ADC.ATTN_11DB)\n"
        "print(a.read_uv(), a.read(), a.read_u16())\nprint(ADC(Pin(34)).read_uv())"
    )
    assert lines == ["1225000 2047 32759", "950000"]


def test_nvs_keeps_committed_values_over_a_power_cycle(bench: Bench) -> None:
    bench.start("import esp32\nn = esp32.NVS('meter')\nb = bytearray(8)")
    bench.type("n.set_i32('count', -5); n.set_blob('key', b'secret'); n.commit()\r")
    bench.type("n.set_i32('count', 9)\r")
    bench.board.power_off()
    bench.board.power_on()
    bench.run(1)
    assert "-5 6 bytearray(b'secret\\x00\\x00')" in bench.type(
        "print(n.get_i32('count'), n.get_blob('key', b), b)\r"
    )
    shown = bench.type("n.get_i32('none')\r")
    assert "OSError: (-4354, 'ESP_ERR_NVS_NOT_FOUND')" in shown
    assert "ESP_ERR_NVS_INVALID_LENGTH" in bench.type("n.get_blob('key', bytearray(2))\r")


def test_time_is_an_integer_since_2000_and_sleeps_are_exact(bench: Bench) -> None:
    lines = bench.printed(
        """
import time
t = time.ticks_ms()
time.sleep(1.5); time.sleep_ms(250); time.sleep_us(250000)
print(time.ticks_diff(time.ticks_ms(), t))
print(type(time.time()), time.time_ns() // 10**9 == time.time())
print(time.mktime((2000, 1, 2, 0, 0, 0, 0, 0)), time.gmtime(86400))
time.sleep_ms(0)
"""
    )
    assert 2000 <= int(lines[0]) <= 2001
    assert lines[1:] == [
        "<class 'int'> True",
        "86400 (2000, 1, 2, 0, 0, 0, 6, 2)",
    ]


def test_crystal_error_moves_every_clock_of_the_node() -> None:
    bench = Bench(ppm=-50)
    bench.start("import time\nt, u = time.ticks_ms(), time.time_ns()")
    bench.run(10_000)
    shown = bench.type("print(time.ticks_ms() - t, (time.time_ns() - u) // 10**6)\r")
    ticks, wall = map(int, shown.splitlines()[1].split())
    assert abs(ticks - wall) <= 1  # each is rounded by itself
    # 10 000 s, less 50 ppm, and the moment between start and question
    assert 9_999_500 <= ticks <= 9_999_500 + 1_000
    bench.close()


def test_os_lists_sizes_and_free_space_but_not_the_shims(bench: Bench) -> None:
    bench.board.install({"lib/a.bin": bytes(300)})
    lines = bench.printed(
        """
import os
print(sorted(os.listdir()), list(os.ilistdir("/lib")))
print(os.statvfs("/")[:5], os.uname()[4][:5], len(os.urandom(16)), os.stat("/lib/a.bin")[6])
os.sync()
"""
    )
    assert lines == [
        "['lib', 'main.py'] [('a.bin', 32768, 0, 300)]",
        "(4096, 4096, 512, 506, 506) Gener 16 300",
    ]


def test_entropy_differs_between_boots_and_boards_but_replays() -> None:
    def drawn(seed: int) -> list[str]:
        bench = Bench(seed=seed)
        lines = [bench.start("import os; print('u', os.urandom(8))")]
        bench.board.hard_reset()
        lines.append(bench.run(1))
        bench.close()
        return [re.search(r"u (b.*)", line)[1] for line in lines]

    one, two = drawn(1), drawn(2)
    assert drawn(1) == one
    assert len({*one, *two}) == 4


def test_poll_sees_input_at_its_time(bench: Bench) -> None:
    bench.start(
        """
import sys, select, time
p = select.poll(); p.register(sys.stdin, select.POLLIN)
b = bytearray(1)
while True:
    if p.poll(700):
        sys.stdin.buffer.readinto(b); print(time.ticks_ms(), b)
    else: print("-")
"""
    )
    at = bench.world.now_ns + 1_234_000_000
    bench.board.feed(b"x", at)
    lines = bench.run(1.5).splitlines()
    got = next(line for line in lines if "x" in line)
    assert int(got.split()[0]) == pytest.approx((at - 250_000_000) / 1e6, abs=2)


def test_builtins_of_the_interpreters_own_machine_are_still_there(bench: Bench) -> None:
    assert bench.printed("import machine\nprint(machine.Signal.__name__)") == ["Signal"]


def test_requests_of_shims_and_host_are_the_same() -> None:
    """Each ``_NAME = const(n)`` of a shim is the number of a request the host serves."""
    rom = Path(wattest.emulator.__file__).parent / "rom"
    used = set()
    for source in rom.glob("*.py"):
        for name, value in re.findall(
            r"^_(\w+) = const\((\d+)\)$", source.read_text(), re.MULTILINE
        ):
            if name not in ("INPUT", "EPOCH_2000"):
                used.add(int(value))
    assert used == {request.value for request in Request}
