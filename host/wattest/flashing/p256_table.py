"""The signer's table: multiples of the P-256 base point, laid out for a signed comb.

A scalar of 256 bits is read as 8 teeth of 32 bits; ``blocks`` tables share the work. With
e = 32 / blocks, entry i of block j holds

    G * (2^(224 + e*j) + sum over r < 7 of (+1 if bit r of i else -1) * 2^(32*r + e*j))

as x ‖ y, 32 bytes each, big-endian. 128 entries a block; the eighth tooth's sign is applied by
negating y. The node reads the number of blocks from the length of the table.
"""

from __future__ import annotations

from functools import cache

from ecdsa import NIST256p
from ecdsa.ellipticcurve import PointJacobi

from wattest.errors import ConfigError

_TEETH = 8
_TOOTH_BITS = 32
_ENTRIES = 1 << (_TEETH - 1)


@cache
def p256_table(size_bytes: int) -> bytes:
    """Return the comb table of ``size_bytes``: 16,384 (2 blocks) or 32,768 (4 blocks).

    Raises:
        ConfigError: another size, which the signer could not use.

    Source:
        Lim and Lee, "More flexible exponentiation with precomputation" (1994), with signed digits.
    """
    blocks = {16_384: 2, 32_768: 4}.get(size_bytes)
    if blocks is None:
        raise ConfigError(f"expected 16384 or 32768, got {size_bytes}", key="p256_table_bytes")
    step_bits = _TOOTH_BITS // blocks
    table = bytearray()
    for block in range(blocks):
        for point in _block(step_bits * block):
            affine = point.to_affine()
            table += int(affine.x()).to_bytes(32, "big") + int(affine.y()).to_bytes(32, "big")
    return bytes(table)


def _block(shift_bits: int) -> list[PointJacobi]:
    """Return the 128 points of one block, by flipping one tooth's sign at a time."""
    order = NIST256p.order
    teeth = [
        NIST256p.generator * pow(2, _TOOTH_BITS * tooth + shift_bits, order)
        for tooth in range(_TEETH)
    ]
    points = [teeth[-1]]
    for tooth in teeth[:-1]:
        points = [p + -tooth for p in points] + [p + tooth for p in points]
    return points
