"""ECDSA over P-256 with RFC 6979 nonces: a signed comb over a table made at build time.

The scalar is turned into 256 signed digits, all of them +1 or -1, so every signature does the
same sequence of Python operations: no zero digit, no branch on the nonce. The projective start,
the inversion of the nonce and the product with the key are blinded. The arithmetic below Python
is not constant in time, so this is timing-hardened and no more than that.

Coordinates are XYZZ (x = X/ZZ, y = Y/ZZZ): a mixed addition costs 10 products and needs no
inverse. One `%` reduces a whole sum of products, because on this VM an operation costs more than
its size.
"""

from os import stat, urandom

from micropython import const

from node.mac import hmac_sha256

FIELD_PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_POINT_BYTES = const(64)
_ENTRIES = const(128)
_SIZE_ATTRIBUTE = const(6)
_ODD_BITS = 0xAAAAAAAA00000000AAAAAAAA00000000AAAAAAAA00000000AAAAAAAA
_ODD_PAIRS = 0xCCCCCCCCCCCCCCCC0000000000000000CCCCCCCCCCCCCCCC
_ODD_FOURS = 0xF0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0


def load_table(path: str) -> bytearray:
    """Read the comb table into one block of memory.

    Called before anything else is imported: 32 KB in one piece can be had only then.

    Raises:
        ValueError: the file is not a table of 4 or 2 blocks.
    """
    size = stat(path)[_SIZE_ATTRIBUTE]
    if size not in (4 * _ENTRIES * _POINT_BYTES, 2 * _ENTRIES * _POINT_BYTES):
        raise ValueError("p256 table: expected 32768 or 16384 bytes, got %d" % size)
    table = bytearray(size)
    with open(path, "rb") as file:
        if file.readinto(table) != size:
            raise ValueError("p256 table: short read")
    return table


def nothing() -> None:
    """Stand-in for a caller that has nothing to do between two columns."""


def random_scalar() -> int:
    """A uniform scalar in 1..n-1, by rejection."""
    while True:
        scalar = int.from_bytes(urandom(32), "big")
        if 0 < scalar < ORDER:
            return scalar


class NonceGenerator:
    """HMAC-DRBG of RFC 6979, section 3.2: candidates for the nonce, one after the other."""

    def __init__(self, private: bytes, digest: bytes) -> None:
        reduced = (int.from_bytes(digest, "big") % ORDER).to_bytes(32, "big")
        key = bytes(32)
        value = b"\x01" * 32
        for mark in (b"\x00", b"\x01"):
            key = hmac_sha256(key, value, mark, private, reduced)
            value = hmac_sha256(key, value)
        self._key = key
        self._value = value

    def candidate(self) -> int:
        """The next 256 bits, in range or not."""
        self._value = hmac_sha256(self._key, self._value)
        return int.from_bytes(self._value, "big")

    def reject(self) -> None:
        """Step h of section 3.2: the candidate was not usable."""
        self._key = hmac_sha256(self._key, self._value, b"\x00")
        self._value = hmac_sha256(self._key, self._value)

    def nonce(self) -> int:
        """The first candidate in 1..n-1."""
        while True:
            nonce = self.candidate()
            if 0 < nonce < ORDER:
                return nonce
            self.reject()


def inverse(value: int, modulus: int) -> int:
    """Inverse by Euclid's algorithm. Its time depends on the value: pass blinded values.

    Two steps a round, so that no step has to move its results to where the next one wants them.
    """
    left = modulus
    left_factor = 0
    right = value
    right_factor = 1
    while True:
        quotient, left = divmod(left, right)
        if not left:
            return right_factor % modulus
        left_factor -= quotient * right_factor
        quotient, right = divmod(right, left)
        if not right:
            return left_factor % modulus
        right_factor -= quotient * left_factor


def comb_lookups(scalar: int) -> bytes:
    """The 256 signed digits of an odd scalar, as the comb looks them up.

    Returns:
        For column c of 0..31 the byte 4 * (c % 8) + c // 8: bit t is the digit at c + 32 t, 1 for
        +1 and 0 for -1.
    """
    # Digits +1 and -1 of an odd k are the bits of (k + 2^256 - 1) / 2: eight rows of 32. Each
    # square of eight rows and eight columns is transposed: single bits, pairs, fours.
    rows = (scalar >> 1) + (1 << 255)
    swapped = (rows ^ rows >> 31) & _ODD_BITS
    rows ^= swapped ^ swapped << 31
    swapped = (rows ^ rows >> 62) & _ODD_PAIRS
    rows ^= swapped ^ swapped << 62
    swapped = (rows ^ rows >> 124) & _ODD_FOURS
    rows ^= swapped ^ swapped << 124
    return rows.to_bytes(32, "little")


class Signer:
    """Multiplies the base point by a scalar, and signs.

    Args:
        table: comb table, 4 or 2 blocks of 128 affine points of 64 bytes.
    """

    def __init__(self, table: bytes) -> None:
        self._table = memoryview(table)  # its slices copy nothing
        self._blocks = len(table) // (_ENTRIES * _POINT_BYTES)
        self._columns = 32 // self._blocks

    def _comb(self, scalar: int, blind: int, pause) -> tuple[int, int, int, int]:
        """scalar * G as X, Y, ZZ, ZZZ, all of them blinded; scalar is odd, 0 < scalar < n."""
        p = FIELD_PRIME
        table = self._table
        signed = [0, 0]
        blocks = range(self._blocks)
        block_columns = self._columns >> 3
        from_bytes = int.from_bytes
        lookups = comb_lookups(scalar)
        zz = blind * blind % p
        zzz = zz * blind % p
        x = y = 0
        column = self._columns
        first = True
        while column:
            column -= 1
            if not first:
                double = y + y
                v = double * double % p
                w = double * v % p
                s = x * v % p
                m = 3 * (x - zz) * (x + zz) % p
                x = (m * m - (s + s)) % p
                y = (m * (s - x) - w * y) % p
                zz = v * zz % p
                zzz = w * zzz % p
                pause()
            place = (column & 7) << 2 | column >> 3
            for block in blocks:
                index = lookups[place + block_columns * block]
                positive = index >> 7
                offset = (block << 7 | (index ^ (positive - 1)) & 127) << 6
                x2 = from_bytes(table[offset : offset + 32], "big")
                y2 = from_bytes(table[offset + 32 : offset + 64], "big")
                signed[1] = y2
                signed[0] = p - y2
                y2 = signed[positive]
                if first:
                    first = False
                    x = x2 * zz % p
                    y = y2 * zzz % p
                    continue
                h = (x2 * zz - x) % p
                r = (y2 * zzz - y) % p
                if not h:
                    raise ValueError("comb: two equal points")
                v = h * h % p
                w = h * v % p
                s = x * v % p
                x = (r * r - (w + s + s)) % p
                y = (r * (s - x) - y * w) % p
                zz = zz * v % p
                zzz = zzz * w % p
        return x, y, zz, zzz

    def public_key(self, private: bytes) -> bytes:
        """x | y of private * G, 64 bytes."""
        scalar = int.from_bytes(private, "big")
        odd = scalar & 1
        x, y, zz, zzz = self._comb((ORDER - scalar, scalar)[odd], random_scalar(), nothing)
        p = FIELD_PRIME
        affine_x = x * inverse(zz, p) % p
        affine_y = y * inverse(zzz, p) % p
        affine_y = (p - affine_y, affine_y)[odd]
        return affine_x.to_bytes(32, "big") + affine_y.to_bytes(32, "big")

    def sign(self, private: bytes, digest: bytes, pause=nothing) -> bytes:
        """Sign a SHA-256 digest.

        Args:
            private: scalar, 32 bytes big-endian.
            digest: 32 bytes.
            pause: called between two steps of the computation, for what cannot wait.

        Returns:
            r | s, 64 bytes.

        Source:
            FIPS 186-5, section 6.4.1; RFC 6979, section 3.2.
        """
        generator = NonceGenerator(private, digest)
        while True:
            signature = self._sign_with(generator.nonce(), private, digest, pause)
            if signature is not None:
                return signature
            generator.reject()

    def _sign_with(self, nonce: int, private: bytes, digest: bytes, pause) -> bytes | None:
        """One attempt; None if r or s is zero, in which case another nonce is needed."""
        n = ORDER
        # One call for both blinds; a value off by the few in n..2^256 blinds as well.
        random = urandom(64)
        blind = int.from_bytes(random[:32], "big") % n or 1
        # n - k gives the same x as k, and exactly one of them is odd.
        x, _, zz, _ = self._comb((n - nonce, nonce)[nonce & 1], blind, pause)
        pause()
        r = x * inverse(zz, FIELD_PRIME) % FIELD_PRIME % n
        pause()
        blind = int.from_bytes(random[32:], "big") % n or 1
        secret = int.from_bytes(private, "big") * blind % n
        total = (int.from_bytes(digest, "big") * blind + r * secret) % n
        s = inverse(nonce * blind % n, n) * total % n
        if not r or not s:
            return None
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
