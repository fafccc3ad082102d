"""Signed notes and checkpoints: the examples of the specification, and one vector a rule."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wattest.errors import CheckpointInconsistent, NoteError, SignatureInvalid
from wattest.ledger import CheckpointSigner, CheckpointVerifier
from wattest.wire.note import (
    Checkpoint,
    NoteSignature,
    SignedNote,
    ed25519_key_id,
    parse_checkpoint,
    parse_note,
)

TEXT = "wattest/x\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
KEY = CheckpointSigner("wattest/x", b"\x01" * 32).verifier.to_text()
LINE = "— wattest/x AAAAAAAA\n"


def test_checkpoint_is_byte_for_byte_what_the_specification_says():
    """Built by hand from c2sp.org/signed-note and c2sp.org/tlog-checkpoint."""
    signer = CheckpointSigner("wattest/x", b"\x01" * 32)
    key = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    public = key.public_key().public_bytes_raw()
    text = "wattest/x\n1440\n" + base64.b64encode(b"\x02" * 32).decode() + "\n"
    key_id = hashlib.sha256(b"wattest/x\n\x01" + public).digest()[:4]
    blob = base64.b64encode(key_id + key.sign(text.encode())).decode()
    signed = signer.sign(1440, b"\x02" * 32)
    assert signed.note.decode() == f"{text}\n\u2014 wattest/x {blob}\n"
    assert ed25519_key_id("wattest/x", public) == key_id
    key_line = base64.b64encode(b"\x01" + public).decode()
    assert signer.verifier.to_text() == f"wattest/x+{key_id.hex()}+{key_line}"


def test_verifier_key_reads_back_from_its_line():
    verifier = CheckpointVerifier.from_text(KEY)
    assert (verifier.origin, verifier.to_text()) == ("wattest/x", KEY)


def test_signed_note_that_is_no_checkpoint_is_refused():
    signer = CheckpointSigner("wattest/x", b"\x01" * 32)
    line = NoteSignature(
        name="wattest/x", key_id=signer.verifier.key_id, signature=signer._key.sign(b"hello\n")
    )
    note = SignedNote(text="hello\n", signatures=(line,)).encode()
    with pytest.raises(NoteError, match=r"lines .*at least 3, got 1"):
        signer.verifier.open(note)
    with pytest.raises(SignatureInvalid, match="does not match the note"):
        signer.verifier.open(note.replace(b"hello", b"jello"))


def test_note_may_hold_empty_lines_in_its_text():
    note = SignedNote(
        text="one\n\nthree\n",
        signatures=(NoteSignature(name="a", key_id=bytes(4), signature=b"s"),),
    )
    assert parse_note(note.encode()) == note


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (TEXT + "\n", "note: empty-line|note: signature"),
        (TEXT, "note: empty-line at byte"),
        (TEXT + "\n" + LINE[:-1], "note: final-newline"),
        (TEXT + "\n" + LINE.replace("—", "-"), "note: signature at byte 58"),
        (TEXT + "\n" + LINE + "junk\n", "note: signature at byte 81"),
        (TEXT + "\n— a+b AAAAAAAA\n", "note: key-name"),
        (TEXT + "\n—  AAAAAAAA\n", "note: key-name"),
        (TEXT + "\n— x AAAA!AAA\n", "note: base64"),
        (TEXT + "\n— x AAAAAAB=\n", "note: base64 .*canonical"),
        (TEXT + "\n— x AAAAAA==\n", "note: signature .*more than 4 bytes, got 4"),
        ("a\tb\n\n" + LINE, "note: control-character at byte 1"),
        (TEXT + "\n" + LINE * 65, "note: signature .*at most 64 lines"),
        ("x" * 65_537, "note: size at byte 65536"),
    ],
)
def test_note_that_breaks_a_rule_is_refused(note, message):
    with pytest.raises(NoteError, match=message):
        parse_note(note.encode())


def test_note_that_is_not_utf8_is_refused():
    with pytest.raises(NoteError, match="note: utf-8 at byte 2"):
        parse_note(b"ab\xff\n\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("origin\n1\n", "lines .*at least 3, got 2"),
        ("origin\n1\nroot", "final-newline"),
        (TEXT.replace("\n1\n", "\n01\n"), "size at byte 10"),
        (TEXT.replace("\n1\n", "\n-1\n"), "size at byte 10"),
        (TEXT.replace("\n1\n", "\n\u0661\n"), "size at byte 10"),
        (TEXT.replace("\n1\n", "\n1 \n"), "size at byte 10"),
        ("\n1\nAAAA\n", "lines at byte 0"),
        ("wattest/x\n1\nAAAA\n", "root at byte 12 .*32 bytes, got 3"),
        (TEXT + "\n", "lines"),
    ],
)
def test_checkpoint_that_breaks_a_rule_is_refused(text, message):
    with pytest.raises(NoteError, match=message):
        parse_checkpoint(text)


def test_checkpoint_of_an_empty_tree_has_size_zero():
    text = Checkpoint(origin="o", size=0, root=bytes(32)).to_text()
    assert parse_checkpoint(text).size == 0


def test_extension_lines_are_kept():
    assert parse_checkpoint(TEXT + "more\n").extensions == ("more",)


def test_signed_checkpoint_opens_under_its_key_only():
    signer = CheckpointSigner("wattest/x", b"\x01" * 32)
    signed = signer.sign(7, b"\x02" * 32)
    assert signer.verifier.open(signed.note) == signed.checkpoint
    other = CheckpointSigner("wattest/x", b"\x03" * 32)
    with pytest.raises(SignatureInvalid, match="expected a signature of wattest/x"):
        other.verifier.open(signed.note)


def test_signed_checkpoint_with_any_flipped_bit_does_not_open():
    signer = CheckpointSigner("wattest/x", b"\x01" * 32)
    note = signer.sign(7, b"\x02" * 32).note
    for place in range(len(note)):
        broken = bytearray(note)
        broken[place] ^= 1
        with pytest.raises((NoteError, SignatureInvalid), match=r"note|checkpoint"):
            signer.verifier.open(bytes(broken))


def test_note_has_one_spelling():
    """Whatever is read writes back as the same bytes."""
    note = CheckpointSigner("wattest/x", b"\x01" * 32).sign(7, b"\x02" * 32).note
    accepted = 0
    for place in range(len(note)):
        for bit in range(8):
            broken = bytearray(note)
            broken[place] ^= 1 << bit
            try:
                read = parse_note(bytes(broken))
            except NoteError:
                continue
            accepted += 1
            assert read.encode() == bytes(broken)
    assert accepted > 100


def test_checkpoint_signed_for_another_origin_is_refused():
    signer = CheckpointSigner("wattest/x", b"\x01" * 32)
    text = Checkpoint(origin="wattest/y", size=1, root=bytes(32)).to_text()
    line = NoteSignature(
        name="wattest/x", key_id=signer.verifier.key_id, signature=signer._key.sign(text.encode())
    )
    note = SignedNote(text=text, signatures=(line,)).encode()
    with pytest.raises(CheckpointInconsistent, match="expected origin wattest/x, got 'wattest/y'"):
        signer.verifier.open(note)


def test_unknown_signatures_beside_ours_are_ignored():
    signer = CheckpointSigner("wattest/x", b"\x01" * 32)
    signed = signer.sign(7, bytes(32))
    cosigned = signed.note + LINE.replace("wattest/x", "witness").encode()
    assert signer.verifier.open(cosigned) == signed.checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "wattest/x",
        "wattest/x+00000000+!",
        "wattest/x+00000000+AR==",
        KEY.replace("/x+", "/y+"),
        KEY.replace("/x+", " x+"),
    ],
)
def test_malformed_verifier_key_is_refused(text):
    with pytest.raises(NoteError, match="verifier-key"):
        CheckpointVerifier.from_text(text)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb"])
def test_origin_that_cannot_name_a_key_is_refused(origin):
    with pytest.raises(ValueError, match="origin without space or plus"):
        CheckpointSigner(origin, bytes(32))


def test_key_of_a_wrong_length_is_refused():
    with pytest.raises(ValueError, match="seed of 32 bytes, got 31"):
        CheckpointSigner("x", bytes(31))
    with pytest.raises(ValueError, match="key of 32 bytes, got 33"):
        CheckpointVerifier("x", bytes(33))
