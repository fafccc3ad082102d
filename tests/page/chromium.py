"""Headless Chromium over its debugging pipe: enough to open a page, give it a file, and look."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# The browser reads commands from descriptor 3 and answers on 4; ours may be any, even these.
RELAY = """
import fcntl, os, sys
reader, writer = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(reader, 3)
os.dup2(writer, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
SETTLED = """new Promise((done, fail) => {
  const root = document.documentElement;
  const look = () => root.dataset.verdict && done(root.dataset.verdict);
  new MutationObserver(look).observe(root, { attributes: true });
  setTimeout(() => fail(new Error("no verdict after 30 s")), 30000);
  look();
})"""


def chromium_path() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """One browser with one page; messages are JSON with a zero byte behind each."""

    def __init__(self, process: subprocess.Popen[bytes], send_fd: int, receive_fd: int) -> None:
        self._process = process
        self._send_fd = send_fd
        self._receive_fd = receive_fd
        self._pending = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.errors: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; events are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._send_fd, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            chunk = os.read(self._receive_fd, 1 << 20)
            if not chunk:
                raise RuntimeError("chromium has ended")
            self._pending += chunk
        first, _, self._pending = self._pending.partition(b"\0")
        return json.loads(first)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(params["exceptionDetails"])[:500])
            case "Log.entryAdded":
                self.errors.append(params["entry"]["text"])

    def open(self, page: Path) -> None:
        """Open a page from the disk."""
        if self._session is None:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "DOM", "Network", "Log"):
                self.call(f"{domain}.enable")
        self.requests.clear()
        self.errors.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.evaluate(
            "new Promise((r) => document.readyState === 'complete' ? r() : "
            "addEventListener('load', () => r()))"
        )

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def give(self, file: Path) -> dict[str, Any]:
        """Choose a file as a person would; return the verdict the page shows."""
        self.evaluate("delete document.documentElement.dataset.verdict")
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])
        return self.verdict()

    def verdict(self) -> dict[str, Any]:
        """Wait until the page shows a verdict."""
        return json.loads(self.evaluate(SETTLED))

    def enter(self, selector: str, text: str) -> dict[str, Any]:
        """Type into a field and leave it; return the verdict the page shows then."""
        self.evaluate("delete document.documentElement.dataset.verdict")
        field = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{field}.value = {json.dumps(text)}")
        self.evaluate(f"{field}.dispatchEvent(new Event('change')), 0")
        return self.verdict()

    def text(self, selector: str) -> str:
        """Text of an element as it is shown."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def picture(
        self, path: Path, *, width: int = 900, height: int = 0, dark: bool = False
    ) -> None:
        """Draw the page into a PNG file, whole or its first ``height`` lines."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        part = {"clip": clip} if height else {}
        drawn = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, **part
        )
        path.write_bytes(base64.b64decode(drawn["data"]))


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Chromium]:
    """Start Chromium with a new profile in an empty folder; it ends with the block."""
    path = chromium_path()
    assert path is not None
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    relay = [sys.executable, "-c", RELAY, str(down_read), str(up_write)]
    process = subprocess.Popen(
        [*relay, path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(down_read, up_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(down_read)
    os.close(up_write)
    chromium = Chromium(process, down_write, up_read)
    try:
        yield chromium
    finally:
        with contextlib.suppress(OSError, RuntimeError):
            chromium._session = None
            chromium.call("Browser.close")
        os.close(down_write)
        os.close(up_read)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
