"""Whatever is changed in the folder of a run, by whoever owns it, the audit names.

Method: one kept run with a clone, a forgery and a contract, copied and damaged in one place a
test. Where it helps the forger, digests are made to fit and checkpoints signed again: in a virtual
run anybody can, its keys derive from the seed.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from run_harness import AFTER_CLONE, Bench, Played

from wattest.errors import ConfigError, VerificationError
from wattest.ledger import CheckpointSigner, EntryKind, Ledger, NewEntry, record_entry
from wattest.operations.kept import audit as audit_module
from wattest.operations.kept.audit import AuditProgressed, AuditReport, audit_run
from wattest.operations.rundir import RunDir
from wattest.operations.virtual.demo_keys import demo_key
from wattest.settlement import Cutoff
from wattest.store import SqliteStore
from wattest.wire import parse_record

pytestmark = pytest.mark.emulated

FAULTS = [
    'kind = "forge"\nnode = "feeder"\nat = "21s"\nbit = 3',
    f'kind = "clone"\nnode = "feeder"\nat = "31s"\nfor = "30s"\n{AFTER_CLONE}',
]

# test_run_every_kind.py damages the others, which somebody has to log afterwards.
LOGGED_BY_A_RUN = [kind for kind in EntryKind if kind <= EntryKind.DISPUTE]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Played]:
    """Keep one run, and all that it told."""
    out = tmp_path_factory.mktemp("kept") / "OUT"
    played = Bench(duration="2m", faults=FAULTS, contract=True).play(out=out)
    assert played.end.reasons == ()
    return out, played


@pytest.fixture
def out(kept: tuple[Path, Played], tmp_path: Path) -> Path:
    """Return a copy of the run, to be damaged."""
    shutil.copytree(kept[0], tmp_path / "OUT")
    return tmp_path / "OUT"


def report(out: Path, *, second_opinion: bool = False) -> AuditReport:
    *progress, last = audit_run(out, second_opinion=second_opinion)
    assert all(isinstance(event, AuditProgressed) for event in progress)
    assert isinstance(last, AuditReport)
    return last


def named(out: Path) -> str:
    """Return all that the audit finds wrong, which must be something."""
    found = report(out)
    assert not found.passed
    return "\n".join(f"{p.where}: {p.message}" for p in found.problems)


def rows(out: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(out / "ledger.sqlite")) as connection, connection:
        return connection.execute(query, values).fetchall()


def bodies(out: Path, kind: EntryKind) -> list[tuple[int, bytes]]:
    query = "SELECT idx, body FROM entry WHERE kind = ? ORDER BY idx"
    return rows(out, query, int(kind))  # type: ignore[return-value]


def fit_digests(out: Path) -> None:
    """Make digests.txt agree with whatever the files are now."""
    RunDir(out).write_digests()


def signer(name: str = "short", seed: int = 7) -> CheckpointSigner:
    """Return the key that signed the run's checkpoints."""
    return CheckpointSigner(f"wattest/{name}", demo_key(seed, "ledger"))


def sign_again(out: Path, entries: list[NewEntry]) -> None:
    """Put a ledger of these entries in the place of the run's, rightly signed."""
    (out / "ledger.sqlite").unlink()
    with SqliteStore(out / "ledger.sqlite") as store:
        ledger = Ledger(store, signer())
        for entry in entries:
            ledger.append([entry])


def logged(out: Path) -> list[NewEntry]:
    """Return the entries of the run as they were appended, as far as that can be told."""
    found = []
    for kind, body in rows(out, "SELECT kind, body FROM entry ORDER BY idx"):
        assert isinstance(kind, int)
        assert isinstance(body, bytes)
        if kind in {EntryKind.READING, EntryKind.EVENT}:
            found.append(record_entry(parse_record(body)))
        else:
            found.append(NewEntry(kind=EntryKind(kind), body=body))
    return found


def test_untouched_run_holds(kept: tuple[Path, Played]) -> None:
    found = report(kept[0], second_opinion=True)
    assert found.problems == ()
    assert found.passed
    assert found.finished
    assert found.entries == kept[1].end.entries
    assert found.statements == len(kept[1].end.statements) == 2
    assert found.records == len(bodies(kept[0], EntryKind.READING)) + len(
        bodies(kept[0], EntryKind.EVENT)
    )


@pytest.mark.parametrize("kind", LOGGED_BY_A_RUN, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_changed_byte_of_an_entry_of_each_kind_is_named(
    kind: EntryKind, place: str, out: Path
) -> None:
    index, body = bodies(out, kind)[-1]
    position = {"first": 0, "middle": len(body) // 2, "last": len(body) - 1}[place]
    changed = bytearray(body)
    changed[position] ^= 0x40
    rows(out, "UPDATE entry SET body = ? WHERE idx = ?", bytes(changed), index)
    found = report(out)
    assert not found.passed
    assert index in {problem.index for problem in found.problems}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET import_milliwh = import_milliwh + 1 WHERE idx = 8",
        "UPDATE record SET seq = seq + 100 WHERE idx = 8",
        "UPDATE record SET input = 1 WHERE idx = 8",
        "DELETE FROM record WHERE idx = 8",
        "UPDATE entry SET leaf = zeroblob(32) WHERE idx = 8",
        "UPDATE entry SET kind = 5 WHERE idx = 8",
        "DELETE FROM entry WHERE idx = 8",
        "DELETE FROM entry WHERE idx = (SELECT max(idx) FROM entry)",
        "UPDATE checkpoint SET root = zeroblob(32) WHERE size = 9",
        "DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)",
        "DELETE FROM conflict",
        "UPDATE edge SET hashes = zeroblob(length(hashes)) WHERE level = 0",
        "INSERT INTO entry VALUES (-1, 1, x'aa', zeroblob(32))",
        "INSERT INTO entry VALUES (9223372036854775807, 1, x'aa', zeroblob(32))",
    ],
)
def test_changed_row_of_the_ledger_is_named(statement: str, out: Path) -> None:
    before = report(out).passed
    with closing(sqlite3.connect(out / "ledger.sqlite")) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    assert before
    assert named(out)


def test_trigger_in_the_ledger_is_named(out: Path) -> None:
    rows(out, "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM record; END")
    assert "trigger t" in named(out)


@pytest.mark.parametrize("suffix", ["cbor", "json", "txt"])
@pytest.mark.parametrize("fits", [False, True], ids=["digest as it was", "digest made to fit"])
def test_changed_statement_file_is_named(suffix: str, fits: bool, out: Path) -> None:
    victim = min((out / "statements").glob(f"*.{suffix}"))
    data = victim.read_bytes()
    assert b"0" in data
    victim.write_bytes(data.replace(b"0", b"9", 1))
    if fits:
        fit_digests(out)
    assert f"statements/{victim.name}: is not the statement in the ledger" in named(out)


def test_statement_file_of_no_statement_is_named(out: Path) -> None:
    source = min((out / "statements").glob("*.txt"))
    shutil.copy(source, out / "statements" / "supply-20300101T000000Z.txt")
    fit_digests(out)
    assert "supply-20300101T000000Z.txt: no statement in the ledger" in named(out)


def test_missing_statement_file_is_named_even_if_no_digest_misses_it(out: Path) -> None:
    victim = min((out / "statements").glob("*.cbor"))
    victim.unlink()
    fit_digests(out)
    assert named(out) == f"statements/{victim.name}: is missing"


@pytest.mark.parametrize("name", ["frames.bin", "frames.csv", "scenario.toml"])
def test_changed_file_beside_the_ledger_is_named(name: str, out: Path) -> None:
    data = bytearray((out / name).read_bytes())
    data[len(data) // 3] ^= 1
    (out / name).write_bytes(data)
    assert f"{name}: differs from its digest" in named(out).splitlines()


def test_file_that_is_left_out_of_the_digests_is_named(out: Path) -> None:
    text = (out / "digests.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.endswith("frames.bin")]
    (out / "digests.txt").write_text("\n".join(lines) + "\n", "utf-8")
    assert named(out) == "frames.bin: is not listed in digests.txt"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\n", b"abc  frames.bin\n"])
def test_digests_that_are_none_are_named(content: bytes | None, out: Path) -> None:
    (out / "digests.txt").unlink()
    if content is not None:
        (out / "digests.txt").write_bytes(content)
    expected = "digests.txt: is missing" if content is None else "digests.txt"
    assert expected in named(out)


def test_file_that_was_put_there_is_named(out: Path) -> None:
    (out / "statements" / "note.md").write_text("paid\n", "utf-8")
    assert "statements/note.md" in named(out)


def test_ledger_cut_back_to_an_older_checkpoint_is_named(out: Path) -> None:
    """Every checkpoint of the shorter ledger is true; only the kept one knows of the rest."""
    entries = logged(out)
    sign_again(out, entries[:8])
    for file in (out / "statements").iterdir():
        file.unlink()
    fit_digests(out)
    message = (
        f"the ledger has 8 entries, but the checkpoint kept in run.json covers {len(entries)}: "
    )
    assert message in named(out)


def test_ledger_without_one_reading_signed_again_is_named(out: Path) -> None:
    index = bodies(out, EntryKind.READING)[-1][0]
    entries = logged(out)
    last = len(entries)
    del entries[index]
    sign_again(out, [*entries, NewEntry(kind=EntryKind.FINDING, body=b"\xa0")][:last])
    assert named(out)


@pytest.mark.parametrize("checkpoint", [None, "", "nonsense", 5])
def test_finished_run_without_its_checkpoint_is_named(checkpoint: object, out: Path) -> None:
    values = json.loads((out / "run.json").read_bytes())
    values["checkpoint"] = checkpoint
    (out / "run.json").write_text(json.dumps(values), "utf-8")
    fit_digests(out)
    assert "run.json checkpoint" in named(out)


def test_checkpoint_of_another_ledger_is_named(out: Path) -> None:
    other = Bench(duration="30s", seed=8).play()
    values = json.loads((out / "run.json").read_bytes())
    values["checkpoint"] = other.end.checkpoint
    (out / "run.json").write_text(json.dumps(values), "utf-8")
    fit_digests(out)
    assert "run.json checkpoint" in named(out)


def test_key_of_another_ledger_is_named(out: Path) -> None:
    values = json.loads((out / "run.json").read_bytes())
    values["checkpoint_key"] = signer(seed=8).verifier.to_text()
    (out / "run.json").write_text(json.dumps(values), "utf-8")
    fit_digests(out)
    assert re.search("checkpoint .*(signature|signed)", named(out))


def test_statement_that_rests_on_no_checkpoint_is_named(
    out: Path, kept: tuple[Path, Played]
) -> None:
    statement = kept[1].end.statements[0].statement
    cutoff = Cutoff(size=statement.cutoff.size, root=bytes(32))
    body = replace(statement, cutoff=cutoff).to_cbor()
    with SqliteStore(out / "ledger.sqlite") as store:
        Ledger(store, signer()).append([NewEntry(kind=EntryKind.STATEMENT, body=body)])
    index = kept[1].end.entries
    assert f"entry {index}: its cut-off at {statement.cutoff.size} entries is no checkpoint" in (
        named(out)
    )


def test_second_opinion_is_asked_for_each_record(
    kept: tuple[Path, Played], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def doubts(record: object, spki: bytes) -> None:
        asked.append(spki)
        if len(asked) == 3:
            raise VerificationError("ecdsa disagrees")

    monkeypatch.setattr(audit_module, "second_opinion", doubts)
    assert report(kept[0]).passed
    assert asked == []
    found = report(kept[0], second_opinion=True)
    (problem,) = [p for p in found.problems if p.index is not None]
    assert problem.message == "invalid: second opinion: ecdsa disagrees"
    assert len(asked) >= found.records


NO_RUN_JSON = ["", "[]", "{}", '{"format": 2}', '{"format": 1}', "[" * 100_000]
HALF_CHARACTER = '{"format": 1, "checkpoint": "\\ud800"}'


@pytest.mark.parametrize("content", [*NO_RUN_JSON, HALF_CHARACTER], ids=lambda text: text[:20])
def test_run_json_that_is_none_is_refused_in_one_line(content: str, out: Path) -> None:
    (out / "run.json").write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=r"run\.json"):
        report(out)


def test_audit_writes_nothing(out: Path) -> None:
    def state() -> list[tuple[str, bytes]]:
        files = (out / name for name in RunDir(out).file_names())
        return [(path.name, path.read_bytes()) for path in files]

    before = state()
    report(out)
    assert state() == before
