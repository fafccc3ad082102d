"""Cosignatures of witnesses: a public one, one built by hand, k of n, and what must not pass."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_samples import signer
from wattest.errors import NoteError, SignatureInvalid
from wattest.ledger import CheckpointVerifier
from wattest.ledger.cosignature import (
    TIME_S_MAX,
    Cosigner,
    WitnessKey,
    WitnessPolicy,
    parse_cosignature,
)
from wattest.wire.note import NoteSignature, parse_note, parse_signatures

# Checkpoint of a public log as four public witnesses cosigned it in May 2026, and the key that the
# witness remora.n621.de publishes (transparency-dev/formats, tests of note/note_cosigv1).
PUBLIC = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3\
urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI7\
5MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk\
5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY\
/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
""".encode()
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
ARCHE = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
NOTE = signer().sign(7, bytes(32)).note
NOTE_TEXT = parse_note(NOTE).text


def witness(number: int) -> Cosigner:
    return Cosigner(f"witness.example/w{number}", bytes([number]) * 32)


def lines_of(*numbers: int, text: str = NOTE_TEXT, time_s: int = 1_800_000_000) -> bytes:
    return "".join(witness(n).sign(text, time_s).line for n in numbers).encode()


def policy(threshold: int, *numbers: int) -> WitnessPolicy:
    return WitnessPolicy(threshold, [witness(n).key for n in numbers])


def test_a_public_checkpoint_verifies_with_log_key_and_witness_key():
    assert CheckpointVerifier.from_text(ARCHE).open(PUBLIC).size == 1_432_088_532
    (found,) = WitnessPolicy.from_texts(1, [REMORA]).verify(PUBLIC)
    assert (found.witness, found.time_s) == ("remora.n621.de", 0x6A122120)


@pytest.mark.parametrize("place", [0, 44, 60, 80])
def test_a_public_checkpoint_with_one_bit_changed_does_not(place: int):
    changed = bytearray(PUBLIC)
    changed[place] ^= 1
    with pytest.raises(SignatureInvalid, match=r"cosignature of remora.n621.de does not match"):
        WitnessPolicy.from_texts(1, [REMORA]).verify(bytes(changed))


def test_cosignature_is_byte_for_byte_what_the_specification_says():
    """Built by hand from c2sp.org/tlog-cosignature."""
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    public = key.public_key().public_bytes_raw()
    key_id = hashlib.sha256(b"witness.example.com/w1\n\x04" + public).digest()[:4]
    time = (1_679_315_147).to_bytes(8, "big")
    signature = key.sign(b"cosignature/v1\ntime 1679315147\n" + TEXT.encode())
    blob = base64.b64encode(key_id + time + signature).decode()
    cosigner = Cosigner("witness.example.com/w1", b"\x07" * 32)
    assert cosigner.sign(TEXT, 1_679_315_147).line == f"\u2014 witness.example.com/w1 {blob}\n"
    key_blob = base64.b64encode(b"\x04" + public).decode()
    vkey = f"witness.example.com/w1+{key_id.hex()}+{key_blob}"
    assert cosigner.key.to_text() == vkey
    assert WitnessKey.from_text(vkey) == cosigner.key


def test_two_of_three_are_enough_and_one_is_named_missing():
    rule = policy(2, 1, 2, 3)
    assert [x.witness for x in rule.verify(NOTE + lines_of(3, 1))] == [
        "witness.example/w1",
        "witness.example/w3",
    ]
    with pytest.raises(SignatureInvalid, match=r"of 2 of 3 witnesses, got 1: none of .*w1, .*w3"):
        rule.verify(NOTE + lines_of(2))
    with pytest.raises(SignatureInvalid, match=r"of 2 of 3 witnesses, got 0"):
        rule.verify(NOTE)


def test_lines_may_come_beside_the_note_with_or_without_their_newline():
    more = lines_of(1, 2).splitlines(keepends=True)
    assert len(policy(2, 1, 2).verify(NOTE, more)) == 2
    assert len(policy(2, 1, 2).verify(NOTE, [line.strip() for line in more])) == 2


def test_one_witness_counts_once_however_often_it_signs_and_its_newest_time_stands():
    twice = lines_of(1, time_s=9) + lines_of(1, time_s=5)
    (found,) = policy(1, 1, 2).verify(NOTE + twice)
    assert found.time_s == 9
    with pytest.raises(SignatureInvalid, match="got 1"):
        policy(2, 1, 2).verify(NOTE + twice)


def test_strangers_do_not_count_and_do_no_harm():
    stranger = Cosigner("witness.example/w1", b"\x09" * 32).sign(NOTE_TEXT, 1).line.encode()
    with pytest.raises(SignatureInvalid, match="got 0"):
        policy(1, 1).verify(NOTE + stranger)
    assert len(policy(1, 1).verify(NOTE + stranger + lines_of(1))) == 1


def test_a_threshold_of_none_asks_for_none():
    assert policy(0).verify(NOTE) == []


@pytest.mark.parametrize("field", ["time", "signature", "text", "short", "long", "plain", "far"])
def test_a_line_of_ours_that_does_not_match_is_refused(field: str):
    line = parse_signatures(lines_of(1))[0]
    data = line.signature
    changed = {
        "time": bytes([data[0], *data[1:7], data[7] ^ 1]) + data[8:],
        "signature": data[:-1] + bytes([data[-1] ^ 1]),
        "text": parse_signatures(lines_of(1, text=NOTE_TEXT.replace("7", "8")))[0].signature,
        "short": data[:-1],
        "long": data + b"\0",
        "plain": data[8:],
        "far": (TIME_S_MAX + 1).to_bytes(8, "big") + data[8:],
    }[field]
    wrong = NoteSignature(name=line.name, key_id=line.key_id, signature=changed).to_line()
    with pytest.raises(SignatureInvalid, match=r"cosignature of witness.example/w1"):
        policy(1, 1).verify(NOTE + wrong.encode() + lines_of(1))


def test_the_log_does_not_pass_for_a_witness_with_its_own_signature():
    own = WitnessKey(signer().origin, signer().verifier.public_key)
    with pytest.raises(SignatureInvalid, match="got 0"):
        WitnessPolicy(1, [own]).verify(NOTE)


@pytest.mark.parametrize(
    ("threshold", "numbers", "message"),
    [
        (3, (1, 2), "threshold of 0 to 2"),
        (-1, (1,), "threshold of 0 to 1"),
        (1, (1, 1), "w1 is listed twice"),
        (1, tuple(range(40)), "at most 32 witnesses"),
    ],
)
def test_a_policy_nobody_can_meet_or_that_counts_twice_is_refused(
    threshold: int, numbers: tuple[int, ...], message: str
):
    with pytest.raises(ValueError, match=message):
        policy(threshold, *numbers)


def test_one_key_under_two_names_is_one_witness():
    keys = [Cosigner(name, bytes(32)).key for name in ("a.example", "b.example")]
    with pytest.raises(ValueError, match=r"a.example and b.example have one public key"):
        WitnessPolicy(2, keys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (REMORA.replace("da77ade7", "da77ade8"), "key id is not that of the key"),
        (REMORA.replace("remora", "Remora"), "key id is not that of the key"),
        (ARCHE, "a witness's key"),
        ("remora.n621.de", "a witness's key"),
        (REMORA[:-4], "verifier-key"),
        (REMORA + "\n", "verifier-key"),
        (REMORA.replace("da77ade7", "DA77ADE7"), "canonical"),
        ("", "a witness's key"),
    ],
)
def test_a_key_that_is_no_witness_key_is_refused(text: str, message: str):
    with pytest.raises(NoteError, match=message):
        WitnessKey.from_text(text)


@pytest.mark.parametrize(
    "line", [b"", b"x", NOTE.rpartition(b"\n\n")[2], lines_of(1, 2), b"\xff" + lines_of(1)]
)
def test_what_is_not_one_cosignature_line_is_refused(line: bytes):
    with pytest.raises(NoteError):
        parse_cosignature(line)


def test_a_clock_before_1970_or_without_end_cannot_sign():
    for time_s in (-1, TIME_S_MAX + 1):
        with pytest.raises(ValueError, match="expected a time"):
            witness(1).sign(NOTE_TEXT, time_s)
