"""Who may act in a contract."""

from __future__ import annotations

from wattest.settlement.terms import Terms


def parties_of(terms: Terms) -> dict[str, bytes | None]:
    """Return everybody who may act in a contract, with the public key the terms pin, or None."""
    names = (terms.seller, terms.buyer, *terms.brokers, terms.arbiter)
    pins = dict(terms.party_keys)
    return {name: pins.get(name) for name in names if name is not None}
