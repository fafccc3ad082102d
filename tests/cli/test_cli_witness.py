"""`wattest witness` as a process of its own, and a ledger that asks it to cosign."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kept_run import make_kept_run

from ledger_samples import plain
from wattest.cli import main
from wattest.cli.live_witness import addresses_of, ask_before, cosign_after
from wattest.errors import ForkFound
from wattest.ledger import CheckpointSigner, Ledger
from wattest.ledger.cosignature import Cosigner, WitnessPolicy
from wattest.operations.commission.home import Home
from wattest.operations.kept.audit_cosigned import check_cosignatures
from wattest.operations.rundir import RunDir
from wattest.store import SqliteStore
from wattest.wire.note import parse_note

WATTEST = [sys.executable, "-m", "wattest.cli.main"]
SIGNER = CheckpointSigner("wattest/test", bytes(32))
VKEY = SIGNER.verifier.to_text()


class Process:
    """A running ``wattest witness --json``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.begun = self.said()
        self.address = f"{self.begun['url']}#{self.begun['key']}"

    def said(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def witness(state: Path, *options: str) -> Iterator[Process]:
    command = [*WATTEST, "witness", "--state", str(state), "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield Process(process)
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this test a bench of its own."""
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """Return a kept run of four entries."""
    return make_kept_run(tmp_path / "OUT")


def grow(run: RunDir, *numbers: int) -> None:
    with SqliteStore(run.ledger) as store:
        Ledger(store, SIGNER).append([plain(number) for number in numbers])


def cosign(run: RunDir, *addresses: str) -> int:
    options = [part for address in addresses for part in ("--witness", address)]
    return main.main(["ledger", "cosign", str(run.path), *options])


def test_a_witness_in_another_process_cosigns_remembers_and_ends_cleanly(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "w" / "witness.json"
    with witness(state, "--log", VKEY) as process:
        assert process.begun["logs"] == ["wattest/test"]
        assert cosign(run, process.address) == 0
        assert "cosigned size 4 at 20" in capsys.readouterr().out
        assert process.said()["status"] == 200
        grow(run, 1, 2)
        assert cosign(run, process.address) == 0
        assert process.said()["size"] == 6
        assert process.end() == (0, "")
    with witness(state) as process:
        assert not process.begun["made"]
        assert cosign(run, process.address) == 0
        assert process.said()["status"] == 200
        assert process.end(signal.SIGTERM) == (0, "")
    with SqliteStore(run.ledger, read_only=True) as store:
        assert [row.size for row in store.cosigned()] == [4, 6]
        newest = store.head().checkpoint
        assert newest is not None
        policy = WitnessPolicy.from_texts(1, run.witnesses.read_text("utf-8").splitlines())
        assert len(policy.verify(newest.note, store.cosignatures(6))) == 1


def test_a_witness_that_is_killed_has_kept_what_it_said(run: RunDir, tmp_path: Path) -> None:
    state = tmp_path / "witness.json"
    with witness(state, "--log", VKEY) as process:
        assert cosign(run, process.address) == 0
        process.process.kill()
    assert main.main(["witness", "show", "--state", str(state)]) == 0
    backup = tmp_path / "backup.sqlite"
    shutil.copyfile(run.ledger, backup)
    with witness(state) as process:
        grow(run, 1)
        assert cosign(run, process.address) == 0
        process.process.kill()


def test_a_ledger_put_back_is_a_fork_in_one_line_with_both_heads_and_evidence(
    run: RunDir, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = tmp_path / "backup.sqlite"
    shutil.copyfile(run.ledger, backup)
    with witness(tmp_path / "w.json", "--log", VKEY) as process:
        grow(run, 1)
        assert cosign(run, process.address) == 0
        shutil.copyfile(backup, run.ledger)
        capsys.readouterr()
        assert cosign(run, process.address) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "has cosigned size 5 root" in err
        assert "this ledger is at size 4 root" in err
        grow(run, 2, 3)
        assert cosign(run, process.address) == 1
        assert process.process.poll() is None
    (first, second) = sorted((home / "ledgers" / "forks").iterdir())
    for file in (first, second):
        document = json.loads(file.read_text("utf-8"))
        assert SIGNER.verifier.open(document["known"].encode()).size == 5
        assert SIGNER.verifier.open(document["shown"].encode()).size in (4, 6)
        assert str(file) in err or str(file) in capsys.readouterr().err


def test_one_witness_that_is_away_does_not_keep_the_others_from_being_asked(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = f"http://127.0.0.1:1#{Cosigner('away.example', bytes(32)).key.to_text()}"
    with witness(tmp_path / "w.json", "--log", VKEY) as process:
        assert cosign(run, away, process.address) == 3
        out, err = capsys.readouterr()
        assert "cosigned size 4" in out
        assert "witness http://127.0.0.1:1: cannot be reached" in err
        argv = ["ledger", "cosign", str(run.path), "--json", "--witness", process.address]
        assert main.main(argv) == 0
        (told,) = json.loads(capsys.readouterr().out)
        assert told["size"] == 4


def test_cosignatures_are_audited(run: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    with SqliteStore(run.ledger) as store:
        newest = store.head().checkpoint
        assert newest is not None
        owner = Cosigner("witness.example", bytes(32))
        line = owner.sign(parse_note(newest.note).text, 5).line.strip().encode()
        store.add_cosignatures(4, [line])
        (unknown,) = check_cosignatures(run, store)
        assert "is not in witnesses.txt" in unknown.message
        run.witnesses.write_text(f"{owner.key.to_text()}\n", "utf-8")
        assert list(check_cosignatures(run, store)) == []
    other = "CAST(replace(CAST(line AS TEXT), 'A', 'B') AS BLOB)"
    for column, value in (("size", "1"), ("size", "3"), ("line", other)):
        broken = run.path / "broken.sqlite"
        shutil.copyfile(run.ledger, broken)
        with sqlite3.connect(broken) as connection:
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute(f"UPDATE cosignature SET {column} = {value}")
        connection.close()
        with SqliteStore(broken, read_only=True) as store:
            assert "cosignature size" in " ".join(p.where for p in check_cosignatures(run, store))
    run.witnesses.write_text(f"{owner.key.to_text()}\nx", "utf-8")
    with SqliteStore(run.ledger) as store:
        (problem,) = check_cosignatures(run, store)
        assert problem.where == "witnesses.txt"


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--listen", "nowhere"], 2, "--listen: expected HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], 2, "--listen: expected HOST:PORT"),
        (["--listen", "203.0.113.7:7380"], 2, "cannot be listened on"),
        (["--log", "x"], 2, "--log: note: verifier-key"),
        (["--log", Cosigner("w", bytes(32)).key.to_text()], 2, "an Ed25519 key"),
        (["--name", "a b"], 2, "--name: expected a name without space or plus"),
        (["key"], 2, "no witness there"),
        (["show", "--log", VKEY], 2, "go with serve"),
        (["sing"], 2, "invalid choice"),
    ],
)
def test_a_wrong_call_is_one_line_and_makes_no_promise(
    argv: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "w.json"
    assert main.main(["witness", *argv, "--state", str(state)]) == code
    out, err = capsys.readouterr()
    assert message in err
    assert (out, err.count("\n")) == ("", 1)


def test_a_ledger_file_has_its_key_named(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "alone.sqlite"
    shutil.copyfile(run.ledger, file)
    with witness(tmp_path / "w.json", "--log", VKEY) as process:
        argv = ["ledger", "cosign", str(file), "--witness", process.address]
        assert main.main(argv) == 2
        assert "--key: is needed" in capsys.readouterr().err
        assert main.main([*argv, "--key", VKEY]) == 0
    argv = ["ledger", "export-tiles", str(file), "-o", str(tmp_path / "tiles"), "--key", VKEY]
    assert main.main(argv) == 0
    assert "1 cosignatures" in capsys.readouterr().out


def test_a_live_collection_is_not_gone_on_with_when_a_witness_saw_more(
    run: RunDir, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(run.ledger, tmp_path / "backup.sqlite")
    with witness(tmp_path / "w.json", "--log", VKEY) as process:
        addresses = addresses_of([process.address])
        ask_before(tmp_path / "nothing yet", addresses, Home(home))
        ask_before(run.path, addresses, Home(home))
        grow(run, 1)
        cosign_after(run.path, addresses, Home(home))
        assert "cosigned size 5" in capsys.readouterr().err
        ask_before(run.path, addresses, Home(home))
        shutil.copyfile(tmp_path / "backup.sqlite", run.ledger)
        with pytest.raises(ForkFound, match=r"cosigned size 5 .* is at size 4") as caught:
            ask_before(run.path, addresses, Home(home))
        (file,) = (home / "ledgers" / "forks").iterdir()
        assert str(file) in caught.value.diagnostics()
        with pytest.raises(ForkFound, match="cosigned size 5"):
            cosign_after(run.path, addresses, Home(home))
    capsys.readouterr()
    ask_before(run.path, addresses, Home(home))
    assert "going on without it" in capsys.readouterr().err


def test_an_empty_or_foreign_folder_has_nothing_to_cosign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"http://127.0.0.1:1#{Cosigner('w', bytes(32)).key.to_text()}"
    assert cosign(RunDir(tmp_path), address) == 2
    assert "holds no run.json" in capsys.readouterr().err
    assert main.main(["ledger", "cosign", str(tmp_path), "--witness", "x"]) == 2
    assert "expected URL#VKEY" in capsys.readouterr().err


def test_key_and_show_tell_what_terms_and_the_other_party_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "w.json")
    with witness(Path(state), "--name", "pi.example/kitchen", "--log", VKEY) as process:
        key = process.begun["key"]
    assert main.main(["witness", "key", "--state", state]) == 0
    assert capsys.readouterr().out == f"{key}\n"
    assert main.main(["witness", "show", "--state", state, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["name"], document["key"]) == ("pi.example/kitchen", key)
    assert document["logs"][0]["keys"] == [VKEY]


def test_tiles_are_exported_by_command(
    run: RunDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["ledger", "export-tiles", str(run.path), "-o", str(tmp_path / "tiles")]
    assert main.main(argv) == 0
    assert "wattest/test: 4 entries" in capsys.readouterr().out
    assert main.main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == 0
    assert (tmp_path / "tiles" / "tile" / "entries" / "000.p" / "4").is_file()
