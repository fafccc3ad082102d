"""The node's signer against RFC 6979, python-ecdsa and OpenSSL."""

import hmac
import json
import os
import random
from hashlib import sha256
from pathlib import Path

import pytest
from ecdsa.util import sigencode_string
from node import p256
from node.cose import public_key_id
from node.mac import hmac_sha256
from oracle import key_id, public_key, signing_key

from wattest.flashing import p256_table

SEED = 20_260_101
# Keys and digests at which carries, leading zeros and parity behave differently.
SCALARS = [1, 2, 3, p256.ORDER - 1, p256.ORDER - 2, 1 << 255, (1 << 128) - 1, 1 << 8, 255]
RFC6979_KEY = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
# RFC 6979, appendix A.2.5, SHA-256.
RFC6979_SIGNATURES = {
    b"sample": "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    b"test": "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
}


@pytest.mark.parametrize("message", RFC6979_SIGNATURES)
@pytest.mark.parametrize("size_bytes", [32_768, 16_384])
def test_signature_is_that_of_rfc_6979(message: bytes, size_bytes: int) -> None:
    signer = p256.Signer(p256_table(size_bytes))
    found = signer.sign(RFC6979_KEY, sha256(message).digest())
    assert found.hex() == RFC6979_SIGNATURES[message]


def test_rfc_6979_file_of_vectors_is_met(table: bytes) -> None:
    folder = os.environ.get("WATTEST_TEST_DATA")
    if not folder:
        pytest.skip("WATTEST_TEST_DATA is not set: third-party vectors are not in the project")
    vectors = json.loads((Path(folder) / "vectors/rfc6979/a2_5_p256_sha256.json").read_text())
    private = bytes.fromhex(vectors["key"]["x"])
    signer = p256.Signer(table)
    assert len(vectors["signatures"]) == 2
    for vector in vectors["signatures"]:
        digest = sha256(bytes.fromhex(vector["message_hex"])).digest()
        assert p256.NonceGenerator(private, digest).nonce() == int(vector["k"], 16)
        assert signer.sign(private, digest).hex() == (vector["r"] + vector["s"]).lower()


@pytest.mark.parametrize("scalar", SCALARS, ids=hex)
def test_edge_scalars_give_the_points_and_signatures_of_ecdsa(scalar: int, table: bytes) -> None:
    signer = p256.Signer(table)
    private = scalar.to_bytes(32, "big")
    digest = sha256(private).digest()
    assert signer.public_key(private) == public_key(private)
    assert signer.sign(private, digest) == _ecdsa(private, digest)


def test_random_keys_and_digests_give_the_signatures_of_ecdsa(table: bytes) -> None:
    signer = p256.Signer(table)
    chance = random.Random(SEED)
    for _ in range(60):
        private = chance.randrange(1, p256.ORDER).to_bytes(32, "big")
        digest = chance.randbytes(32)
        assert signer.sign(private, digest) == _ecdsa(private, digest)


@pytest.mark.parametrize("digest", [bytes(32), b"\xff" * 32, p256.ORDER.to_bytes(32, "big")])
def test_digests_at_the_edge_of_the_order_are_reduced_as_the_rfc_says(
    digest: bytes,
    table: bytes,
) -> None:
    assert p256.Signer(table).sign(RFC6979_KEY, digest) == _ecdsa(RFC6979_KEY, digest)


@pytest.mark.parametrize(
    "bad",
    [0, p256.ORDER, p256.ORDER + 1, (1 << 256) - 1],
    ids=["zero", "n", "n+1", "all ones"],
)
def test_nonce_out_of_range_is_rejected_by_the_loop_of_section_3_2(
    bad: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = p256.NonceGenerator(RFC6979_KEY, sha256(b"sample").digest())
    key, before = generator._key, generator._value
    candidate = bad.to_bytes(32, "big")

    def scripted(hmac_key: bytes, *parts: bytes) -> bytes:
        if (hmac_key, parts) == (key, (before,)):
            return candidate
        return hmac_sha256(hmac_key, *parts)

    monkeypatch.setattr(p256, "hmac_sha256", scripted)
    next_key = _hmac(key, candidate + b"\x00")
    expected = _hmac(next_key, _hmac(next_key, candidate))
    assert generator.nonce() == int.from_bytes(expected, "big")


def test_signature_is_made_again_with_the_next_nonce_when_r_or_s_is_zero(
    table: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = sha256(b"sample").digest()
    generator = p256.NonceGenerator(RFC6979_KEY, digest)
    generator.nonce()
    generator.reject()
    second = generator.nonce()
    signer = p256.Signer(table)
    used = []
    real = signer._sign_with

    def first_fails(nonce: int, *arguments):
        used.append(nonce)
        return None if len(used) == 1 else real(nonce, *arguments)

    monkeypatch.setattr(signer, "_sign_with", first_fails)
    signer.sign(RFC6979_KEY, digest)
    assert used[1] == second != used[0]


def test_signing_pauses_between_columns(table: bytes) -> None:
    pauses = []
    digest = sha256(b"sample").digest()
    p256.Signer(table).sign(RFC6979_KEY, digest, lambda: pauses.append(1))
    assert len(pauses) >= 7


def test_kid_is_the_start_of_the_digest_of_the_spki(table: bytes) -> None:
    public = p256.Signer(table).public_key(RFC6979_KEY)
    assert public_key_id(public) == key_id(public)


def test_random_scalar_draws_again_outside_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = [bytes(32), p256.ORDER.to_bytes(32, "big"), b"\xff" * 32, (7).to_bytes(32, "big")]
    monkeypatch.setattr(p256, "urandom", lambda _size: draws.pop(0))
    assert p256.random_scalar() == 7
    assert draws == []


def test_table_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p256.tbl").write_bytes(bytes(1000))
    with pytest.raises(ValueError, match="expected 32768 or 16384 bytes, got 1000"):
        p256.load_table(str(tmp_path / "p256.tbl"))


def test_table_is_loaded_whole(tmp_path: Path, table: bytes) -> None:
    (tmp_path / "p256.tbl").write_bytes(table)
    assert p256.load_table(str(tmp_path / "p256.tbl")) == table


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _ecdsa(private: bytes, digest: bytes) -> bytes:
    return signing_key(private).sign_digest_deterministic(
        digest,
        hashfunc=sha256,
        sigencode=sigencode_string,
    )
