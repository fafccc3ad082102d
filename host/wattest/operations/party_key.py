"""The private keys parties of a contract act with: P-256, kept as PEM, for their owner only."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from wattest.errors import ConfigError
from wattest.ledger import NewEntry
from wattest.ledger.evidence_acts import ENTRY_OF_ACT
from wattest.operations.private import write_private
from wattest.tables import NAME_EXPECTED, NAME_PATTERN
from wattest.wire import kid_of, public_key_of, seal_act, spki_der
from wattest.wire.act import AnyAct

_HALF = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class PartyKey:
    """One party's key.

    Args:
        private: the key.
    """

    private: ec.EllipticCurvePrivateKey

    @classmethod
    def from_secret(cls, secret: bytes) -> PartyKey:
        """Derive a key from 32 bytes; the same bytes give the same key."""
        scalar = int.from_bytes(hashlib.sha512(secret).digest()) % (_ORDER - 1) + 1
        return cls(ec.derive_private_key(scalar, ec.SECP256R1()))

    @classmethod
    def read(cls, path: Path) -> PartyKey:
        """Read a key file.

        Raises:
            ConfigError: there is none, or it holds something else.
        """
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise ConfigError(
                f"cannot be read: {(error.strerror or '').lower()}",
                path=str(path),
                hint="make a key with `wattest party new NAME`",
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError("a private key in PEM expected", path=str(path)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ConfigError("a key of the curve P-256 expected", path=str(path))
        return cls(key)

    @property
    def public_key(self) -> bytes:
        """Public key, x and y, 64 bytes."""
        spki = self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return public_key_of(spki)

    @property
    def kid(self) -> bytes:
        """Key identifier, 8 bytes."""
        return kid_of(spki_der(self.public_key))

    def sign(self, data: bytes) -> bytes:
        """Return r and s over SHA-256, 64 bytes; the nonce is that of RFC 6979."""
        der = self.private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)

    def entry(self, act: AnyAct) -> NewEntry:
        """Sign an act and make the entry it is logged as."""
        return NewEntry(
            kind=ENTRY_OF_ACT[act.kind], body=seal_act(act, self.public_key, self.sign)
        )

    def write(self, path: Path) -> None:
        """Write the key file; only its owner may read it.

        Raises:
            StoreError: it cannot be written.
        """
        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)


def key_file(folder: Path, party: str) -> Path:
    """Return where the key of a party lies in a folder of keys.

    Raises:
        ConfigError: such a name cannot be the name of a file.
    """
    if re.fullmatch(NAME_PATTERN, party) is None:
        raise ConfigError(f"{NAME_EXPECTED} expected, got {party!r}", path="party")
    return folder / f"party-{party}.pem"
