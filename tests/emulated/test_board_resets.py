"""Supply, resets and crashes: what an ESP32 would report, and what survives."""

from __future__ import annotations

import pytest
from board_harness import SECOND, Bench

from wattest.emulator.board import Power
from wattest.emulator.flash import NorFlash
from wattest.errors import EmulatorError

pytestmark = pytest.mark.emulated

REPORT = """
import machine
r = machine.RTC()
print("cause", machine.reset_cause(), bytes(r.memory()))
r.memory(b"kept")
"""


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


def test_boot_runs_boot_then_main_then_the_repl(bench: Bench) -> None:
    shown = bench.start("print('main')", boot="print('boot')")
    assert shown.startswith("ets Jul 29 2019")
    assert "POWERON_RESET" in shown
    assert shown.index("boot\n") < shown.index("main\n") < shown.index(">>> ")


def test_byte_code_is_imported_from_the_file_system(bench: Bench) -> None:
    bench.board.install({"node/__init__.py": b"", "node/app.py": b"print('app', __name__)"})
    assert "app node.app" in bench.start("import node.app")


def test_boot_takes_the_declared_time(bench: Bench) -> None:
    bench.start("print('up')")
    first = next(t_ns for t_ns, data in bench.times if data == b"up")
    assert 250_000_000 < first < 300_000_000


@pytest.mark.parametrize(
    ("reset", "cause", "memory"),
    [
        ("machine.reset()", 2, b"kept"),
        ("hard_reset", 2, b"kept"),
        ("soft_reset", 5, b"kept"),
        ("machine.soft_reset()", 5, b"kept"),
        ("wdt = machine.WDT(timeout=300)\nwhile True: pass", 3, b"kept"),
        ("machine.deepsleep(2000)", 4, b"kept"),
        ("import uctypes; uctypes.bytearray_at(0xfffffff0, 4)[0] = 1", 2, b"kept"),
        ("brown_out", 1, b""),
        ("press_enable", 1, b""),
        ("power_cycle", 1, b""),
    ],
)
def test_reset_cause_and_always_on_memory(
    bench: Bench, reset: str, cause: int, memory: bytes
) -> None:
    assert "cause 1 b''" in bench.start(REPORT)
    if reset == "power_cycle":
        bench.board.power_off()
        bench.run(1)
        bench.board.power_on()
        shown = bench.run(1)
    elif reset.isidentifier():
        getattr(bench.board, reset)()
        shown = bench.run(1)
    else:
        shown = bench.type(f"\x05{reset}\n\x04", seconds=3)
    assert f"cause {cause} {memory!r}" in shown
    assert bench.board.reset_cause == cause


def test_crash_is_reported_counted_and_ends_in_a_reboot(bench: Bench) -> None:
    bench.start("print('up')")
    shown = bench.type("import uctypes; uctypes.bytearray_at(0xfffffff0, 4)[0] = 1\r")
    assert "Guru Meditation Error" in shown
    assert "rst:0xc (SW_CPU_RESET)" in shown
    assert shown.count("up\n") == 1
    assert (bench.board.crashes, bench.board.powered) == (1, True)


def test_watchdog_fed_in_time_does_not_bite(bench: Bench) -> None:
    main = "import machine, time\nw = machine.WDT(timeout=500)\n"
    bench.start(
        main + "for _ in range(20): time.sleep_ms(400); w.feed()\nprint('end')", seconds=8.5
    )
    assert bench.board.boots == 1
    shown = bench.run(1)
    assert "task_wdt: Task watchdog got triggered" in shown
    assert bench.board.reset_cause == 3


def test_uncaught_error_and_lack_of_memory_end_in_the_repl(bench: Bench) -> None:
    shown = bench.start("print('a')\nb = bytearray(10**7)", seconds=1)
    assert 'Traceback (most recent call last):\n  File "/main.py", line 2' in shown
    assert "MemoryError" in shown
    assert "_supervisor" not in shown
    assert bench.type("1+1\r").endswith("1+1\n2\n>>> ")


def test_exit_of_main_is_a_soft_reset(bench: Bench) -> None:
    bench.start("import machine, sys\nif machine.reset_cause() != 5: sys.exit()")
    assert b"MPY: soft reboot" in bench.output
    assert bench.board.boots == 2


def test_deep_sleep_without_end_waits_for_a_reset(bench: Bench) -> None:
    bench.start("import machine\nif machine.reset_cause() == 1: machine.deepsleep()")
    assert bench.board.power is Power.DEEP_SLEEP
    bench.run(1000)
    assert bench.board.power is Power.DEEP_SLEEP
    bench.board.hard_reset()
    bench.run(1)
    assert bench.board.power is Power.RUNNING


def test_endless_loop_is_cut_short_by_power(bench: Bench) -> None:
    bench.start("while True: pass")
    bench.board.power_off()
    assert not bench.board.powered
    assert bench.run(10) == ""


def test_flash_is_not_to_be_touched_while_the_board_is_on(bench: Bench) -> None:
    bench.start("")
    with pytest.raises(EmulatorError, match="in use while the board is on"):
        bench.board.install({"a": b""})


def test_clock_starts_at_2000_and_survives_all_but_power(bench: Bench) -> None:
    show = "import time, machine; print('t', time.time(), time.localtime()[:3])"
    assert "t 0 (2000, 1, 1)" in bench.start(show)
    bench.type("machine.RTC().datetime((2026, 11, 21, 5, 12, 0, 0, 0))\r")
    bench.board.hard_reset()
    assert "(2026, 11, 21)" in bench.run(1)
    bench.board.power_off()
    bench.board.power_on()
    assert "t 0 (2000, 1, 1)" in bench.run(1)


def test_power_cut_at_every_flash_operation_leaves_old_or_new() -> None:
    """A node writes a new file and renames it over the old one, from boot to the end."""
    bench = Bench()
    bench.board.install({"state": b"old"})
    main = (
        "import os\nwith open('new', 'wb') as f: f.write(b'new' * 50)\n"
        "os.rename('new', 'state')\nprint('done')"
    )
    bench.board.install({"main.py": main.encode()})
    bench.close()
    start, seen = bench.board.flash, []
    for cut in range(1, 100):
        trial = Bench(flash=start.copy())
        trial.board.flash.cut_after(cut)
        trial.board.power_on()
        shown = trial.run(1)
        if trial.board.powered:
            assert "done" in shown
            trial.close()
            break
        seen.append(trial.board.disk(format_if_needed=False).read_file("/state"))
        trial.board.power_on()
        assert "done" in trial.run(1)
        trial.close()
    assert len(seen) == cut - 1 > 3
    assert set(seen) <= {b"old", b"new" * 50}


def test_cut_while_the_first_format_runs_is_repaired_at_the_next_start() -> None:
    flash = NorFlash(4 << 20)
    flash.cut_after(2)
    bench = Bench(flash=flash)
    bench.board.power_on()
    bench.run(1)
    assert not bench.board.powered
    bench.board.power_on()
    assert ">>> " in bench.run(1)
    bench.close()


def test_flash_writes_take_their_time(bench: Bench) -> None:
    main = (
        "import time\nt = time.ticks_ms()\nwith open('a', 'wb') as f: f.write(bytes(8192))\n"
        "print(time.ticks_diff(time.ticks_ms(), t))"
    )
    (elapsed,) = bench.printed(main)
    assert 2 * 45 + 20 <= int(elapsed) <= 300


def test_clone_of_the_flash_boots_as_a_second_board(bench: Bench) -> None:
    bench.start("print('me')")
    clone = Bench(flash=bench.board.flash.copy(), world=bench.world)
    clone.board.power_on()
    assert "me" in clone.run(1)
    clone.close()


def test_board_that_is_off_ignores_input_and_resets(bench: Bench) -> None:
    bench.board.install({"main.py": b""})
    bench.board.feed(b"1+1\r")
    bench.board.hard_reset()
    bench.board.brown_out()
    bench.board.soft_reset()
    assert bench.run(1) == ""
    assert bench.world.now_ns == SECOND
