"""Keys of a virtual run: the same for a seed and a purpose, and for nothing else."""

from __future__ import annotations

from itertools import product

from wattest.operations.virtual.demo_keys import demo_key


def test_key_depends_on_seed_and_on_every_word() -> None:
    labels = [
        ("ledger",),
        ("ledger", ""),
        ("nonce", "a"),
        ("nonce", "b"),
        ("noncea",),
        ("n", "once"),
    ]
    keys = {demo_key(seed, *label) for seed, label in product(range(5), labels)}
    assert len(keys) == 5 * len(labels)
    assert all(len(key) == 32 for key in keys)


def test_key_is_the_recorded_one() -> None:
    """A kept run can be played again by later versions only while this holds."""
    assert demo_key(7, "ledger").hex() == (
        "42c9b6cc7aa6406e1236353ece7dd1cdb2bd6db948f191b976158a477b068857"
    )
