"""Power fails at every flash operation of the whole firmware, and again while it recovers."""

import pytest
from power_cuts import check_evidence, images, logged_run

from emulated import Setup
from wattest.emulator.flash import NorFlash

pytestmark = pytest.mark.emulated

SMALL = {"interval_ms": 1000, "journal_bytes": 16_384, "journal_segment_bytes": 2048}
WATTS = 288
SET_TIME, SET_INTERVAL, BEGIN, END, IDENTIFY = 1, 2, 4, 5, 7
NOON_MS = 1_767_268_800_000


def provisioned() -> NorFlash:
    return Setup(**SMALL).flash


def sweep(base: NorFlash, run: Setup, log: list, *, recovery_s: float, elapsed_s: float) -> int:
    """Boot each image a cut can leave; operations covered."""
    covered = 0
    for number, flash, received in images(base, log):
        after = Setup(flash=flash).start().run_s(recovery_s)
        try:
            before = run.host.records[:received]
            check_evidence(before, after, watts=WATTS, seconds=elapsed_s + recovery_s)
        except AssertionError as fault:
            raise AssertionError(f"power cut at flash operation {number}: {fault}") from fault
        covered += 1
    return covered


def test_power_cut_at_every_flash_operation_of_a_short_life() -> None:
    """First boot, sealing, appending, acknowledging, rotating and pruning, a segment of each."""
    base = provisioned()
    run, log = logged_run(base, 8.5)
    assert len(run.records()) >= 9
    assert run.host.hellos[0][3] == 0
    covered = sweep(base, run, log, recovery_s=2.2, elapsed_s=9)
    print(f"whole firmware: power cut at each of {covered} flash operations")
    assert covered == len(log) > 80


def long_life(setup: Setup) -> None:
    """Commands, a transaction, a silent host and a full journal."""
    setup.run_s(3)
    setup.command(SET_TIME, NOON_MS)
    setup.command(BEGIN, "session-0001")
    setup.run_s(3)
    setup.command(END)
    setup.acknowledging = False
    setup.run_s(25)
    setup.acknowledging = True
    setup.run_s(15)
    setup.command(SET_INTERVAL, 2000)
    setup.command(IDENTIFY, b"01234567")
    setup.run_s(5)


@pytest.mark.long
def test_power_cut_at_every_flash_operation_of_a_long_life() -> None:
    base = provisioned()
    run, log = logged_run(base, 0, long_life)
    assert len(run.records(1)) == 2
    covered = sweep(base, run, log, recovery_s=9, elapsed_s=70)
    print(f"long life: power cut at each of {covered} flash operations")
    assert covered == len(log) > 300


@pytest.mark.long
def test_second_power_cut_at_every_flash_operation_of_recovery() -> None:
    """The boot after each cut is itself cut at each of its operations."""
    base = provisioned()
    run, log = logged_run(base, 8.5)
    covered = 0
    for _number, flash, received in images(base, log):
        boot, boot_log = logged_run(flash, 1.1)
        before = run.host.records[:received]
        for second, image, more in images(flash, boot_log):
            after = Setup(flash=image).start().run_s(2.2)
            seen = before + boot.host.records[:more]
            check_evidence(seen, after, watts=WATTS, seconds=13)
            covered = covered + 1 if second else covered
    print(f"recovery: second power cut at {covered} flash operations")
    assert covered > 1000
