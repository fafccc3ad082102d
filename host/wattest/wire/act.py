"""Acts: what a party of a contract states under its own key (docs/formats.md section 4.1).

An act is a COSE_Sign1 message in the same strict form as a record, with a media type of its own,
so that no signature over the one can ever be taken for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Final, TypeAlias

from wattest.errors import RecordError
from wattest.wire import cbor
from wattest.wire.cose import Sign1, parse_sign1, seal_sign1
from wattest.wire.fields import Check, count, is_a, read_fields, sized, span, text, uint
from wattest.wire.keys import KEY_BYTES, kid_of, spki_der

ACT_TYPE: Final = "application/vnd.wattest.act+cbor"
NAME_MAX: Final = 64
REASON_MAX: Final = 200
_DIGEST_BYTES: Final = 32
_START: Final = b"\xd2"
"""Tag 18 of COSE_Sign1."""


class ActKind(IntEnum):
    """What a party does."""

    AGREE = 1
    DISPUTE = 2
    RESOLVE = 3
    PAY = 4
    ROTATE = 5


class PaymentKind(IntEnum):
    """What a payment is for; docs/accounts.md says which accounts it moves."""

    FUND = 0
    PAYOUT = 1
    DEPOSIT = 2
    REFUND = 3
    DAMAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What all acts state.

    Args:
        contract: name of the contract, 1 to 64 characters.
        party: who acts, 1 to 64 characters.
        time_ms: when, as the party states it, UTC ms since 1970.
    """

    kind: ClassVar[ActKind]

    contract: str
    party: str
    time_ms: int

    def own_fields(self) -> dict[int, Any]:
        """Return the fields from key 5 on."""
        raise NotImplementedError

    def payload(self) -> bytes:
        """Encode the bytes to be signed."""
        common = {1: int(self.kind), 2: self.contract, 3: self.party, 4: self.time_ms}
        return cbor.encode({**common, **self.own_fields()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Act):
    """The party agrees to terms, and names the key it acts with.

    Args:
        terms: hash of the canonical terms, 32 bytes.
        public_key: x and y, 64 bytes; signs this act.
    """

    kind = ActKind.AGREE

    terms: bytes
    public_key: bytes

    def own_fields(self) -> dict[int, Any]:
        """Return the fields from key 5 on."""
        return {5: self.terms, 6: self.public_key}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAct(Act):
    """The party disputes part of one line of a statement.

    Args:
        period: of the statement, ``(begin, end)``, UTC ms.
        line: code of the line.
        window: disputed time, ``(begin, end)``, UTC ms, inside of the period.
        reason: for people, 1 to 200 characters.
        quantity: disputed base counts, or None: what was metered in the window.
    """

    kind = ActKind.DISPUTE

    period: tuple[int, int]
    line: str
    window: tuple[int, int]
    reason: str
    quantity: int | None = None

    def own_fields(self) -> dict[int, Any]:
        """Return the fields from key 5 on."""
        fields: dict[int, Any] = {
            5: list(self.period),
            6: self.line,
            7: list(self.window),
            8: self.reason,
        }
        if self.quantity is not None:
            fields[9] = self.quantity
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionAct(Act):
    """The party settles a dispute; it takes effect when the others that must have said the same.

    Args:
        dispute: SHA-256 of the body of the dispute's entry, 32 bytes.
        granted: disputed base counts that are billed after all.
        text: for people, 1 to 200 characters.
    """

    kind = ActKind.RESOLVE

    dispute: bytes
    granted: int
    text: str

    def own_fields(self) -> dict[int, Any]:
        """Return the fields from key 5 on."""
        return {5: self.dispute, 6: self.granted, 7: self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAct(Act):
    """The party confirms a payment from or to outside of the accounts.

    Args:
        what: what it is for.
        amount_minor: > 0, minor units of the currency.
        currency: three capital letters.
        reference: of the bank or whoever moved the money, 1 to 64 characters.
    """

    kind = ActKind.PAY

    what: PaymentKind
    amount_minor: int
    currency: str
    reference: str

    def own_fields(self) -> dict[int, Any]:
        """Return the fields from key 5 on."""
        return {5: int(self.what), 6: self.amount_minor, 7: self.currency, 8: self.reference}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation(Act):
    """The party will act with another key from now on; signed by the old one.

    Args:
        public_key: the new key, x and y, 64 bytes.
    """

    kind = ActKind.ROTATE

    public_key: bytes

    def own_fields(self) -> dict[int, Any]:
        """Return the fields from key 5 on."""
        return {5: self.public_key}


AnyAct: TypeAlias = Agreement | DisputeAct | ResolutionAct | PaymentAct | KeyRotation


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAct:
    """An act and the message it came in; the signature is not checked here.

    Args:
        act: what is stated.
        message: the COSE_Sign1 message.
    """

    act: AnyAct
    message: Sign1


def seal_act(act: AnyAct, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Build a signed act: the body of an entry.

    Args:
        act: what to state.
        public_key: of the party, x and y, 64 bytes.
        sign: takes the Sig_structure, returns r and s as 64 bytes.

    Raises:
        ValueError: a key or signature of another length.
    """
    kid = kid_of(spki_der(public_key))
    return seal_sign1(kid, act.payload(), sign, typ=ACT_TYPE)


_name = text(NAME_MAX)
_COMMON: Final[dict[int, Check]] = {
    1: lambda value: type(value) is int and value in set(ActKind),
    2: _name,
    3: _name,
    4: is_a(int),
}
_OWN: Final[Mapping[ActKind, dict[int, Check]]] = {
    ActKind.AGREE: {5: sized(_DIGEST_BYTES), 6: sized(KEY_BYTES)},
    ActKind.DISPUTE: {5: span, 6: _name, 7: span, 8: text(REASON_MAX), 9: count},
    ActKind.RESOLVE: {5: sized(_DIGEST_BYTES), 6: uint, 7: text(REASON_MAX)},
    ActKind.PAY: {
        5: lambda value: type(value) is int and value in set(PaymentKind),
        6: count,
        7: lambda value: type(value) is str and len(value) == 3 and value.isascii(),
        8: _name,
    },
    ActKind.ROTATE: {5: sized(KEY_BYTES)},
}
_OPTIONAL: Final = {9}


def is_act(body: bytes) -> bool:
    """Tell whether a body begins as an act; one of an act's kind that nobody signed is a map."""
    return body.startswith(_START)


def parse_act(body: bytes) -> SignedAct:
    """Read the body of an entry that holds an act.

    Raises:
        CoseError: not the envelope of an act.
        RecordError: rule ``act`` or one of deterministic CBOR.
    """
    message = parse_sign1(body, typ=ACT_TYPE)
    kind = _kind_of(message.payload)
    fields = read_fields(message.payload, "act", {**_COMMON, **_OWN[kind]}, _OPTIONAL)
    common = {"contract": fields[2], "party": fields[3], "time_ms": fields[4]}
    return SignedAct(act=_build(kind, fields, common), message=message)


def _kind_of(payload: bytes) -> ActKind:
    """Find out which fields to expect; whether the rest is right is seen when they are read."""
    checks = {key: lambda _: True for key in range(1, 10)}
    fields = read_fields(payload, "act", checks, set(checks))
    if not _COMMON[1](fields.get(1)):
        raise RecordError("act", 0, "key 1: a kind from 1 to 5 expected")
    return ActKind(fields[1])


def _build(kind: ActKind, fields: dict[int, Any], common: dict[str, Any]) -> AnyAct:
    match kind:
        case ActKind.AGREE:
            return Agreement(**common, terms=fields[5], public_key=fields[6])
        case ActKind.DISPUTE:
            return DisputeAct(
                **common,
                period=tuple(fields[5]),
                line=fields[6],
                window=tuple(fields[7]),
                reason=fields[8],
                quantity=fields.get(9),
            )
        case ActKind.RESOLVE:
            return ResolutionAct(**common, dispute=fields[5], granted=fields[6], text=fields[7])
        case ActKind.PAY:
            return PaymentAct(
                **common,
                what=PaymentKind(fields[5]),
                amount_minor=fields[6],
                currency=fields[7],
                reference=fields[8],
            )
        case ActKind.ROTATE:
            return KeyRotation(**common, public_key=fields[5])
