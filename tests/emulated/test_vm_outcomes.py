"""However a guest ends, the bench goes on: every end is an outcome."""

import gc
import threading
from pathlib import Path

import pytest
from vm_harness import MemoryFiles, new_guest, run, run_until_idle

from wattest.emulator.engine import load_engine
from wattest.emulator.guest import GuestVm, HandlerRefused, StopGuest, Wait
from wattest.errors import EmulatorError

pytestmark = pytest.mark.emulated

PROCESS = Path("/proc/self")
BROKEN_STRING = """
import machine, host
s = "payload-{}".format(1)
machine.mem32[id(s) + 12] = 0xfffffff0
"""


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_code_of_the_guest_is_reported(code):
    outcome = run(f"import sys\nsys.exit({code})")[1]
    assert (outcome.kind, outcome.exit_code) == ("exit", code)


def test_uncaught_exception_prints_a_traceback_and_exits_with_1():
    text, outcome, _ = run("1/0")
    assert "ZeroDivisionError" in text
    assert (outcome.kind, outcome.exit_code) == ("exit", 1)


@pytest.mark.parametrize(
    "source",
    [
        "import machine\nmachine.mem32[0xfffffff0] = 1",
        "import machine\nfor a in range(1024, 190000, 4): machine.mem32[a] = 0",
        "import machine\nfor a in range(66772, 66900, 4): machine.mem32[a] = 0xdeadbeef\n[0]*99",
    ],
    ids=["wild pointer", "all memory zeroed", "interpreter state overwritten"],
)
def test_guest_that_destroys_itself_ends_alone(source):
    vm, _ = new_guest(source)
    run_until_idle(vm, polls_max=5000)
    assert vm.outcome.kind == "trap" or vm.outcome.exit_code == 1
    vm.close()
    assert run("print('next')")[0] == "next\n"


@pytest.mark.parametrize(
    "use",
    ["host.call('any', s)", "open(s)", "print(s)", "open('/a', 'w').write(s)"],
    ids=["host call", "path", "print", "file write"],
)
def test_wild_pointer_handed_to_the_host_is_a_trap(use):
    handlers = {b"any": lambda _vm, payload: payload}
    _, outcome, _ = run(BROKEN_STRING + use, handlers=handlers, filesystem=MemoryFiles())
    assert outcome.kind == "trap"


def test_deep_recursion_is_a_runtime_error_in_the_guest():
    source = """
def f(n): return f(n + 1)
try: f(0)
except RuntimeError as e: print(e)
a = []
for _ in range(2000): a = [a]
try: str(a)
except RuntimeError as e: print(e)
"""
    text, outcome, _ = run(source)
    assert text == "maximum recursion depth exceeded\n" * 2
    assert outcome.exit_code == 0


def test_endless_loop_can_be_watched_and_killed():
    vm, _ = new_guest("while True: pass")
    for _ in range(50):
        vm.poll()
    assert vm.outcome is None
    assert vm.now_ns() >= 20_000_000
    vm.kill("power off")
    assert (vm.outcome.kind, vm.outcome.detail) == ("killed", "power off")
    assert vm.next_ns() is None
    vm.poll()
    vm.close()
    vm.close()


@pytest.mark.parametrize("end", ["kill", "close"])
@pytest.mark.parametrize(
    "use",
    ["print('second')", "host.call('end', '')", "host.call('late', '')", "f.readinto(b)"],
    ids=["output", "host call", "woken host call", "device"],
)
def test_guest_killed_from_inside_its_own_callback_ends_there(use, end):
    source = f"""
import host
f = open("/dev/end", "rb"); b = bytearray(1)
print("first")
{use}
print("never")
"""

    def finish(*_):
        getattr(vm, end)()
        return 1

    def output(data, _at_ns):
        seen.append(data)
        if b"second" in data:
            finish()

    late = []
    wait = Wait(ready=lambda: str(finish()).encode() if late else None)
    seen = []
    vm, _ = new_guest(
        source,
        handlers={b"end": lambda *_: str(finish()).encode(), b"late": lambda *_: wait},
        devices={"end": finish},
    )
    vm._on_output = output
    run_until_idle(vm)
    if vm.outcome is None:
        late.append(True)
        vm.notify(vm.now_ns())
        run_until_idle(vm)
    assert vm.outcome.kind == "killed"
    assert b"first" in seen
    assert b"never" not in seen
    vm.close()


def test_handler_can_stop_the_guest_with_a_reason():
    class Reset(StopGuest):
        pass

    def reset(_vm, _payload):
        raise Reset("machine.reset")

    text, outcome, _ = run(
        "import host\nprint(1)\ntry: host.call('reset', '')\nfinally: print(2)",
        handlers={b"reset": reset},
    )
    assert text == "1\n"
    assert (outcome.kind, outcome.detail) == ("stopped", "machine.reset")
    assert isinstance(outcome.error, Reset)


def test_file_system_can_stop_the_guest_in_a_write():
    class Torn(MemoryFiles):
        def write(self, handle, data):
            raise StopGuest("power cut")

    outcome = run("open('/a', 'w').write('x')", filesystem=Torn())[1]
    assert (outcome.kind, outcome.detail) == ("stopped", "power cut")


def test_exception_in_a_handler_of_ours_is_a_fault_not_a_crash_of_the_bench():
    outcome = run("import host\nhost.call('bad', '')", handlers={b"bad": lambda *_: 1 // 0})[1]
    assert outcome.kind == "fault"
    assert isinstance(outcome.error, ZeroDivisionError)


def test_keyboard_interrupt_of_the_person_leaves_the_bench():
    def interrupted(_vm, _payload):
        raise KeyboardInterrupt

    vm, _ = new_guest("import host\nhost.call('h', '')", handlers={b"h": interrupted})
    with pytest.raises(KeyboardInterrupt):
        run_until_idle(vm)
    assert vm.outcome.kind == "fault"
    vm.close()


def test_refused_and_unknown_host_calls_are_runtime_errors_in_the_guest():
    def refuse(_vm, _payload):
        raise HandlerRefused

    source = """
import host
for n in ("refused", "unknown"):
    try: host.call(n, "")
    except RuntimeError as e: print(n, e)
"""
    expected = "refused host callback failed\nunknown host callback failed\n"
    assert run(source, handlers={b"refused": refuse})[0] == expected


def test_oversized_host_result_is_a_value_error_in_the_guest():
    source = "import host\ntry: host.call('h', '')\nexcept ValueError as e: print(e)"
    text, outcome, _ = run(source, handlers={b"h": lambda *_: b"x" * 1025})
    assert text == "host callback result too large\n"
    assert outcome.exit_code == 0


def make_and_kill(count):
    kinds = ("while True: pass", "import time\ntime.sleep(1000)", "print(1)", "x = [0] * 9000")
    for number in range(count):
        vm, _ = new_guest(kinds[number % 4])
        for _ in range(4):
            vm.poll()
        vm.close()


def resident_kib():
    status = (PROCESS / "status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def entries(folder):
    return len(list((PROCESS / folder).iterdir()))


@pytest.mark.skipif(not PROCESS.exists(), reason="needs Linux's /proc")
def test_two_hundred_guests_leave_no_memory_no_thread_and_no_file_behind():
    load_engine()
    make_and_kill(50)
    gc.collect()
    threads, files = threading.active_count(), entries("fd")
    tasks, memory = entries("task"), resident_kib()
    make_and_kill(200)
    gc.collect()
    assert threading.active_count() == threads
    assert entries("task") == tasks
    assert entries("fd") == files
    assert resident_kib() - memory < 4096


def test_no_memory_for_another_guest_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("wattest.emulator.instance.MEMORY_BYTES_MAX", 65536)
    with pytest.raises(EmulatorError, match="no memory for another guest"):
        GuestVm(load_engine(), arguments=["micropython"])
