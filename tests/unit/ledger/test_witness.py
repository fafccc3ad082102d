"""The witness as a function: the answers the protocol asks for, and what it remembers."""

from __future__ import annotations

import base64

import pytest

from ledger_samples import plain, signer
from wattest.errors import NoteError
from wattest.ledger import CheckpointVerifier, Ledger
from wattest.ledger.cosignature import Cosigner
from wattest.ledger.tree import EMPTY_ROOT
from wattest.ledger.witness import (
    SIZE_TYPE,
    AddCheckpoint,
    Answer,
    WitnessState,
    add_checkpoint,
    parse_add_checkpoint,
)
from wattest.store import MemoryStore
from wattest.wire.note import Checkpoint, NoteSignature, SignedNote, parse_signatures

WITNESS = Cosigner("witness.example/w1", b"\x05" * 32)
NOW_S = 1_800_000_000

# A conversation with the witness of litetlog, from its test cmd/litewitness/testdata:
# litewitness.txt (log key, roots, signatures, proofs). An unknown log is 404, as
# c2sp.org/tlog-witness says.
SIGSUM = CheckpointVerifier(
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562",
    bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"),
)
ROOTS = {
    1: "2a00000000000000000000000000000000000000000000000000000000000000",
    3: "45c088d4d939e9971298811f227d1295eaad57bbafae55cd71c171e7de48c25d",
    5: "42bb57ad06420afa4882c4a63ac6a1ec77480b330b2f20dfc53a0caa5f564e36",
}
SIGNATURES = {
    1: "b7cf653aa9c565a1ca359db81bd3bc656ab2890c6ea4c0aec42295e80aa05049"
    "423505026434f987923ccdf07d440c152cd59e736e5914d8ada8d7a4d51b2106",
    3: "655bb4871d15bc05032d67eece88900c4863a27f190393b99176391577f5def9"
    "71b023d9a418c3226b7b7ea47b33686d9b3849451dadc6b07c007c595af1ea0a",
    5: "0fc43899968b48b5150b0e8fe7ad07b17c21c7056a6fe381deb0cd19ece103d5"
    "9b2119b5dbe5d54d8a1262ce67f01245c5898b4b56f747495804a17a2eec0f0c",
}
LEAF_1, LEAF_2, LEAF_3, LEAF_4 = (f"2a{n:02x}{'00' * 30}" for n in (1, 2, 3, 4))
PAIR_01 = "c2088815d65f60dbfa594d4e96504ab169cb6084bf0c132ab7c521fd2e0eba41"
PAIR_23 = "f9f50357e93def4078237b8aaea24ce1a3f5965a0f64ff26bebd99e30470d8b2"


def sigsum(old: int, size: int, *proof: str, flip: bool = False, origin: str = "") -> bytes:
    """Return a request of the conversation; ``flip`` changes the last bit of the signature."""
    signature = bytes.fromhex(SIGNATURES[size])
    if flip:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    line = NoteSignature(name=SIGSUM.origin, key_id=SIGSUM.key_id, signature=signature)
    checkpoint = Checkpoint(
        origin=origin or SIGSUM.origin, size=size, root=bytes.fromhex(ROOTS[size])
    )
    note = SignedNote(text=checkpoint.to_text(), signatures=(line,)).encode()
    hashes = tuple(map(bytes.fromhex, proof))
    return AddCheckpoint(old_size=old, proof=hashes, note=note).encode()


def test_a_published_conversation_gets_the_published_answers():
    state = WitnessState().with_key(SIGSUM)
    talk = [
        (sigsum(0, 1), 200),
        (sigsum(1, 3, LEAF_1, LEAF_2, flip=True), 403),
        (sigsum(1, 3, LEAF_1, LEAF_2, origin=SIGSUM.origin[:-1] + "1"), 404),
        (sigsum(1, 3), 422),
        (sigsum(1, 3, LEAF_1, LEAF_2[:-1] + "1"), 422),
        (sigsum(1, 3, LEAF_1, LEAF_2), 200),
        (sigsum(1, 5, LEAF_1, PAIR_23, LEAF_4), 409),
        (sigsum(3, 5, LEAF_2, LEAF_3, PAIR_01, LEAF_4), 200),
    ]
    for body, status in talk:
        before = state
        state, answer = add_checkpoint(state, body, cosigner=WITNESS, time_s=NOW_S)
        assert answer.status == status, answer.body
        assert status == 200 or state is before
        if status == 409:
            assert (answer.body, answer.content_type) == (b"3\n", SIZE_TYPE)
    log = state.logs[SIGSUM.origin]
    assert (log.size, log.root.hex()) == (5, ROOTS[5])


class Log:
    """A ledger of our own and the witness that watches it."""

    def __init__(self, *counts: int, other: bool = False) -> None:
        self.ledger = Ledger(MemoryStore(), signer())
        self.notes: dict[int, bytes] = {}
        for count in counts:
            start = self.ledger.size
            tail = [plain(n + (1000 if other else 0)) for n in range(start, start + count)]
            self.ledger.append(tail)
            signed = self.ledger.checkpoint()
            assert signed is not None
            self.notes[self.ledger.size] = signed.note

    def request(self, old: int, size: int) -> bytes:
        proof = self.ledger.prove_consistency(old, size).path
        return AddCheckpoint(old_size=old, proof=proof, note=self.notes[size]).encode()


def asked(state: WitnessState, body: bytes) -> tuple[WitnessState, Answer]:
    return add_checkpoint(state, body, cosigner=WITNESS, time_s=NOW_S)


@pytest.fixture
def state() -> WitnessState:
    """Return a witness that trusts the sample log and has seen nothing."""
    return WitnessState().with_key(signer().verifier)


def test_the_first_checkpoint_is_taken_on_trust_and_later_ones_must_extend_it(
    state: WitnessState,
):
    log = Log(5, 300, 7)
    for old, size in ((0, 5), (5, 305), (305, 312), (312, 312)):
        state, answer = asked(state, log.request(old, size))
        assert answer.status == 200, answer.body
        (line,) = parse_signatures(answer.body)
        assert WITNESS.key.owns(line)
        known = state.logs["wattest/test"]
        assert (known.size, known.note) == (size, log.notes[size] + answer.body)


def test_what_the_witness_does_not_expect_gets_the_size_it_knows(state: WitnessState):
    log = Log(5, 3)
    state, _ = asked(state, log.request(0, 8))
    for old, size in ((0, 8), (5, 8), (0, 5), (5, 5)):
        after, answer = asked(state, log.request(old, size))
        assert (answer.status, answer.body) == (409, b"8\n")
        assert after is state
        assert answer.fork is None


def test_a_fork_is_refused_and_both_signed_notes_come_back_as_evidence(state: WitnessState):
    honest, forked = Log(5, 3), Log(5, 3, 4, other=True)
    state, _ = asked(state, honest.request(0, 8))
    after, same_size = asked(state, forked.request(8, 8))
    assert (same_size.status, after) == (409, state)
    assert same_size.fork is not None
    assert "two roots of size 8" in same_size.fork.reason
    assert same_size.fork.known.startswith(honest.notes[8])
    assert same_size.fork.shown == forked.notes[8]
    after, larger = asked(state, forked.request(8, 12))
    assert (larger.status, after) == (422, state)
    assert larger.fork is not None
    assert larger.fork.shown == forked.notes[12]


def test_an_empty_log_has_one_root(state: WitnessState):
    for root, status in ((bytes(32), 409), (EMPTY_ROOT, 200)):
        note = signer().sign(0, root).note
        body = AddCheckpoint(old_size=0, proof=(), note=note).encode()
        state, answer = asked(state, body)
        assert answer.status == status


def test_a_proof_that_should_be_empty_and_is_not_is_refused(state: WitnessState):
    log = Log(5)
    for old in (0, 5):
        body = AddCheckpoint(old_size=old, proof=(bytes(32),), note=log.notes[5]).encode()
        after, answer = asked(state, body)
        assert (answer.status, after) == (422, state)
        state, _ = asked(state, log.request(0, 5))


def test_an_old_size_above_the_checkpoint_is_a_bad_request(state: WitnessState):
    body = AddCheckpoint(old_size=6, proof=(), note=Log(5).notes[5]).encode()
    assert asked(state, body)[1].status == 400


def test_lines_of_unknown_keys_are_passed_over_and_not_remembered(state: WitnessState):
    log = Log(5)
    stranger = NoteSignature(name="wattest/test", key_id=b"abcd", signature=b"s" * 64).to_line()
    note = log.notes[5] + stranger.encode()
    state, answer = asked(state, AddCheckpoint(old_size=0, proof=(), note=note).encode())
    assert answer.status == 200
    assert stranger.encode() not in state.logs["wattest/test"].note


def test_a_second_key_of_a_log_may_sign_once_it_is_trusted(state: WitnessState):
    rotated = signer(2)
    note = rotated.sign(3, bytes(32)).note
    body = AddCheckpoint(old_size=0, proof=(), note=note).encode()
    assert asked(state, body)[1].status == 403
    state = state.with_key(rotated.verifier)
    assert state.with_key(rotated.verifier) is state
    assert asked(state, body)[1].status == 200


NOTE = signer().sign(0, EMPTY_ROOT).note
HASH = base64.b64encode(bytes(32))


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "empty-line"),
        (b"old 0\n" + NOTE, "old-size|proof|base64"),
        (b"\n\n" + NOTE, "old-size"),
        (b"new 0\n\n" + NOTE, "old-size"),
        (b"old\n\n" + NOTE, "old-size"),
        (b"old \n\n" + NOTE, "old-size"),
        (b"old 00\n\n" + NOTE, "old-size"),
        (b"old -1\n\n" + NOTE, "old-size"),
        (b"old +1\n\n" + NOTE, "old-size"),
        (b"old 1 \n\n" + NOTE, "old-size"),
        (b"old 0x1\n\n" + NOTE, "old-size"),
        ("old \u0661\n\n".encode() + NOTE, "old-size"),
        (b"old " + b"9" * 20 + b"\n\n" + NOTE, "old-size"),
        (b"old 0\r\n\r\n" + NOTE, "empty-line|old-size|base64"),
        (b"old 0\n" + HASH[:-1] + b"\n\n" + NOTE, "base64"),
        (b"old 0\nAAAA\n\n" + NOTE, "proof"),
        (b"old 0\n" + HASH[:-2] + b"B=\n\n" + NOTE, "proof"),
        (b"old 0\n" + (HASH + b"\n") * 64 + b"\n" + NOTE, "at most 63"),
        (b"old 0\n\n" + b"x" * 70_000, "size"),
    ],
)
def test_a_malformed_request_is_refused_with_400_and_its_rule(
    body: bytes, rule: str, state: WitnessState
):
    with pytest.raises(NoteError, match=rule):
        parse_add_checkpoint(body)
    after, answer = asked(state, body)
    assert (answer.status, after) == (400, state)
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize(
    "note",
    [
        b"",
        NOTE[:-1],
        NOTE.replace(b"\n0\n", b"\n00\n"),
        NOTE.partition(b"\n\n")[0] + b"\n",
        b"one line\n\n" + NOTE.partition(b"\n\n")[2],
        b"\xff" + NOTE,
    ],
)
def test_what_is_no_signed_checkpoint_is_a_bad_request(note: bytes, state: WitnessState):
    after, answer = asked(state, b"old 0\n\n" + note)
    assert (answer.status, after) == (400, state)


def test_the_request_of_the_specification_reads_back():
    """Example of c2sp.org/tlog-witness, add-checkpoint."""
    body = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGz\
Gku9nTo+zyWE+xeMcTOAYQ8=
""".encode()
    request = parse_add_checkpoint(body)
    assert (request.old_size, len(request.proof)) == (20_852_014, 4)
    assert request.encode() == body
