"""Virtual time of one guest: clocks, sleeps, waits, and what ends them early."""

import ast

import pytest
from vm_harness import new_guest, run, run_until_idle

from wattest.emulator.guest import NS_PER_FUEL, Wait

pytestmark = pytest.mark.emulated

MS = 1_000_000
SECOND = 1000 * MS
FOREVER = 10**15


def start(source, **options):
    """Run a guest until it first blocks."""
    vm, console = new_guest(source, **options)
    while vm.outcome is None and not vm.blocked:
        vm.poll()
    assert vm.blocked, console.text
    return vm, console


def run_to(vm, time_ns):
    """Run a guest until it has nothing to do before ``time_ns``."""
    while vm.next_ns() is not None and vm.next_ns() < time_ns:
        vm.poll()


def test_sleeps_and_clocks_follow_virtual_time():
    source = """
import time
a, w = time.ticks_ms(), time.time()
time.sleep(3600)
print(time.ticks_diff(time.ticks_ms(), a) // 10, int(time.time() - w))
a = time.ticks_us()
time.sleep_ms(20)
print(19_000 <= time.ticks_diff(time.ticks_us(), a) <= 21_000)
"""
    assert run(source)[0] == "360000 3600\nTrue\n"


def test_sleep_of_a_day_is_one_wait():
    vm, _ = start("import time\ntime.sleep(86400)")
    before = vm.now_ns()
    assert 86_400 * SECOND <= vm.next_ns() - before + MS < 86_400 * SECOND + 2 * MS
    vm.poll()
    assert vm.now_ns() >= before + 86_399 * SECOND
    vm.close()


def test_clock_is_start_plus_fuel_while_the_guest_computes():
    vm, _ = new_guest("while True: pass", start_ns=7 * SECOND)
    for _ in range(20):
        vm.poll()
        assert vm.now_ns() == 7 * SECOND + vm.fuel_used() * NS_PER_FUEL
    vm.close()


def test_origin_of_ticks_and_of_unix_time_can_be_set():
    source = "import time\nprint(time.ticks_ms() // 1000, int(time.time()))"
    text, _, _ = run(
        source,
        start_ns=100 * SECOND,
        ticks_origin_ns=40 * SECOND,
        unix_offset_ns=1_800_000_000 * SECOND,
    )
    assert text == "60 1800000100\n"


def test_handler_can_let_time_pass_for_a_transfer():
    source = """
import host, time
a = time.ticks_us()
host.call("transfer", "")
print(500 <= time.ticks_diff(time.ticks_us(), a) < 600)
"""
    handlers = {b"transfer": lambda vm, _payload: vm.advance(500_000)}
    assert run(source, handlers=handlers)[0] == "True\n"


BUSY = "try:\n while True: pass\nexcept KeyboardInterrupt: print('interrupted')"
SLEEP = "import time\ntry: time.sleep(100)\nexcept KeyboardInterrupt: print('interrupted')"
SLEEP_MS = SLEEP.replace("sleep(100)", "sleep_ms(100000)")
READ = "import sys\ntry: sys.stdin.read(1)\nexcept KeyboardInterrupt: print('interrupted')"
HOST_SLEEP = """
import host
try:
    while True: host.call("sleep", "100000000")
except KeyboardInterrupt: print('interrupted')
"""
DEVICE_WAIT = """
f = open("/dev/wait", "rb")
try:
    f.readinto(bytearray(b"\\xff\\xff\\xff\\xff"))
except KeyboardInterrupt: print('interrupted')
"""


@pytest.mark.parametrize(
    "source",
    [BUSY, SLEEP, SLEEP_MS, READ, HOST_SLEEP, DEVICE_WAIT],
    ids=["busy", "sleep", "sleep_ms", "console", "host call", "device"],
)
def test_interrupt_character_reaches_the_guest_whatever_it_does(source):
    vm, console = new_guest(source)
    run_to(vm, 50 * MS)
    vm.interrupt(50 * MS)
    run_until_idle(vm)
    assert console.text == "interrupted\n"
    assert 50 * MS <= vm.now_ns() < 55 * MS
    assert vm.outcome.exit_code == 0
    vm.close()


@pytest.mark.parametrize("how", ["interrupt", "callback"])
def test_interrupt_just_before_a_wait_is_not_lost(how):
    """It comes when the guest has looked for the last time and is about to block for ever."""
    source = """
import host
def f(n): print("interrupted")
try:
    host.call("block", str(id(f)))
    for i in range(10): pass
except KeyboardInterrupt: print("interrupted")
"""

    def block(vm, payload):
        if how == "interrupt":
            vm.interrupt(vm.now_ns())
        else:
            vm.schedule_callback(int(payload), 0, vm.now_ns())
        return Wait()

    text, outcome, _ = run(source, handlers={b"block": block})
    assert text == "interrupted\n"
    assert outcome.exit_code == 0


CALLBACK = """
import host, time
seen = []
def tick(n): seen.append((n, time.ticks_ms()))
host.call("callback", str(id(tick)))
end = time.ticks_add(time.ticks_ms(), 1000)
while time.ticks_diff(end, time.ticks_ms()) > 0:
    {wait}
print(seen)
"""


@pytest.mark.parametrize(
    "wait",
    [
        "pass",
        "time.sleep(1)",
        "time.sleep_ms(time.ticks_diff(end, time.ticks_ms()))",
        "host.call('sleep', str(1000 * time.ticks_diff(end, time.ticks_ms())))",
    ],
)
def test_scheduled_callbacks_run_on_time_whatever_the_guest_does(wait):
    ids = []
    handlers = {b"callback": lambda _vm, payload: ids.append(int(payload))}
    vm, console = new_guest(CALLBACK.replace("{wait}", wait), handlers=handlers)
    due = [100 * MS * n for n in range(1, 8)]
    while vm.outcome is None:
        next_ns = vm.next_ns()
        if ids and due and next_ns >= due[0]:
            assert vm.schedule_callback(ids[0], due[0] // MS, due[0])
            due.pop(0)
            continue
        vm.poll()
    assert vm.outcome.exit_code == 0, console.text
    seen = ast.literal_eval(console.text)
    assert [n for n, _ in seen] == [100, 200, 300, 400, 500, 600, 700]
    assert all(0 <= at - n <= 4 for n, at in seen)
    vm.close()


def test_fifth_callback_in_a_row_finds_the_queue_full():
    vm, _ = start("import host\ndef f(n): pass\nhost.call('sleep', '-1')")
    object_id = 66772  # never called: the guest is not run again
    answers = [vm.schedule_callback(object_id, 0, vm.now_ns()) for _ in range(5)]
    assert answers == [True] * 4 + [False]
    vm.close()


def test_console_input_wakes_a_reading_guest_at_its_time():
    vm, console = start("import sys, time\nprint(sys.stdin.readline(), time.ticks_ms())")
    assert vm.waits_for_stdin
    assert vm.next_ns() is None
    vm.feed(b"hel", 200 * MS)
    run_until_idle(vm)
    vm.feed(b"lo\n", 300 * MS)
    assert vm.next_ns() == 300 * MS
    run_until_idle(vm)
    assert console.text == "hello\n 300\n"
    vm.close()


def test_end_of_console_input_is_read_as_end_of_file():
    vm, console = start("import sys\nprint(repr(sys.stdin.read()))")
    vm.feed(b"rest", MS)
    vm.close_stdin(2 * MS)
    run_until_idle(vm)
    assert console.text == "'rest'\n"
    vm.close()


@pytest.mark.parametrize(
    ("source", "silent", "spoken"),
    [
        ("print(repr(host.call('wait', '500000')), time.ticks_ms())", "'' 50", "'1' 10"),
        ("open('/dev/wait','rb').readinto(b)\nprint(b[0], time.ticks_ms())", "0 50", "1 10"),
        ("print(len(p.poll(500)), time.ticks_ms())", "0 50", "1 10"),
    ],
    ids=["host call", "device", "builtin poll"],
)
def test_wait_for_console_input_ends_at_input_or_at_its_limit(source, silent, spoken):
    setup = """
import host, sys, time, select
p = select.poll()
p.register(sys.stdin, 1)
b = bytearray((500000).to_bytes(4, 'little'))
"""
    text, _, _ = run(setup + source)
    assert text.startswith(silent)
    vm, console = start(setup + source)
    run_to(vm, 100 * MS)
    vm.feed(b"x", 100 * MS)
    run_until_idle(vm)
    assert console.text.startswith(spoken)
    vm.close()


def test_wait_of_a_handler_ends_when_its_condition_is_met():
    answer = []
    wait = Wait(ready=lambda: answer[0] if answer else None)
    source = "import host, time\nprint(host.call('ask', ''), time.ticks_ms())"
    vm, console = start(source, handlers={b"ask": lambda *_: wait})
    vm.notify(10 * MS)
    vm.poll()
    assert vm.next_ns() is None
    answer.append(b"ready")
    vm.notify(20 * MS)
    run_until_idle(vm)
    assert console.text == "ready 20\n"
    vm.close()


def test_handler_can_stop_a_guest_that_waits_for_it():
    from wattest.emulator.guest import StopGuest

    def ready():
        raise StopGuest("power cut")

    source = "import host\nhost.call('ask', '')"
    vm, _ = new_guest(source, handlers={b"ask": lambda *_: Wait(ready=ready)})
    run_until_idle(vm)
    assert (vm.outcome.kind, vm.outcome.detail) == ("stopped", "power cut")
    vm.close()
    flag = []
    later = Wait(ready=lambda: ready() if flag else None)
    vm, _ = start(source, handlers={b"ask": lambda *_: later})
    flag.append(1)
    vm.notify(MS)
    vm.poll()
    assert (vm.outcome.kind, vm.outcome.detail) == ("stopped", "power cut")
    vm.close()


def test_sleep_costs_one_host_call_and_builtin_millisecond_sleep_many():
    """Why the guest's time module is replaced: the built-in one spins in 500 us steps."""
    polls = {}
    for name, call in (("one", "host.call('sleep', '1000000')"), ("many", "time.sleep_ms(1000)")):
        vm, _ = new_guest(f"import host, time\n{call}")
        polls[name] = 0
        while vm.outcome is None:
            vm.poll()
            polls[name] += vm.blocked
        vm.close()
    assert polls["one"] == 1
    assert polls["many"] > 500
