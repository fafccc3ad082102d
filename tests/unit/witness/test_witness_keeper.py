"""A witness's files: made once, never forgotten, never silently repaired."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ledger_samples import signer
from wattest.errors import ConfigError, StoreError
from wattest.ledger.witness import AddCheckpoint
from wattest.witness import Keeper, read_witness
from wattest.witness import keeper as module
from witness_samples import SampleLog

NAME = "witness.example/w1"


def opened(path: Path, **options: str) -> Keeper:
    return Keeper(path, default_name=NAME, **options)  # type: ignore[arg-type]


def cosign(keeper: Keeper, log: SampleLog, old: int) -> int:
    proof = log.ledger.prove_consistency(old).path
    body = AddCheckpoint(old_size=old, proof=proof, note=log.note).encode()
    return keeper.answer(body, time_s=lambda: 7)[0].status


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the state file of a witness that has cosigned size 5 of the sample log."""
    file = tmp_path / "w" / "witness.json"
    with opened(file) as keeper:
        keeper.trust([signer().verifier])
        assert cosign(keeper, SampleLog(5), 0) == 200
    return file


def test_key_and_state_are_made_once_for_their_owner_alone(path: Path):
    with opened(path) as keeper:
        assert not keeper.made
        key = keeper.key
    assert read_witness(path)[0] == key
    for file in (path, path.with_name("witness.key")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not list(path.parent.glob("*.partial"))


def test_what_was_cosigned_is_known_after_a_restart(path: Path):
    with opened(path) as keeper:
        assert keeper.state.logs["wattest/test"].size == 5
        assert cosign(keeper, SampleLog(5), 0) == 409
        assert cosign(keeper, SampleLog(9), 5) == 200
    assert read_witness(path)[1].logs["wattest/test"].size == 9


def test_a_second_program_is_kept_out_and_the_first_goes_on(path: Path):
    with opened(path) as keeper:
        with pytest.raises(ConfigError, match=r"witness.json: another witness is at work"):
            opened(path)
        assert cosign(keeper, SampleLog(6), 5) == 200
    with opened(path):
        pass


def test_an_answer_whose_state_cannot_be_written_is_never_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise StoreError("disk full")

    with opened(path) as keeper:
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(module, "write_durably", full)
            with pytest.raises(StoreError, match="disk full"):
                cosign(keeper, SampleLog(6), 5)
        assert path.read_bytes() == before
        assert cosign(keeper, SampleLog(6), 5) == 200


def test_the_state_is_on_disk_and_flushed_before_the_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted(descriptor: int) -> None:
        seen.append("flush")
        fsync(descriptor)

    def moved(self: Path, target: Path) -> Path:
        seen.append("replace")
        return replace(self, target)

    with opened(path) as keeper:
        monkeypatch.setattr(os, "fsync", noted)
        monkeypatch.setattr(Path, "replace", moved)
        assert cosign(keeper, SampleLog(6), 5) == 200
    assert seen == ["flush", "replace", "flush"]


def test_evidence_of_a_fork_is_kept_once(path: Path):
    with opened(path) as keeper:
        for _ in range(2):
            forked = SampleLog(5, other=True)
            body = AddCheckpoint(old_size=5, proof=(), note=forked.note).encode()
            answer, handled = keeper.answer(body, time_s=lambda: 7)
            assert answer.status == 409
            assert handled.evidence is not None
            document = json.loads(handled.evidence.read_text("utf-8"))
            assert document["shown"].encode() == forked.note
            known = keeper.newest(module.digest_of("wattest/test"))
            assert document["known"].encode() == known
            assert handled.proved
            assert document["proved"] is True
    (file,) = (path.parent / "witness.forks").iterdir()
    assert file.name.startswith("fork-")


def test_nonsense_about_an_honest_log_raises_one_doubt_and_leaves_room_for_proof(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "FORKS_MAX", 2)
    honest = SampleLog(5)
    with opened(path) as keeper:
        for _ in range(4):
            honest.grow(1)
            body = AddCheckpoint(old_size=5, proof=(bytes(32),), note=honest.note).encode()
            answer, handled = keeper.answer(body, time_s=lambda: 7)
            assert (answer.status, handled.proved) == (422, False)
        for number in range(4):
            forked = SampleLog(5, other=True, shift=number)
            body = AddCheckpoint(old_size=5, proof=(), note=forked.note).encode()
            _, handled = keeper.answer(body, time_s=lambda: 7)
            assert handled.proved
            assert (handled.evidence is None) == (number >= 2)
    names = sorted(file.name[:5] for file in (path.parent / "witness.forks").iterdir())
    assert names == ["doubt", "fork-", "fork-"]


def damaged(content: str) -> list[tuple[str, str]]:
    """Return what must not be taken for the state, and what is said of it."""
    document = json.loads(content)
    (log,) = document["logs"]
    vkey = log["keys"][0]

    def changed(**values: object) -> str:
        return json.dumps({**document, "logs": [{**log, **values}]})

    return [
        ("", "is damaged"),
        (content[: len(content) // 2], "is damaged"),
        ("[" * 100_000, "is damaged"),
        ("[]", "is not a witness's state file"),
        (json.dumps({**document, "format": "wattest-bundle/1"}), "is not a witness's state"),
        (json.dumps({**document, "format": "wattest-witness/2"}), "expected format .*/1, got"),
        (json.dumps({**document, "more": 1}), "expected format, name and logs"),
        (json.dumps({**document, "name": "a b"}), "expected the name of a key"),
        (json.dumps({**document, "name": "other.example"}), "has not cosigned it"),
        (json.dumps({**document, "logs": [log, log]}), "is there twice"),
        (json.dumps({**document, "logs": [{}]}), "expected keys, note, root, size"),
        (changed(size=4), "expected size 5"),
        (changed(root="00" * 32), "expected size 5 and root"),
        (changed(keys=[]), "expected a list of keys"),
        (changed(keys=[vkey[:-4]]), "verifier-key"),
        (changed(keys=[signer(2).verifier.to_text()]), "expected a signature of wattest/test"),
        (changed(note=""), "expected size 0"),
        (changed(note=log["note"].replace("\n5\n", "\n4\n")), "does not match"),
        (changed(note=log["note"].rpartition("\u2014")[0]), "has not cosigned it"),
    ]


@pytest.mark.parametrize("number", range(19))
def test_a_damaged_state_is_refused_in_one_line_and_left_alone(path: Path, number: int):
    cases = damaged(path.read_text("utf-8"))
    assert len(cases) == 19
    content, message = cases[number]
    path.write_text(content, "utf-8")
    for attempt in (lambda: opened(path), lambda: read_witness(path)):
        with pytest.raises(ConfigError, match=message) as caught:
            attempt()
        assert "\n" not in caught.value.diagnostics()
        assert str(path) in caught.value.diagnostics()
    assert path.read_text("utf-8") == content


def test_a_witness_that_lost_its_state_does_not_sign_with_its_old_key(path: Path):
    path.unlink()
    with pytest.raises(ConfigError, match="is missing, but the witness's key is there"):
        opened(path)
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33])
def test_a_damaged_key_is_refused(path: Path, content: str):
    path.with_name("witness.key").write_text(content, "ascii")
    with pytest.raises(ConfigError, match=r"witness.key: is damaged"):
        opened(path)


def test_a_lost_or_swapped_key_is_noticed_by_what_was_cosigned(path: Path):
    key = path.with_name("witness.key")
    key.write_text("11" * 32, "ascii")
    with pytest.raises(ConfigError, match="has not cosigned it"):
        opened(path)
    key.unlink()
    with pytest.raises(ConfigError, match="the witness's key is not beside it"):
        opened(path)


def test_a_witness_killed_before_it_had_a_key_gets_one(tmp_path: Path):
    path = tmp_path / "witness.json"
    with opened(path):
        pass
    path.with_name("witness.key").unlink()
    with opened(path) as keeper:
        assert keeper.made


def test_a_name_is_chosen_once(path: Path):
    with pytest.raises(ConfigError, match=r"is the witness witness.example/w1, not b.example"):
        opened(path, name="b.example")
    with opened(path, name=NAME) as keeper:
        assert keeper.key.name == NAME
    with pytest.raises(ConfigError, match="without space or plus"):
        opened(path.with_name("new.json"), name="a+b")


def test_a_folder_or_a_file_in_the_way_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot make the folder"):
        opened(tmp_path / "file" / "witness.json")
    (tmp_path / "witness.json").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        opened(tmp_path / "witness.json")
    with pytest.raises(ConfigError, match="no witness there"):
        read_witness(tmp_path / "none.json")
