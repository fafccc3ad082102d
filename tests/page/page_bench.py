"""Run the page's modules under Node: the same files that the page is made of."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "host" / "wattest" / "evidence" / "page"
NODE_MAJOR_MIN = 20


def _node() -> str | None:
    path = shutil.which("node")
    if path is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    major = version.stdout.strip().lstrip("v").partition(".")[0]
    return path if major.isdigit() and int(major) >= NODE_MAJOR_MIN else None


NODE = _node()
needs_node = pytest.mark.skipif(NODE is None, reason="no Node.js from version 20 on")


def run_node(script: str, given: Any, folder: Path) -> Any:
    """Give a JSON file to a runner; return what it prints as JSON."""
    assert NODE is not None
    path = folder / "given.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    done = subprocess.run(
        [NODE, str(HERE / script), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
