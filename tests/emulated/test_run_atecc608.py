"""Runs of nodes whose key is in a secure element: kept, audited, cut, copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_harness import Bench

from wattest.emulator.atecc608_packet import Opcode
from wattest.emulator.atecc608_vault import Vault
from wattest.operations.events import RecordLogged
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.rundir import RunDir
from wattest.operations.virtual.demo_keys import demo_key

pytestmark = pytest.mark.emulated

BOARD = "emulated-esp32-atecc608"


def suffering(fault: str) -> Bench:
    return Bench(board=BOARD, faults=[f'node = "feeder"\nat = "31s"\n{fault}'])


def test_run_of_a_node_with_an_element_is_settled_and_verifies(tmp_path: Path) -> None:
    out = tmp_path / "OUT"
    played = Bench(board=BOARD, contract=True).play(out=out)
    assert played.end.reasons == ()
    assert played.end.passed
    records = [e.verdict.record for e in played.events if isinstance(e, RecordLogged)]
    boots = [record for record in records if record is not None and record.boot is not None]
    assert len(boots) == 1
    # What the chip of this run is, and which key it makes first, follows from the run's seed.
    twin = Vault(demo_key(7, "element", "feeder"))
    assert boots[0].extra_body == ((24, twin.serial_number),)
    *_, report = audit_run(out, second_opinion=True)
    assert isinstance(report, AuditReport)
    assert report.passed
    assert report.problems == ()
    twin.execute(Opcode.GENKEY, 4, 0, b"")
    scalar = twin.private_key_for_tests(0)
    assert scalar is not None
    for name in RunDir(out).file_names():
        content = (out / name).read_bytes()
        for order in ("big", "little"):
            key = scalar.to_bytes(32, order)
            assert key not in content
            assert key.hex().encode() not in content.lower()


@pytest.mark.parametrize(
    "fault",
    [
        'kind = "power-cut"\nfor = "30s"',
        'kind = "power-cut"\nfor = "30s"\nflash_operation = 2',
        'kind = "bus-nack"\nfor = "20s"',
        'kind = "bus-stuck"\nfor = "20s"',
        'kind = "forge"\nbit = 3',
        'kind = "replay"\nback = 2',
        'kind = "unplug"\nfor = "30s"',
    ],
    ids=["power", "flash", "nack", "stuck", "forge", "replay", "unplug"],
)
def test_fault_ends_in_the_verdict_of_any_other_node(fault: str) -> None:
    played = suffering(fault).play()
    assert played.end.reasons == ()
    assert played.end.passed


def test_copy_of_the_flash_is_no_clone_because_the_key_stays_behind() -> None:
    """On a board that keeps its key in flash the same fault ends in a fork."""
    played = suffering('kind = "clone"\nfor = "40s"\nexpect = ["unknown-key"]').play()
    assert played.judged[0].got == "unknown-key"
    assert played.end.reasons == ()


def test_same_seed_gives_the_same_run_and_another_seed_another_key(tmp_path: Path) -> None:
    kept = []
    for number, seed in enumerate((7, 7, 8)):
        out = tmp_path / str(number)
        Bench(board=BOARD, seed=seed).play(out=out)
        kept.append((out / "frames.bin").read_bytes())
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]
