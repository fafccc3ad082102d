"""The board's serial port: what reaches a program, what interrupts it, what it prints."""

from __future__ import annotations

import pytest
from board_harness import SECOND, Bench

from wattest.emulator.world import World

pytestmark = pytest.mark.emulated


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time\ntime.sleep(1000)",
        "import time\nwhile True: time.sleep_ms(10)",
        "import sys\nsys.stdin.read(1)",
        "import sys, select\np = select.poll(); p.register(sys.stdin, 1)\np.poll()",
        "import machine\nmachine.lightsleep()",
    ],
)
def test_interrupt_character_reaches_a_program_anywhere(bench: Bench, program: str) -> None:
    bench.start(program)
    shown = bench.type(b"\x03", seconds=0.1)
    assert "KeyboardInterrupt" in shown
    assert shown.endswith(">>> ")
    assert bench.type("1+1\r").endswith("2\n>>> ")


def test_interrupt_character_is_taken_out_of_the_stream(bench: Bench) -> None:
    bench.start(
        """
import sys, time
got = bytearray(1)
text = b""
while True:
    try:
        sys.stdin.buffer.readinto(got)
        text += got
        print(text)
    except KeyboardInterrupt:
        print("stopped")
"""
    )
    shown = bench.type(b"ab\x03cd")
    assert "stopped" in shown
    assert shown.splitlines()[-1] == "b'abcd'"


def test_receive_ring_holds_260_bytes_and_drops_the_rest(bench: Bench) -> None:
    bench.start("import time, sys\ntime.sleep(1)\nprint(len(sys.stdin.buffer.read(260)))")
    assert bench.type(b"x" * 300, seconds=2).startswith("260\n")
    assert bench.board.uart_dropped == 40


def test_bytes_may_arrive_at_a_time_to_come(bench: Bench) -> None:
    bench.start("import sys, time\nsys.stdin.read(1)\nprint('at', time.ticks_ms())")
    bench.board.feed(b"x", 5 * SECOND)
    shown = bench.run(6)
    assert "at 475" in shown


def test_line_carries_115200_bits_a_second_both_ways(bench: Bench) -> None:
    bench.start(
        "import sys, time\nsys.stdin.read(1)\nt = time.ticks_us()\nsys.stdin.read(99)\n"
        "u = time.ticks_us()\nprint('x' * 999)\nprint(u - t, time.ticks_us() - u)"
    )
    received, sent = map(int, bench.type(b"x" * 100).splitlines()[1].split())
    assert received == pytest.approx(68 * 86.8, abs=300)  # the first 32 arrive together
    assert sent == pytest.approx(1001 * 86.8, abs=1000)


def test_program_may_switch_the_interrupt_character_off(bench: Bench) -> None:
    bench.start(
        "import micropython, sys\nmicropython.kbd_intr(-1)\nprint(repr(sys.stdin.read(2)))"
    )
    assert "'\\x03a'" in bench.type(b"\x03a")


def test_binary_output_keeps_its_bytes(bench: Bench) -> None:
    bench.start("import sys\nsys.stdout.buffer.write(b'\\x00\\n\\x01\\x00')\nprint('x')")
    assert b"\x00\n\x01\x00x\r\n" in bench.output


def test_every_byte_is_heard_by_every_subscriber_until_it_leaves(bench: Bench) -> None:
    heard: list[bytes] = []
    leave = bench.board.on_output(lambda _t_ns, data: heard.append(data))
    bench.start("print('x')")
    assert b"".join(heard) == bytes(bench.output)
    leave()
    count = len(heard)
    bench.type("1\r")
    assert len(heard) == count


def test_soft_reset_from_the_console_runs_main_again(bench: Bench) -> None:
    bench.start("print('main')")
    shown = bench.type(b"\x04")
    assert "MPY: soft reboot\nmain\n" in shown
    shown = bench.type(b"\x01\x04")
    assert "MPY: soft reboot\nraw REPL; CTRL-B to exit\n>" in shown


def test_long_input_at_the_prompt_is_run(bench: Bench) -> None:
    bench.start("")
    shown = bench.type("x = '" + "a" * 600 + "'; print(len(x))\r")
    assert shown.endswith("600\n>>> ")


def test_two_boards_in_one_world_do_not_disturb_each_other() -> None:
    world = World()
    benches = [Bench(seed=seed, world=world) for seed in (1, 2)]
    for period, bench in zip((3, 4), benches, strict=True):
        program = "import time\nwhile True:\n  print(time.ticks_ms() // 100)\n  time.sleep(%d)"
        bench.board.install({"main.py": (program % period).encode()})
        bench.board.power_on()
    world.run_until(13 * SECOND)
    bodies = [bench.output.split(b"BOOT)\r\n")[1].split() for bench in benches]
    assert bodies == [[b"0", b"30", b"60", b"90", b"120"], [b"0", b"40", b"80", b"120"]]
    for bench in benches:
        bench.close()


def test_same_seed_and_inputs_give_the_same_bytes_at_the_same_times() -> None:
    def run() -> list[tuple[int, bytes]]:
        bench = Bench(seed=7)
        bench.start(
            "import os, time, machine\n"
            "i = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21))\n"
            "for n in range(20):\n"
            "  print(n, time.ticks_us(), os.urandom(4), i.readfrom_mem(0x40, 5, 3))\n"
            "  time.sleep_ms(37)\n",
            seconds=2,
        )
        bench.type("print(time.ticks_us())\r")
        bench.board.hard_reset()
        bench.run(2)
        bench.close()
        return bench.times

    assert run() == run()
