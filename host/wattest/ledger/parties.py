"""Who may act in which contract, and with which key: a fold over the ledger's entries.

Steps for an act, in this order; the first that fails raises:

    1. the body is an act, in the one form acts have
    2. its contract's terms are logged before it
    3. the party is one of the terms
    4. the key: an agreement brings its own, which must be the one the terms pin or the one the
       party acted with before; any other act needs a key the ledger knows
    5. the signature holds under that key
    6. what the act refers to is in the ledger: terms, or a dispute that is open

Source: docs/formats.md section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from wattest.errors import VerificationError
from wattest.verify.signature import load_key, verify_es256
from wattest.wire.act import (
    Agreement,
    AnyAct,
    KeyRotation,
    ResolutionAct,
    SignedAct,
    parse_act,
)
from wattest.wire.keys import kid_of, spki_der


@dataclass(slots=True)
class _Contract:
    """What the ledger says of one contract so far."""

    parties: dict[str, bytes | None] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    terms: set[bytes] = field(default_factory=set)
    agreed: dict[bytes, set[str]] = field(default_factory=dict)


class Parties:
    """Contracts, their parties, and the keys these act with, as far as the ledger was read."""

    def __init__(self) -> None:
        self._contracts: dict[str, _Contract] = {}
        self._disputes: dict[bytes, str | None] = {}

    def add_terms(self, digest: bytes, contract: str, parties: Mapping[str, bytes | None]) -> None:
        """Take logged terms.

        Args:
            digest: hash of the canonical terms, 32 bytes.
            contract: its name.
            parties: everybody who may act, with the public key the terms pin (64 bytes) or None.
        """
        known = self._contracts.setdefault(contract, _Contract())
        known.terms.add(digest)
        for party, pinned in parties.items():
            known.parties[party] = pinned or known.parties.get(party)

    def add_dispute(self, body: bytes, contract: str | None) -> None:
        """Take a dispute's entry body; ``contract`` is None for one that the evidence opened."""
        self._disputes[sha256(body).digest()] = contract

    def take(self, body: bytes) -> SignedAct:
        """Verify an act against everything before it, and remember what it changes.

        Raises:
            DecodeError: step 1.
            VerificationError: a later step; names it.
        """
        signed = parse_act(body)
        act = signed.act
        known = self._contracts.get(act.contract)
        if known is None:
            raise VerificationError(f"step 2: terms of contract {act.contract!r} expected before")
        if act.party not in known.parties:
            names = ", ".join(sorted(known.parties))
            raise VerificationError(f"step 3: one of {names} expected, got {act.party!r}")
        key = _key_for(act, known)
        if signed.message.kid != kid_of(spki_der(key)):
            raise VerificationError(
                f"step 4: key {kid_of(spki_der(key)).hex()} of {act.party} expected, "
                f"got {signed.message.kid.hex()}"
            )
        message = signed.message
        try:
            verify_es256(load_key(spki_der(key)), message.to_be_signed(), message.signature)
        except VerificationError as exc:
            raise VerificationError(f"step 5: {exc}") from exc
        self._check_reference(act, known)
        _remember(act, known)
        return signed

    def agreed(self, contract: str, terms: bytes) -> frozenset[str]:
        """Return who has agreed to these terms of a contract."""
        known = self._contracts.get(contract)
        return frozenset(known.agreed.get(terms, ())) if known else frozenset()

    def key(self, contract: str, party: str) -> bytes | None:
        """Return the public key a party acts with now, 64 bytes, or None."""
        known = self._contracts.get(contract)
        return known.keys.get(party) if known else None

    def _check_reference(self, act: AnyAct, known: _Contract) -> None:
        if isinstance(act, Agreement) and act.terms not in known.terms:
            raise VerificationError(
                f"step 6: terms {act.terms.hex()} of {act.contract} expected in the ledger"
            )
        if isinstance(act, ResolutionAct):
            contract = self._disputes.get(act.dispute, "")
            if contract not in (None, act.contract):
                raise VerificationError(
                    f"step 6: dispute {act.dispute.hex()} of {act.contract} expected in the ledger"
                )


def _key_for(act: AnyAct, known: _Contract) -> bytes:
    """Return the key an act must be signed with; an agreement may bring the first one."""
    current = known.keys.get(act.party) or known.parties[act.party]
    if isinstance(act, Agreement):
        if current is not None and act.public_key != current:
            raise VerificationError(f"step 4: the key {act.party} is known by expected")
        return act.public_key
    if act.party not in known.keys:
        raise VerificationError(f"step 4: an agreement of {act.party} expected before")
    return known.keys[act.party]


def _remember(act: AnyAct, known: _Contract) -> None:
    if isinstance(act, Agreement):
        known.keys[act.party] = act.public_key
        known.agreed.setdefault(act.terms, set()).add(act.party)
    elif isinstance(act, KeyRotation):
        known.keys[act.party] = act.public_key
