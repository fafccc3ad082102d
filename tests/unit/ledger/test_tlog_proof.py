"""A proof as others' tools read it, taken apart by the letter of the specification."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path

import pytest

from ledger_samples import plain, signer
from wattest.cli import main
from wattest.ledger import Ledger, LedgerView
from wattest.ledger.cosignature import Cosigner, WitnessPolicy
from wattest.ledger.tlog_proof import tlog_proof
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.store import MemoryStore, SqliteStore
from wattest.wire.note import parse_note

WITNESS = Cosigner("witness.example/w1", bytes(32))


def proved(text: bytes, entry: bytes) -> bool:
    """Check a proof with nothing but hashes; c2sp.org/tlog-proof and RFC 9162, 2.1.3.2."""
    head, _, note = text.partition(b"\n\n")
    first, index_line, *path = head.decode().split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    word, index = index_line.split(" ")
    assert word == "index"
    _, size, root = note.decode().split("\n")[:3]
    place, last = int(index), int(size) - 1
    value = sha256(b"\0" + entry).digest()
    for sibling in map(base64.b64decode, path):
        if place % 2 or place == last:
            value = sha256(b"\1" + sibling + value).digest()
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            value = sha256(b"\1" + value + sibling).digest()
        place, last = place // 2, last // 2
    return last == 0 and value == base64.b64decode(root)


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_every_entry_proves_itself_and_no_other(size: int):
    ledger = Ledger(MemoryStore(), signer())
    ledger.append([plain(n) for n in range(size)])
    newest = ledger.checkpoint()
    assert newest is not None
    for index in {0, size // 2, size - 1}:
        text = tlog_proof(ledger.prove_inclusion(index), newest)
        assert proved(text, b"\x04" + plain(index).body)
        assert not proved(text, b"\x04" + plain(index + 1).body)
        assert signer().verifier.open(text.partition(b"\n\n")[2]).size == size


def test_a_proof_for_another_size_is_not_written():
    ledger = Ledger(MemoryStore(), signer())
    ledger.append([plain(n) for n in range(3)])
    newest = ledger.checkpoint()
    assert newest is not None
    with pytest.raises(ValueError, match="of size 3, got 2"):
        tlog_proof(ledger.prove_inclusion(1, 2), newest)


def test_the_command_prints_it_with_the_cosignatures(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
):
    run = RunDir(tmp_path / "OUT")
    run.make(scenario="")
    run.write_json({CHECKPOINT_KEY: signer().verifier.to_text()})
    with SqliteStore(run.ledger) as store:
        Ledger(store, signer()).append([plain(n) for n in range(5)])
        newest = LedgerView(store, signer().verifier).checkpoint()
        assert newest is not None
        line = WITNESS.sign(parse_note(newest.note).text, 9).line.strip()
        store.add_cosignatures(5, [line.encode()])
    assert main.main(["ledger", "prove", str(run.path), "3", "--tlog-proof"]) == 0
    text = capsysbinary.readouterr().out
    assert proved(text, b"\x04" + plain(3).body)
    assert len(WitnessPolicy(1, [WITNESS.key]).verify(text.partition(b"\n\n")[2])) == 1
    for argv in (["--size", "4"], ["--json"]):
        assert main.main(["ledger", "prove", str(run.path), "3", "--tlog-proof", *argv]) == 2
    assert main.main(["ledger", "prove", str(run.path), "9", "--tlog-proof"]) == 2
    assert b"below the size 5" in capsysbinary.readouterr().err
