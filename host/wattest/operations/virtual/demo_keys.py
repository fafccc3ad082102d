"""Keys of a virtual run: all of them derive from its seed, so that the run replays byte for byte.

Whoever knows the seed knows the keys. They prove that the code works, never that energy flowed;
enrolments and serials say so, and every statement that rests on them is marked TEST.
"""

from __future__ import annotations

import hashlib
import hmac

_DOMAIN = b"wattest demo key: known to anybody who knows the seed"


def demo_key(seed: int, *label: str) -> bytes:
    """Return 32 bytes that depend on the seed and the label, and on nothing else.

    Args:
        seed: the run's seed.
        label: what the key is for, such as ``"command", "turbine-1"``.
    """
    message = "\0".join((str(seed), *label)).encode()
    return hmac.digest(_DOMAIN, message, hashlib.sha256)
