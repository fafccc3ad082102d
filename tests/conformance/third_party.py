"""Finds the third-party vectors; they are not part of the project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def vectors() -> Path:
    """The folder of vectors; skips the test module where there is none."""
    root = os.environ.get("WATTEST_TEST_DATA")
    if not root:
        pytest.skip(
            "WATTEST_TEST_DATA is not set: no third-party vectors", allow_module_level=True
        )
    folder = Path(root) / "vectors"
    if not folder.is_dir():
        pytest.skip(f"no folder vectors in {root}", allow_module_level=True)
    return folder


def load(path: str) -> Any:
    """Load one JSON file of vectors."""
    return json.loads((vectors() / path).read_text(encoding="utf-8"))
