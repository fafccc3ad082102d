"""An entry's inclusion as one text that tools for any C2SP log check offline.

    c2sp.org/tlog-proof@v1
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=    path, lowest sibling first
                                                    (empty line)
    wattest/demo ...                                the checkpoint, a signed note, cosigned or not

Source: c2sp.org/tlog-proof.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from wattest.ledger.checkpoint import SignedCheckpoint
from wattest.ledger.cosignature import parse_cosignature
from wattest.ledger.view import InclusionProof


def tlog_proof(
    proof: InclusionProof, checkpoint: SignedCheckpoint, cosignatures: Iterable[bytes] = ()
) -> bytes:
    """Write an inclusion proof with the checkpoint it leads to.

    Args:
        proof: in the tree of the checkpoint's size.
        checkpoint: verified.
        cosignatures: lines of witnesses under it.

    Raises:
        ValueError: the proof is for a tree of another size.
        NoteError: a line is no cosignature.
    """
    size = checkpoint.checkpoint.size
    if proof.size != size:
        raise ValueError(f"expected a proof in the tree of size {size}, got {proof.size}")
    path = (base64.b64encode(node).decode() for node in proof.path)
    head = "".join(f"{x}\n" for x in ("c2sp.org/tlog-proof@v1", f"index {proof.index}", *path, ""))
    lines = "".join(parse_cosignature(line).to_line() for line in cosignatures)
    return head.encode() + checkpoint.note + lines.encode()
