"""A witness's memory as JSON, strictly: what is read must be what a witness wrote and signed.

A witness that forgets can be made to cosign a fork. So nothing damaged is repaired here: every
note must still carry the log's signature and the witness's own, and say the size and root beside
it.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

from wattest.errors import ConfigError, NoteError, VerificationError
from wattest.ledger.checkpoint import CheckpointVerifier
from wattest.ledger.cosignature import WitnessKey
from wattest.ledger.witness import WitnessedLog, WitnessState
from wattest.wire.note import is_key_name, parse_note

FORMAT = "wattest-witness/1"
_FAMILY = FORMAT.partition("/")[0] + "/"
_LOG_KEYS = {"keys", "size", "root", "note"}


def state_to_json(name: str, state: WitnessState) -> bytes:
    """Write a witness's name and memory.

    Args:
        name: of its key.
        state: its memory.
    """
    logs = [
        {
            "keys": [key.to_text() for key in log.keys],
            "size": log.size,
            "root": log.root.hex(),
            "note": log.note.decode(),
        }
        for _, log in sorted(state.logs.items())
    ]
    document = {"format": FORMAT, "name": name, "logs": logs}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def state_from_json(
    data: bytes, key: WitnessKey | None, *, path: str = ""
) -> tuple[str, WitnessState]:
    """Read what :func:`state_to_json` wrote.

    Args:
        data: the file.
        key: the witness's; None if it has none yet: then nothing may be cosigned.
        path: its name in messages.

    Returns:
        The witness's name, and its memory.

    Raises:
        ConfigError: not such a file, of another version, or not what this witness signed.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is damaged: {error}", path=path, hint=_RESTORE) from error
    found = document.get("format") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found.startswith(_FAMILY):
        raise ConfigError("is not a witness's state file", path=path, hint="give another --state")
    if found != FORMAT:
        raise ConfigError(
            f"expected format {FORMAT}, got {found}",
            path=path,
            hint="use the version of wattest that wrote it, or a newer one",
        )
    name, logs = document.get("name"), document.get("logs")
    if document.keys() != {"format", "name", "logs"} or not isinstance(logs, list):
        raise _damaged(path, "", "expected format, name and logs")
    if not isinstance(name, str) or not is_key_name(name):
        raise _damaged(path, "name", f"expected the name of a key, got {name!r}")
    if key is not None and name != key.name:
        raise _damaged(path, "name", f"expected {key.name}, got {name}")
    known: dict[str, WitnessedLog] = {}
    for number, entry in enumerate(logs):
        origin, log = _log(entry, key, path, f"logs[{number}]")
        if origin in known:
            raise _damaged(path, f"logs[{number}]", f"log {origin} is there twice")
        known[origin] = log
    return name, WitnessState(logs=MappingProxyType(known))


def _log(entry: Any, key: WitnessKey | None, path: str, where: str) -> tuple[str, WitnessedLog]:
    if not isinstance(entry, dict) or entry.keys() != _LOG_KEYS:
        raise _damaged(path, where, f"expected {', '.join(sorted(_LOG_KEYS))}")
    texts, note = entry["keys"], entry["note"]
    if not isinstance(texts, list) or not texts or not isinstance(note, str):
        raise _damaged(path, where, "expected a list of keys and a note")
    try:
        keys = tuple(CheckpointVerifier.from_text(str(text)) for text in texts)
    except NoteError as error:
        raise _damaged(path, f"{where}.keys", str(error)) from error
    origins = {verifier.origin for verifier in keys}
    if len(origins) != 1:
        raise _damaged(path, f"{where}.keys", f"expected one origin, got {sorted(origins)}")
    log = WitnessedLog(keys=keys)
    if note:
        log = _cosigned(note.encode("utf-8", "replace"), keys, key, path, where)
    if (entry["size"], entry["root"]) != (log.size, log.root.hex()):
        raise _damaged(path, where, f"expected size {log.size} and root {log.root.hex()} as noted")
    return origins.pop(), log


def _cosigned(
    note: bytes,
    keys: tuple[CheckpointVerifier, ...],
    key: WitnessKey | None,
    path: str,
    where: str,
) -> WitnessedLog:
    """Check a note that the witness says it cosigned."""
    if key is None:
        raise ConfigError(
            "has cosigned checkpoints, but the witness's key is not beside it",
            path=path,
            hint="bring the key file back; whoever relies on this witness relies on that key",
        )
    problem: Exception | None = None
    for verifier in keys:
        try:
            parsed = parse_note(note)
            signed = verifier.open(note)
            if not any(key.verify(parsed.text, x) for x in parsed.signatures if key.owns(x)):
                raise _damaged(path, f"{where}.note", "this witness has not cosigned it")
        except (NoteError, VerificationError) as error:
            problem = error
            continue
        return WitnessedLog(keys=keys, size=signed.size, root=signed.root, note=note)
    raise _damaged(path, f"{where}.note", str(problem)) from problem


def _damaged(path: str, where: str, message: str) -> ConfigError:
    return ConfigError(f"is damaged: {message}", path=path, key=where, hint=_RESTORE)


_RESTORE = (
    "restore the newest copy; a witness that forgot must not go on with its key, so without one "
    "begin anew: another --state, another key"
)
