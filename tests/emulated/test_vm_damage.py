"""Guests whose memory is damaged at random: whatever they then do, the bench survives.

Goal: no state of a guest reaches the host as a crash, a hang or an exception. Method: flip random
words of its memory between two slices of a program that uses all imports, and run on.
"""

import random

import pytest
from vm_harness import MemoryFiles, new_guest, run

pytestmark = pytest.mark.emulated

PROGRAM = """
import os, time, host, sys, select, random, json
p = select.poll(); p.register(sys.stdin, 1)
d = open("/dev/wait", "rb"); b = bytearray(4)
n = 0
while True:
    n += 1
    try:
        with open("/f%d" % (n % 5), "a") as f: f.write(str(n) * 20)
        os.rename("/f1", "/g"); os.listdir("/"); os.stat("/g"); os.remove("/g")
        open("/f2").read(); os.urandom(9)
    except OSError: pass
    host.call("echo", "payload %d" % n)
    b[0] = n & 255; b[1] = b[2] = b[3] = 0
    d.readinto(b); time.sleep(0.001); p.poll(1)
    print(json.dumps({"n": [n, {"k": str(n)}]}))
"""
LAYOUT_BYTES = 140_000  # data, stack and the first part of the heap


def damage(seed):
    """Run one damaged guest for a while; return how it stands."""
    chance = random.Random(seed)
    vm, _ = new_guest(
        PROGRAM, filesystem=MemoryFiles(), handlers={b"echo": lambda _vm, data: data}
    )
    for _ in range(chance.randrange(5, 40)):
        vm.poll()
    for _ in range(chance.choice((1, 4, 64))):
        address = chance.randrange(1024, LAYOUT_BYTES) & ~3
        word = chance.choice((0, 0xFFFFFFFF, 0xFFFFFFF0, chance.getrandbits(32)))
        vm.write(address, word.to_bytes(4, "little"))
    for _ in range(200):
        if vm.outcome is not None or vm.next_ns() is None:
            break
        vm.poll()
        if vm.blocked and chance.random() < 0.2:
            vm.interrupt(vm.now_ns())
    outcome = vm.outcome
    vm.close()
    return outcome.kind if outcome else "runs"


def damage_many(seeds):
    ends = [damage(seed) for seed in seeds]
    assert set(ends) <= {"runs", "trap", "exit"}
    assert "trap" in ends
    assert run("print('sound')")[0] == "sound\n"


def test_sixty_damaged_guests_hurt_only_themselves():
    damage_many(range(60))


@pytest.mark.long
def test_two_thousand_damaged_guests_hurt_only_themselves():
    damage_many(range(1000, 3000))
