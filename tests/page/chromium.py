"""Headless Chromium over its debugging pipe: enough to open a page, give it a file, and look."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
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
SETTLED = """new Promise((done) => {
  const root = document.documentElement;
  const look = () => root.dataset.verdict && done(root.dataset.verdict);
  new MutationObserver(look).observe(root, { attributes: true });
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
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])
        return json.loads(self.evaluate(SETTLED))

    def text(self, selector: str) -> str:
        """Text of an element as it is shown."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def picture(self, path: Path, *, width: int = 900, dark: bool = False) -> None:
        """Draw the whole page into a PNG file."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        drawn = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(drawn["data"]))


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Chromium]:
    """Start Chromium with a new profile in an empty folder; it ends with the block."""
    path = chromium_path()
    assert path is not None
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    script = f'exec "$0" "$@" 3<&{down_read} 4>&{up_write}'
    process = subprocess.Popen(
        ["sh", "-c", script, path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
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
