"""Whatever a guest does to its board, the bench goes on; whenever power goes, the disk mounts."""

from __future__ import annotations

import random

import pytest
from board_harness import SECOND, Bench

from wattest.emulator.board_hardware import Request

pytestmark = pytest.mark.emulated

WAITS_AND_RESETS = {Request.SLEEP, Request.POLL, Request.RESET, Request.SLEEP_DEEP}


def test_senseless_requests_fail_in_the_guest_only() -> None:
    """Requests of random words: an OSError or a crash of the guest, never a fault of ours."""
    chance = random.Random(20)
    numbers = [request.value for request in Request if request not in WAITS_AND_RESETS]
    values = [0, 1, 3, 0x40, 0x80, 2048, 2049, 70_000, 0x7FFF_FFFF, 0xFFFF_FFFF]
    bench = Bench()
    bench.start("from array import array\nd = open('/dev/board', 'rb')")
    refused = 0
    for _ in range(25):
        rows = [
            [chance.choice([*numbers, 99]), *(chance.choice(values) for _ in range(7))]
            for _ in range(20)
        ]
        program = (
            f"for r in {rows}:\n"
            "  try: d.readinto(array('I', r))\n"
            "  except OSError as e: print(repr(e))\n"
        )
        shown = bench.type(f"\x05{program}\x04", seconds=5)
        refused += shown.count("OSError(28,)")  # EINVAL
        bench.board.power_off()
        bench.board.power_on()
        bench.run(1)
    assert refused > 20
    assert "2\n>>> " in bench.type("1+1\r")
    bench.close()


def test_supply_may_be_cut_at_any_moment_of_a_writing_node() -> None:
    """Thirty cuts at seeded times; what was closed before is there, the rest is whole or gone."""
    main = """
import os
try: n = int(open("last").read())
except OSError: n = 0
while True:
    n += 1
    with open("new", "w") as f: f.write(str(n))
    os.rename("new", "last")
    print("kept", n)
"""
    chance = random.Random(4)
    bench = Bench()
    bench.board.install({"main.py": main.encode()})
    kept = 0
    for _ in range(30):
        bench.board.power_on()
        off_ns = bench.world.now_ns + 250_000_000 + chance.randrange(SECOND)
        bench.world.call_at(off_ns, bench.board.power_off)
        for line in bench.run(2).splitlines():
            if line.startswith("kept ") and line[5:].isdigit():
                kept = max(kept, int(line[5:]))
        assert not bench.board.powered
        found = int(bench.board.disk(format_if_needed=False).read_file("/last"))
        assert found in (kept, kept + 1)
    assert kept > 100
    bench.close()
