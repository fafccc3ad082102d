"""A witness under many hands at once, under damage, and under SIGKILL."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ledger_samples import signer
from wattest.errors import ConfigError, WattestError
from wattest.ledger.cosignature import Cosigner
from wattest.ledger.witness import AddCheckpoint, WitnessState, add_checkpoint
from wattest.ledger.witness_client import ask_to_cosign
from wattest.ledger.witness_state import state_from_json, state_to_json
from wattest.witness import WitnessAddress, line_to, read_witness
from witness_samples import SampleLog, served, way_to

VERIFIER = signer().verifier
WITNESS = Cosigner("witness.example/w1", b"\x05" * 32)


def test_many_logs_hands_at_once_never_take_the_witness_back(tmp_path: Path):
    log = SampleLog(1)
    views = []
    for _ in range(12):
        log.grow(3)
        views.append(log.view)
    random.Random(4).shuffle(views)
    with served(tmp_path / "w.json") as (server, told):
        failures: list[WattestError] = []

        def ask(number: int) -> None:
            try:
                ask_to_cosign(views[number], way_to(server))
            except WattestError as error:
                failures.append(error)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(views))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sizes = [each.size for each in told if each.status == 200]
        assert sizes == sorted(sizes)  # type: ignore[type-var]
        assert server.keeper.state.logs["wattest/test"].size == sizes[-1]
        ask_to_cosign(log.view, way_to(server))
    assert not failures
    assert read_witness(tmp_path / "w.json")[1].logs["wattest/test"].size == 37


@pytest.mark.parametrize("old", [0, 5])
def test_no_request_with_one_byte_changed_is_cosigned(old: int):
    log, state = SampleLog(5), WitnessState().with_key(VERIFIER)
    if old:
        first = AddCheckpoint(old_size=0, proof=(), note=log.note).encode()
        state, _ = add_checkpoint(state, first, cosigner=WITNESS, time_s=1)
    log.grow(6)
    proof = log.ledger.prove_consistency(old).path
    body = AddCheckpoint(old_size=old, proof=proof, note=log.note).encode()
    chance = random.Random(old)
    for place in range(len(body)):
        for value in {body[place] ^ 1, body[place] ^ 0x20, chance.randrange(256)} - {body[place]}:
            changed = body[:place] + bytes([value]) + body[place + 1 :]
            after, answer = add_checkpoint(state, changed, cosigner=WITNESS, time_s=2)
            assert answer.status in (400, 403, 404, 409, 422), changed
            assert after is state
        after, answer = add_checkpoint(state, body[:place], cosigner=WITNESS, time_s=2)
        assert (answer.status, after) == (400, state)


def test_no_state_with_one_byte_changed_means_something_else():
    log, state = SampleLog(5), WitnessState().with_key(VERIFIER)
    body = AddCheckpoint(old_size=0, proof=(), note=log.note).encode()
    state, _ = add_checkpoint(state, body, cosigner=WITNESS, time_s=1)
    data = state_to_json(WITNESS.key.name, state)
    known = state.logs["wattest/test"]
    refused = 0
    for place in range(len(data)):
        for value in (data[place] ^ 1, data[place] ^ 0x20):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            try:
                name, read = state_from_json(changed, WITNESS.key)
            except ConfigError:
                refused += 1
                continue
            (log_read,) = read.logs.values()
            assert name == WITNESS.key.name
            assert (log_read.size, log_read.root) == (known.size, known.root)
            assert [k.to_text() for k in log_read.keys] == [VERIFIER.to_text()]
    assert refused > 1.8 * len(data)


def kill_once(path: Path, log: SampleLog, chance: random.Random) -> int:
    """Serve in a process that is killed while checkpoints grow; return the last size said."""
    command = [sys.executable, "-m", "wattest.cli.main", "witness", "--state", str(path)]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--log", VERIFIER.to_text()],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        url = lines[2].split()[1].rstrip(";")
        line = line_to(WitnessAddress(url=url, key=read_witness(path)[0]))
        said = 0

        def ask() -> None:
            nonlocal said
            signed, _ = ask_to_cosign(log.view, line, known_size=said)
            said = signed.checkpoint.size

        for _ in range(chance.randrange(1, 5)):
            ask()
            log.grow(1)
        last = threading.Thread(target=lambda: suppressed(ask))
        last.start()
        process.kill()  # wherever that request is
        last.join()
        process.wait(timeout=60)
    return said


def suppressed(ask: Callable[[], None]) -> None:
    with suppress(WattestError):
        ask()


def check_kills(path: Path, count: int) -> None:
    log, chance = SampleLog(1), random.Random(7)
    said = 0
    for _ in range(count):
        said = max(said, kill_once(path, log, chance))
        known = read_witness(path)[1].logs["wattest/test"]
        assert said <= known.size <= log.ledger.size
        proof = log.ledger.prove_consistency(known.size)
        if known.size:
            proof.verify(known.root, log.ledger.root())
    assert said > 1


def test_a_witness_that_is_killed_again_and_again_has_kept_all_it_said(tmp_path: Path):
    check_kills(tmp_path / "w.json", 4)


@pytest.mark.long
def test_a_witness_that_is_killed_sixty_times_has_kept_all_it_said(tmp_path: Path):
    check_kills(tmp_path / "w.json", 60)
