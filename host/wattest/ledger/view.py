"""A ledger opened for reading: entries, checkpoints and proofs, without the signing key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wattest.errors import CheckpointInconsistent, DamagedStore
from wattest.ledger.checkpoint import CheckpointVerifier, SignedCheckpoint
from wattest.ledger.entry import Entry, RecordRow
from wattest.ledger.nodes import TileNodes
from wattest.ledger.proof import (
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from wattest.ledger.rotation import keys_of
from wattest.ledger.store import LedgerReader
from wattest.ledger.tree import GrowingTree, leaf_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """An entry is in the tree of a size.

    Attributes:
        index: the entry.
        size: size of the tree.
        leaf: leaf hash, 32 bytes.
        path: sibling hashes, lowest first.
    """

    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]

    def verify(self, root: bytes) -> None:
        """Check the proof against the root of a verified checkpoint.

        Raises:
            ProofInvalid: it does not lead there.
        """
        verify_inclusion(self.leaf, self.index, self.size, root, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """A tree only appended to an older one.

    Attributes:
        old_size: size of the older tree, >= 1.
        new_size: size of the newer tree.
        path: hashes, lowest first.
    """

    old_size: int
    new_size: int
    path: tuple[bytes, ...]

    def verify(self, old_root: bytes, new_root: bytes) -> None:
        """Check the proof against two verified roots.

        Raises:
            ProofInvalid: it does not hold.
        """
        verify_consistency(self.old_size, self.new_size, old_root, new_root, self.path)


class LedgerView:
    """What can be read and proved of a stored ledger.

    Args:
        store: where it is.
        verifier: the ledger's origin and checkpoint key.

    Raises:
        StoreError: it cannot be read, or its edges do not fit its size.
        SignatureInvalid: the newest checkpoint is not signed by that key.
        CheckpointInconsistent: the newest checkpoint does not describe the stored tree.
    """

    def __init__(self, store: LedgerReader, verifier: CheckpointVerifier) -> None:
        self._store = store
        self._verifier = verifier
        self._nodes = TileNodes(store.tile)
        self._tree = GrowingTree()
        self._newest: SignedCheckpoint | None = None
        self.refresh()

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._tree.size

    @property
    def verifier(self) -> CheckpointVerifier:
        """The ledger's origin and checkpoint key."""
        return self._verifier

    @property
    def tree(self) -> GrowingTree:
        """The growing edge; only the ledger itself may push to it."""
        return self._tree

    def root(self) -> bytes:
        """Return the root over all entries, 32 bytes."""
        return self._tree.root()

    def checkpoint(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint, verified; None in an empty ledger."""
        return self._newest

    def refresh(self) -> None:
        """Read again where the stored ledger stands; raises as the constructor does."""
        head = self._store.head()
        try:
            tree = GrowingTree(head.size, [edge.hashes for edge in head.edges])
        except ValueError as exc:
            raise DamagedStore(f"ledger edges are damaged: {exc}", hint=_AUDIT) from exc
        newest = None
        if head.checkpoint is not None:
            newest = SignedCheckpoint(
                checkpoint=self._verifier.open(head.checkpoint.note), note=head.checkpoint.note
            )
        self._check_head(tree, newest)
        self._tree, self._newest = tree, newest

    def follow(self, verifier: CheckpointVerifier) -> None:
        """Expect checkpoints of another key from now on: the ledger has just named it."""
        self._verifier = verifier

    def settle(self, newest: SignedCheckpoint) -> None:
        """Take over a commit that the ledger pushed to :attr:`tree` and stored."""
        self._tree.settle()
        self._newest = newest

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield entries with start <= index < stop, in order."""
        return self._store.entries(start, stop)

    def proven_entries(self) -> Iterator[Entry]:
        """Yield all entries, in order; before it ends they have led to the signed root.

        What somebody makes of the entries counts only when this came to its end without an error.

        Raises:
            StoreError: one is missing.
            CheckpointInconsistent: they do not lead to the root.
        """
        size, root, tree = self.size, self.root(), GrowingTree()
        for entry in self._store.entries(0, size):
            if entry.index != tree.size:
                raise DamagedStore(f"entry {tree.size} is missing from the ledger", hint=_AUDIT)
            tree.push(leaf_hash(entry.kind, entry.body))
            tree.settle()
            yield entry
        if (tree.size, tree.root()) != (size, root):
            raise CheckpointInconsistent(
                f"the entries lead to size {tree.size} root {tree.root().hex()}, the checkpoint "
                f"says size {size} root {root.hex()}",
                hint=_AUDIT,
            )

    def records(self, kid: bytes) -> Iterator[RecordRow]:
        """Yield what the storage says of the records of a key, by ctx and seq; not proven."""
        return self._store.records(kid)

    def keys(self) -> CheckpointVerifier:
        """Return what opens every checkpoint of this ledger, also of keys that stepped down."""
        return keys_of(self._store, self._verifier)

    def cosignatures(self, size: int) -> list[bytes]:
        """Return the lines of witnesses under the checkpoint of a size; not verified."""
        return self._store.cosignatures(size)

    def entry(self, index: int) -> Entry:
        """Return one entry.

        Raises:
            ValueError: the ledger has no such entry.
            StoreError: it has, but it is missing from the storage.
        """
        if not 0 <= index < self.size:
            raise ValueError(f"expected an index below the size {self.size}, got {index}")
        for entry in self._store.entries(index, index + 1):
            return entry
        raise DamagedStore(f"entry {index} is missing from the ledger", hint=_AUDIT)

    def prove_inclusion(self, index: int, size: int | None = None) -> InclusionProof:
        """Prove that an entry is in the tree of ``size``, by default the newest.

        Raises:
            ValueError: no such entry in a tree of that size, or no such size yet.
            StoreError: a tile cannot be read.
        """
        size = self._known(size)
        path = prove_inclusion(self.node, index, size)
        return InclusionProof(index=index, size=size, leaf=self.node(0, index), path=path)

    def prove_consistency(self, old_size: int, new_size: int | None = None) -> ConsistencyProof:
        """Prove that the tree of ``new_size``, by default the newest, extends an older one.

        Raises:
            ValueError: the sizes are out of order or not reached yet.
            StoreError: a tile cannot be read.
        """
        new_size = self._known(new_size)
        path = prove_consistency(self.node, old_size, new_size)
        return ConsistencyProof(old_size=old_size, new_size=new_size, path=path)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of the complete subtree over leaves from ``index << level``."""
        return self._nodes.source(self._tree)(level, index)

    def _known(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"expected a size of at most {self.size}, got {size}")
        return size

    @staticmethod
    def _check_head(tree: GrowingTree, newest: SignedCheckpoint | None) -> None:
        size = 0 if newest is None else newest.checkpoint.size
        if size != tree.size:
            raise CheckpointInconsistent(
                f"newest checkpoint: expected size {tree.size}, got {size}", hint=_AUDIT
            )
        if newest is not None and newest.checkpoint.root != tree.root():
            raise CheckpointInconsistent(
                f"newest checkpoint: expected root {tree.root().hex()}, "
                f"got {newest.checkpoint.root.hex()}",
                hint=_AUDIT,
            )


_AUDIT = "run `wattest verify` on the directory to see what is wrong"
