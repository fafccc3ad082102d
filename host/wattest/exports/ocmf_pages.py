"""The pages of many OCMF texts: which are missing, and which stand twice.

Pages count for each signer by themselves: its key, its gateway, its meter, its letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from wattest.exports.ocmf import Ocmf

_NAMED_MAX = 20


def page_faults(texts: Sequence[tuple[Ocmf, bytes | None]]) -> Iterator[tuple[str, str]]:
    """Yield where and what is wrong with the pages of these texts, in any order of theirs.

    Nothing can be said about pages before the first and after the last that is there.

    Args:
        texts: each with the key it was checked with, or None.
    """
    seen: dict[tuple[str, str, str, bytes], dict[int, list[str]]] = {}
    for text, spki in texts:
        page = text.page
        if page is None:
            continue
        gateway, serial = (str(text.payload.get(key) or "") for key in ("GS", "MS"))
        signer = (gateway, serial, page[0], spki or b"")
        seen.setdefault(signer, {}).setdefault(page[1], []).append(text.payload_text)
    for (gateway, serial, letter, _), pages in sorted(seen.items()):
        where = f"meter {serial}" + (f", gateway {gateway}" if gateway else "")
        for number, payloads in sorted(pages.items()):
            if len(payloads) > 1:
                same = "the same text" if len(set(payloads)) == 1 else "different texts"
                yield where, f"page {letter}{number} stands {len(payloads)} times: {same}"
        missing = list(gaps(sorted(pages)))
        if missing:
            yield where, f"missing: {_named(letter, missing)}"


def gaps(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last number of each gap in ascending numbers."""
    for low, high in pairwise(numbers):
        if high > low + 1:
            yield low + 1, high - 1


def _named(letter: str, missing: Sequence[tuple[int, int]]) -> str:
    words = [
        f"{letter}{first}" if first == last else f"{letter}{first} to {letter}{last}"
        for first, last in missing[:_NAMED_MAX]
    ]
    more = len(missing) - _NAMED_MAX
    return ", ".join(words) + (f" and {more} gaps more" if more > 0 else "")
