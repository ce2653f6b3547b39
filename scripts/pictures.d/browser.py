"""Chromium without a window, driven through its DevTools pipe: no library is needed for it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import time
from typing import Any

__all__ = ["Browser"]

_PATIENCE_S = 60.0


class Browser:
    """A page of a headless browser.

    Parameters
    ----------
    width, height
        Of the window, in pixels.
    command
        The browser.
    """

    def __init__(self, width: int, height: int, command: str = "chromium") -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()
        script = 'in=$1 out=$2; shift 2; eval "exec 3<&$in 4>&$out"; exec "$@"'
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}",
            f"--window-size={width},{height}",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                script,
                "browser",
                str(to_browser),
                str(from_browser),
                command,
                *options,
            ],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        os.set_blocking(self._from, False)
        self._received = b""
        self._number = 0
        self._session: str | None = None
        #: The addresses that the page has asked for.
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._message(deadline)
            if answer.get("method") == "Network.requestWillBeSent":
                self.requests.append(answer["params"]["request"]["url"])
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def resize(self, width: int, height: int) -> None:
        """Make the window another size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of the page; of a promise, what it comes to."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def open(self, url: str, ready: str) -> None:
        """Open a page and wait until an expression of it is true."""
        self.call("Page.navigate", url=url)
        self.wait_for(ready)

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one place and let it go at another."""
        self._mouse("mouseMoved", begin, 0)
        self._mouse("mousePressed", begin, 1)
        for step in range(1, 11):
            at = tuple(a + (b - a) * step / 10 for a, b in zip(begin, end))
            self._mouse("mouseMoved", (at[0], at[1]), 1)
        self._mouse("mouseReleased", end, 0)

    def hover(self, at: tuple[float, float]) -> None:
        """Move the mouse."""
        self._mouse("mouseMoved", at, 0)

    def screenshot(self, path: str) -> None:
        """Write what is seen as a PNG."""
        found = self.call("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(found["data"]))

    def _mouse(self, kind: str, at: tuple[float, float], buttons: int) -> None:
        button = "none" if kind == "mouseMoved" and not buttons else "left"
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button=button, buttons=buttons,
            clickCount=int(kind != "mouseMoved"),
        )  # fmt: skip

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            if time.monotonic() > deadline:
                raise TimeoutError("the browser does not answer")
            try:
                part = os.read(self._from, 1 << 20)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            if not part:
                raise RuntimeError("the browser has ended")
            self._received += part
        message, self._received = self._received.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found
