"""One signature on the emulated node, beside python-ecdsa on the same machine."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from time import process_time
from typing import Any

import ecdsa
from node_bench import Console, bench_of

SIGNATURES = 20
ROUNDS = 7
PRIVATE = bytes(range(1, 33))
DIGEST = sha256(b"one reading").digest()
PROGRAM = f"""
from node.p256 import Signer
signer = Signer(table)
def sign(n):
    for _ in range(n):
        signer.sign({PRIVATE!r}, {DIGEST!r})
"""


def rows() -> Iterator[dict[str, Any]]:
    for table_bytes in (32_768, 16_384):
        ours_s, reference_s = _compare(table_bytes)
        yield {
            "what": f"sign a reading on the emulated node, {table_bytes // 1024} KB table",
            "ours": ours_s * 1000,
            "unit": "ms",
            "reference": reference_s * 1000,
            "reference_name": "python-ecdsa",
            "ratio": ours_s / reference_s,
            "bar": "<= 3.0 x",
        }


def _compare(table_bytes: int) -> tuple[float, float]:
    """Return the time of one signature on the node and by the reference, s.

    Rounds take turns and the fastest counts: what else the machine does only ever adds.
    """
    bench, (node,) = bench_of(1, p256_table_bytes=table_bytes)
    try:
        console = Console(bench, node)
        node.board.power_on()
        console.until(b"heap free")
        node.board.feed(b"\x03")
        console.until(b">>> ")
        console.execute(PROGRAM)
        ours, reference = [], []
        for _ in range(ROUNDS):
            idle_s = console.execute("sign(0)")
            ours.append((console.execute(f"sign({SIGNATURES})") - idle_s) / SIGNATURES)
            reference.append(_reference_s())
    finally:
        bench.close()
    return min(ours), min(reference)


def _reference_s() -> float:
    key = ecdsa.SigningKey.from_string(PRIVATE, curve=ecdsa.NIST256p)
    key.sign_digest_deterministic(DIGEST, hashfunc=sha256)
    start_s = process_time()
    for _ in range(SIGNATURES):
        key.sign_digest_deterministic(DIGEST, hashfunc=sha256)
    return (process_time() - start_s) / SIGNATURES
