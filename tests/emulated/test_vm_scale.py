"""Many guests in one process and one thread."""

from pathlib import Path

import pytest
from vm_harness import new_guest

from wattest.emulator.world import World

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc"),
]

SECOND = 1_000_000_000
NODE = """
import json, time
f = open("/dev/sensor", "rb"); b = bytearray(12); n = 0
while True:
    for _ in range(4): f.readinto(b)
    n += 1
    json.dumps({"n": n, "v": b[0]})
    if n % 10 == 0: print(n)
    time.sleep(1)
"""
PAGE_BYTES = 4096


class Board:
    def __init__(self, vm):
        self.vm = vm
        self.next_ns = vm.next_ns
        self.step = vm.poll


def sensor(vm, address, size):
    vm.view(address, size)[0] ^= 1
    return size


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def start_many(count):
    """Run ``count`` guests for 21 virtual seconds; return what each printed and its memory."""
    new_guest("")[0].close()  # what the first guest costs is not the others' share
    before = resident_bytes()
    world, guests = World(), []
    for number in range(count):
        vm, console = new_guest(NODE, devices={"sensor": sensor}, seed=b"%d" % number)
        world.add(Board(vm))
        guests.append((vm, console))
    world.run_until(21 * SECOND)
    share = (resident_bytes() - before) // count
    texts = {console.text for _, console in guests}
    alive = sum(vm.outcome is None for vm, _ in guests)
    for vm, _ in guests:
        vm.close()
    return texts, alive, share


def test_hundred_guests_run_in_step_in_half_a_mebibyte_each():
    texts, alive, share = start_many(100)
    assert texts == {"10\n20\n"}
    assert alive == 100
    assert share < 512 * 1024


@pytest.mark.long
def test_thousand_guests_run_in_step_in_half_a_mebibyte_each():
    texts, alive, share = start_many(1000)
    assert texts == {"10\n20\n"}
    assert alive == 1000
    assert share < 512 * 1024
