"""The terminal interface: a run's events on one screen, and keys that reach into the run."""

from wattest.tui.running import run_tui
from wattest.tui.screenshot import save_screenshot

__all__ = ["run_tui", "save_screenshot"]
