"""A log whose operator lies as much as he can: any entries, signed with the log's own key.

A bundle is taken apart into what it was made from, changed in any way, and put together again with
leaves, roots, signatures and digests that fit. What is wrong then is only what was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from evidence_bench import MAKER, Bench

from wattest.evidence import bundle
from wattest.evidence.bundle import read_bundle
from wattest.evidence.manifest import Manifest, StatementSubject, Subject
from wattest.evidence.multiproof import prove_entries
from wattest.ledger import CheckpointSigner, EntryKind
from wattest.ledger.cosignature import Cosigner
from wattest.ledger.proof import prove_consistency
from wattest.ledger.tree import EMPTY_ROOT, leaf_hash, node_hash
from wattest.wire import cbor
from wattest.wire.note import parse_note

Entry = tuple[int, bytes]
WITNESSED_S = 1_767_232_800


def _node(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def root_of(leaves: list[bytes]) -> bytes:
    """Return the RFC 6962 root, the slow and plain way."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(root_of(leaves[:half]), root_of(leaves[half:]))


@dataclass
class Forge:
    """What a bundle is made from.

    Attributes:
        entries: of the whole log.
        chosen: indexes of those in the bundle.
        subject: for the manifest.
        cutoffs: sizes, by generation.
        signer: of the log.
        witnesses: who cosign the newest checkpoint.
        size: of the newest checkpoint.
        extra: further members.
    """

    entries: list[Entry]
    chosen: set[int]
    subject: Subject
    cutoffs: list[int]
    signer: CheckpointSigner
    witnesses: tuple[Cosigner, ...] = ()
    size: int = 0
    extra: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, bench: Bench, data: bytes, witnesses: Iterable[Cosigner] = ()) -> Forge:
        """Take apart a bundle of a bench's log."""
        read = read_bundle(data)
        subject = read.manifest.subject
        cutoffs = []
        if isinstance(subject, StatementSubject):
            for number in range(1, subject.generations + 1):
                text = parse_note(read.members[bundle.cutoff_name(number)]).text
                cutoffs.append(int(text.split("\n")[1]))
        newest = parse_note(read.members[bundle.CHECKPOINT]).text
        return cls(
            entries=[(entry.kind, entry.body) for entry in bench.ledger.entries()],
            chosen={entry.index for entry in read.entries},
            subject=subject,
            cutoffs=cutoffs,
            signer=bench.signer,
            witnesses=tuple(witnesses),
            size=int(newest.split("\n")[1]),
        )

    def copy(self) -> Forge:
        return replace(self, entries=[*self.entries], chosen={*self.chosen},
                       cutoffs=[*self.cutoffs], extra={**self.extra})  # fmt: skip

    def places(self, kind: EntryKind) -> list[int]:
        """Return the chosen entries of a kind."""
        return [index for index in sorted(self.chosen) if self.entries[index][0] == kind]

    def put(self, index: int, body: bytes, kind: int | None = None) -> None:
        """Replace an entry."""
        self.entries[index] = (self.entries[index][0] if kind is None else kind, body)

    def add(self, kind: int, body: bytes) -> int:
        """Log one more entry at the end, and put it into the bundle."""
        self.entries.append((kind, body))
        self.size = len(self.entries)
        self.chosen.add(self.size - 1)
        return self.size - 1

    def edit(self, index: int, change: Callable[[Any], None], *, depth: int = 12) -> None:
        """Change a decoded body in place."""
        value = cbor.decode(self.entries[index][1], max_depth=depth)
        change(value)
        self.put(index, cbor.encode(value))

    def about(self, **changes: Any) -> None:
        """Change what the manifest says it is about."""
        self.subject = replace(self.subject, **changes)

    def restate(self) -> None:
        """Put the roots that the cut-offs have now into the statements, first ones first."""
        for index, (kind, body) in enumerate(self.entries):
            if kind != EntryKind.STATEMENT:
                continue
            document = cbor.decode(body, max_depth=12)
            size = document["cutoff"]["size"]
            document["cutoff"]["root"] = root_of(self.leaves()[:size])
            self.put(index, cbor.encode(document))

    def leaves(self) -> list[bytes]:
        return [leaf_hash(kind, body) for kind, body in self.entries]

    def note(self, size: int) -> bytes:
        return self.signer.sign(size, root_of(self.leaves()[:size])).note

    def members(self, *, restate: bool = True) -> dict[str, bytes]:
        """Put the bundle together; the manifest too."""
        if restate:
            self.restate()
        leaves = self.leaves()
        node = _node(leaves)
        note = self.note(self.size)
        text = parse_note(note).text
        lines = sorted(w.sign(text, WITNESSED_S).line.encode() for w in self.witnesses)
        order = sorted(self.chosen)
        members = {
            bundle.CHECKPOINT: note + b"".join(lines),
            bundle.ENTRIES: cbor.encode([[i, *self.entries[i]] for i in order]),
            bundle.PROOF: prove_entries(node, order, self.size),
            **self.extra,
        }
        for number, size in enumerate(self.cutoffs, 1):
            members[bundle.cutoff_name(number)] = self.note(size)
            path = prove_consistency(node, size, self.size)
            members[bundle.consistency_name(number)] = b"".join(path)
        return sealed(members, self.subject, self.signer.verifier.to_text())


def sealed(members: dict[str, bytes], subject: Subject, log: str) -> dict[str, bytes]:
    """Add a manifest that fits."""
    files = {name: bundle.digest_of(content) for name, content in members.items()}
    manifest = Manifest(subject=subject, maker=MAKER, log=log, files=files)
    return {bundle.MANIFEST: manifest.encode(), **members}
