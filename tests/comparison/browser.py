"""Chromium driven through plain WebDriver (W3C), without a package for it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key under which the standard puts elements


def installed() -> bool:
    return bool(shutil.which("chromedriver") and (shutil.which("chromium") or shutil.which("google-chrome")))


class Browser:
    def __init__(self, address: str, profile: Path) -> None:
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._address = f"{address}/session"
        options: dict[str, Any] = {
            "args": [*_FLAGS, f"--user-data-dir={profile}", "--window-size=1280,1000"],
            "binary": shutil.which("chromium") or shutil.which("google-chrome"),
        }
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self._address += f"/{self._call('', {'capabilities': wanted})['sessionId']}"

    def _call(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self._address + path, data, method=method)
        with self._opener.open(request, timeout=120) as answer:  # a busy machine takes its time
            return json.load(answer)["value"]

    def open(self, path: Path) -> None:
        self._call("/url", {"url": path.as_uri()})

    def click(self, selector: str) -> None:
        element = self._call("/element", {"using": "css selector", "value": selector})[_ELEMENT]
        self._call(f"/element/{element}/click")

    def run(self, script: str) -> Any:
        return self._call("/execute/sync", {"script": script, "args": []})

    def text(self, selector: str) -> str:
        return str(self.run(f"return document.querySelector({json.dumps(selector)}).innerText"))

    def complaints(self) -> list[str]:
        """What the console says went wrong."""
        return [entry["message"] for entry in self._call("/se/log", {"type": "browser"})]

    def resize(self, width: int, height: int) -> None:
        self._call("/window/rect", {"width": width, "height": height})

    def screenshot(self) -> bytes:
        return base64.b64decode(self._call("/screenshot", method="GET"))

    def close(self) -> None:
        self._call("", method="DELETE")


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser of its own, on a free port, and end it."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        started = next(m for line in driver.stdout if (m := re.search(r"successfully on port (\d+)", line)))
        opened = Browser(f"http://127.0.0.1:{started[1]}", profile)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        driver.terminate()
        driver.wait()
        assert driver.stdout is not None
        driver.stdout.close()
