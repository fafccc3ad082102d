"""A witness's key and memory in files: what it answers is durable before it is said.

Layout, beside the state file:

    witness.json        name, trusted log keys, the newest checkpoint of each log
    witness.key         seed of its signing key, its owner's alone
    witness.forks/      checkpoints that logs signed and that do not fit together: fork-, doubt-
    witness.lock        one program at a time
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wattest.errors import ConfigError, DecodeError, StoreError
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.cosignature import SEED_BYTES, Cosigner, WitnessKey
from wattest.ledger.witness import Answer, Fork, WitnessState, add_checkpoint, parse_add_checkpoint
from wattest.ledger.witness_state import state_from_json, state_to_json
from wattest.system import entropy
from wattest.wire.note import is_key_name, parse_checkpoint, parse_note
from wattest.witness.files import FileLock, make_folder, read_small, write_durably

FORKS_MAX = 100
"""Files kept of each kind: proofs, which only the holder of a log's key can make, and doubts,
which anybody can raise with a checkpoint of the log and a wrong proof."""

_STATE_BYTES_MAX = 16 * 1024 * 1024
_KEY_FILE_BYTES_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """One request and what became of it.

    Attributes:
        status: of HTTP.
        origin: of the checkpoint; empty if it could not be read.
        size: of the checkpoint; None if it could not be read.
        message: what is wrong, in one line; empty if nothing is.
        proved: the log signed two roots of one size.
        evidence: file that keeps both notes, or None.
    """

    status: int
    origin: str
    size: int | None
    message: str
    proved: bool = False
    evidence: Path | None = None


class Keeper:
    """An open witness; a context manager.

    Args:
        path: the state file; made with a key beside it when there is none.
        name: of a new witness; None: ``default_name``.
        default_name: for a new witness.

    Attributes:
        key: its public key.
        made: it was made now.

    Raises:
        ConfigError: another program has it, it is damaged, or has another name.
        StoreError: it cannot be read or written.
    """

    def __init__(self, path: Path, *, name: str | None = None, default_name: str) -> None:
        self.path = path
        make_folder(path.parent)
        self._lock = FileLock(_beside(path, ".lock"), of=path, what="another witness")
        self._turn = threading.Lock()
        try:
            self.made, self._cosigner, self._state = _open(path, name, default_name)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it go; everything is on disk already."""
        self._lock.close()

    @property
    def key(self) -> WitnessKey:
        """The witness's public key."""
        return self._cosigner.key

    @property
    def state(self) -> WitnessState:
        """What it remembers."""
        return self._state

    def trust(self, keys: list[CheckpointVerifier]) -> None:
        """Also cosign checkpoints that these keys sign, from now on.

        Raises:
            StoreError: that could not be written down.
        """
        with self._turn:
            state = self._state
            for key in keys:
                state = state.with_key(key)
            self._keep(state)

    def newest(self, origin_digest: str) -> bytes | None:
        """Return the newest note that was cosigned of a log.

        Args:
            origin_digest: SHA-256 of the log's origin, lower-case hex.
        """
        for origin, log in self._state.logs.items():
            if digest_of(origin) == origin_digest and log.note:
                return log.note
        return None

    def answer(self, body: bytes, *, time_s: Callable[[], int]) -> tuple[Answer, Handled]:
        """Answer a request; the next one waits until this one is durable.

        Args:
            body: of the request.
            time_s: the witness's clock.

        Raises:
            StoreError: nothing was promised: the state could not be written.
        """
        with self._turn:
            state, answer = add_checkpoint(
                self._state, body, cosigner=self._cosigner, time_s=time_s()
            )
            self._keep(state)
            evidence = _keep_fork(self.path, answer.fork) if answer.fork else None
        return answer, _handled(body, answer, evidence)

    def _keep(self, state: WitnessState) -> None:
        if state is not self._state:
            write_durably(self.path, state_to_json(self.key.name, state))
            self._state = state


def digest_of(origin: str) -> str:
    """Return what names a log in addresses and file names: SHA-256 of its origin in hex."""
    return hashlib.sha256(origin.encode()).hexdigest()


def read_witness(path: Path) -> tuple[WitnessKey, WitnessState]:
    """Look at a witness without being it: another program may serve it meanwhile.

    Raises:
        ConfigError: there is none, or it is damaged.
        StoreError: it cannot be read.
    """
    data = read_small(path, _STATE_BYTES_MAX)
    seed = _read_seed(_beside(path, ".key"))
    if data is None or seed is None:
        what = "no witness there" if data is None else "its key is missing"
        raise ConfigError(what, path=str(path), hint="`wattest witness` makes one")
    name, state = state_from_json(data, _any_key(data, seed), path=str(path))
    return Cosigner(name, seed).key, state


def _open(
    path: Path, wanted: str | None, default_name: str
) -> tuple[bool, Cosigner, WitnessState]:
    name = wanted or default_name
    data, key_file = read_small(path, _STATE_BYTES_MAX), _beside(path, ".key")
    seed = _read_seed(key_file)
    if data is None:
        if seed is not None:
            raise ConfigError(
                "is missing, but the witness's key is there",
                path=str(path),
                hint="bring the state back; a witness that forgot what it saw must not sign with "
                "that key: without it delete the key too, and tell everybody the new one",
            )
        if not is_key_name(name):
            raise ConfigError(
                f"expected a name without space or plus, got {name!r}", path="--name"
            )
        write_durably(path, state_to_json(name, WitnessState()))
        return True, _new_cosigner(key_file, name), WitnessState()
    key = None if seed is None else _any_key(data, seed)
    stated, state = state_from_json(data, key, path=str(path))
    if wanted is not None and stated != wanted:
        raise ConfigError(
            f"is the witness {stated}, not {wanted}",
            path=str(path),
            hint="leave --name out, or choose another --state",
        )
    if seed is None:  # killed before it had a key: nothing was cosigned
        return True, _new_cosigner(key_file, stated), state
    return False, Cosigner(stated, seed), state


def _any_key(data: bytes, seed: bytes) -> WitnessKey | None:
    """Return the key under the name the state states, if it states one."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return Cosigner(json.loads(data)["name"], seed).key
    return None


def _new_cosigner(key_file: Path, name: str) -> Cosigner:
    seed = entropy(SEED_BYTES)
    write_durably(key_file, f"{seed.hex()}\n".encode())
    return Cosigner(name, seed)


def _read_seed(path: Path) -> bytes | None:
    data = read_small(path, _KEY_FILE_BYTES_MAX)
    if data is None:
        return None
    try:
        seed = bytes.fromhex(data.decode("ascii"))
    except ValueError as error:
        raise ConfigError(f"is damaged: {error}", path=str(path), hint=_KEY_HINT) from error
    if len(seed) != SEED_BYTES:
        message = f"is damaged: expected {SEED_BYTES} bytes in hex, got {len(seed)}"
        raise ConfigError(message, path=str(path), hint=_KEY_HINT)
    return seed


_KEY_HINT = "bring the key back; whoever relies on this witness relies on that key"


def _keep_fork(path: Path, fork: Fork) -> Path | None:
    """Write both notes down; return the file, None if there is no room for more.

    Of doubts the first for each known checkpoint is kept.
    """
    folder = _beside(path, ".forks")
    document = {
        "format": "wattest-fork/1",
        "origin": fork.origin,
        "proved": fork.proved,
        "reason": fork.reason,
        "known": fork.known.decode("utf-8", "replace"),
        "shown": fork.shown.decode("utf-8", "replace"),
    }
    content = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    kind = "fork" if fork.proved else "doubt"
    what = fork.known + fork.shown if fork.proved else fork.known
    file = folder / f"{kind}-{hashlib.sha256(what).hexdigest()[:32]}.json"
    try:
        make_folder(folder)
        if not file.exists():
            if sum(1 for _ in folder.glob(f"{kind}-*")) >= FORKS_MAX:
                return None
            write_durably(file, content)
    except (StoreError, OSError):
        return None  # the refusal itself needs no disk
    return file


def _handled(body: bytes, answer: Answer, evidence: Path | None) -> Handled:
    origin, size = "", None
    with suppress(DecodeError):
        shown = parse_checkpoint(parse_note(parse_add_checkpoint(body).note).text)
        origin, size = shown.origin, shown.size
    fork = answer.fork
    message = "" if answer.status == 200 else answer.body.decode("utf-8", "replace").strip()
    if answer.status == 409:
        message = fork.reason if fork else f"the witness knows size {message}"
    return Handled(
        status=answer.status,
        origin=origin,
        size=size,
        message=message,
        proved=fork is not None and fork.proved,
        evidence=evidence,
    )


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.stem}{ending}")
