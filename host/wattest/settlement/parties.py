"""Who may act in a contract."""

from __future__ import annotations

from wattest.settlement.terms import Terms


def parties_of(terms: Terms) -> dict[str, bytes | None]:
    """Return everybody who may act in a contract, with the public key the terms pin, or None."""
    return dict.fromkeys((terms.seller, terms.buyer))
