"""Draw the page with a bundle into a PNG file, as the docs show it.

.venv/bin/python tests/page/draw_page.py evidence.zip docs/screenshots/page.png
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from chromium import browser

from wattest.evidence.page_build import build_page

WIDTH, HEIGHT = 820, 1450


def draw(bundle: Path, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as chromium:
        page = Path(folder) / "verify.html"
        page.write_text(build_page(), encoding="utf-8")
        chromium.open(page)
        chromium.give(bundle.resolve())
        chromium.picture(picture, width=WIDTH, height=HEIGHT)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
