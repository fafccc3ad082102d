"""One signature on the emulated node, beside python-ecdsa on the same machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from time import process_time
from typing import Any

import ecdsa
from node_bench import NS_PER_S, Console, bench_of

SIGNATURES = 10
ROUNDS = 20
TABLES = (16_384, 32_768)
SHIPPED = 16_384  # what boards/emulated-esp32.toml gives a node
PRIVATE = bytes(range(1, 33))
DIGEST = sha256(b"one reading").digest()
KEY = ecdsa.SigningKey.from_string(PRIVATE, curve=ecdsa.NIST256p)
# A node that has been stopped is not fed any more, so its watchdog gets a long leash.
PROGRAM = f"""
import sys
from machine import WDT
from node.p256 import Signer
WDT(timeout=8000000)
signer = Signer(table)
def serve():
    while sys.stdin.read(1) != "q":
        for _ in range({SIGNATURES}):
            signature = signer.sign({PRIVATE!r}, {DIGEST!r})
        print(signature.hex())
"""


class NodeSigner:
    """A node stopped by Ctrl-C, all of its firmware loaded, that signs when asked."""

    def __init__(self, table_bytes: int) -> None:
        self._bench, (node,) = bench_of(1, p256_table_bytes=table_bytes)
        self._board = node.board
        self._console = Console(self._bench, node)
        self._board.power_on()
        self._console.until(b"heap free")
        self._board.feed(b"\x03")
        self._console.until(b">>> ")
        self._console.execute(PROGRAM)
        self._board.feed(b"serve()\r")
        self._bench.world.run_until(self._bench.world.now_ns + NS_PER_S)

    def close(self) -> None:
        """Switch it off."""
        self._bench.close()

    def sign_s(self) -> float:
        """Return the processor time of one signature, s.

        Raises:
            RuntimeError: it is not the signature that RFC 6979 prescribes.
        """
        expected = KEY.sign_digest_deterministic(DIGEST, hashfunc=sha256).hex().encode()
        self._console.output.clear()
        self._board.feed(b"s")
        took_s = self._console.until(expected)
        return took_s / SIGNATURES


def rows() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        nodes = {table_bytes: NodeSigner(table_bytes) for table_bytes in TABLES}
        for node in nodes.values():
            stack.callback(node.close)
        ours: dict[int, list[float]] = {table_bytes: [] for table_bytes in TABLES}
        reference = [_reference_s()]
        # They take turns and the fastest counts: what else the machine does only ever adds.
        for _ in range(ROUNDS):
            for table_bytes, node in nodes.items():
                ours[table_bytes].append(node.sign_s())
                reference.append(_reference_s())
    for table_bytes in TABLES:
        yield {
            "what": f"sign a reading on the emulated node, {table_bytes // 1024} KB table",
            "ours": min(ours[table_bytes]) * 1000,
            "unit": "ms",
            "reference": min(reference) * 1000,
            "reference_name": "python-ecdsa",
            "ratio": min(ours[table_bytes]) / min(reference),
            "bar": "<= 3.0 x" if table_bytes == SHIPPED else "",
        }


def _reference_s() -> float:
    start_s = process_time()
    for _ in range(SIGNATURES):
        KEY.sign_digest_deterministic(DIGEST, hashfunc=sha256)
    return (process_time() - start_s) / SIGNATURES
