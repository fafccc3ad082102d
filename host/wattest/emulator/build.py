"""Helper process: ``python -m wattest.emulator.build CACHE_DIR KEY`` compiles the machine."""

from __future__ import annotations

import sys
from pathlib import Path

import wasmtime

from wattest.emulator.artifact import sound_machine, store_file
from wattest.emulator.engine import new_wasmtime_engine
from wattest.errors import EmulatorError


def main(arguments: list[str]) -> int:
    """Build the machine and store it under KEY; return the exit code."""
    cache_dir, key = arguments
    try:
        machine = wasmtime.Module(new_wasmtime_engine(), sound_machine())
        store_file(Path(cache_dir), key, bytes(machine.serialize()))
    except EmulatorError as error:
        sys.stderr.write(f"{error.diagnostics()}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
