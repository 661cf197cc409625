"""A headless Chromium, driven through a pair of pipes by its own protocol: https://chromedevtools.github.io/devtools-protocol."""

import json
import os
import shutil
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 60.0


class Page:
    """One page of the browser."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._buffer, self._count, self._session = b"", 0, ""
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def value(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, script: str) -> Any:
        """The value of an expression once it is true."""
        until = time.monotonic() + PATIENCE_S
        while not (value := self.value(script)):
            assert time.monotonic() < until, (
                f"never true: {script}; the page says {self.value('document.body.innerText')}"
            )
            time.sleep(0.1)
        return value

    def open(self, address: str, *, width: int = 1100, height: int = 900, language: str = "en") -> None:
        """Go to an address, and wait until its script has the models."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.call("Emulation.setUserAgentOverride", userAgent="test", acceptLanguage=language)
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && document.querySelectorAll('#first option').length > 0")

    def drop(self, file: Path, *, kind: str = "image/png", event: str = "drop") -> None:
        """Drop a file onto the page, or paste it, as a browser tells the page."""
        content = b64encode(file.read_bytes()).decode()
        held = "clipboardData" if event == "paste" else "dataTransfer"
        made = "ClipboardEvent" if event == "paste" else "DragEvent"
        self.value(
            f"""(() => {{
              const bytes = Uint8Array.from(atob("{content}"), (letter) => letter.charCodeAt(0));
              const data = new DataTransfer();
              data.items.add(new File([bytes], "{file.name}", {{ type: "{kind}" }}));
              document.querySelector("#drop").dispatchEvent(
                new {made}("{event}", {{ {held}: data, bubbles: true, cancelable: true }}));
            }})()"""
        )

    def picture(self, file: Path) -> None:
        """Keep what the page looks like, as PNG."""
        file.write_bytes(b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._reading, 1 << 20)
            assert more, "the browser has ended"
            self._buffer += more
        message, self._buffer = self._buffer.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what goes wrong in the page: errors of its script, and what its policy forbids."""
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]["exceptionDetails"]))
        if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.errors.append(event["params"]["entry"]["text"])


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A browser with one page, whose settings lie in the folder `profile`."""
    assert CHROMIUM is not None
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    words = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--hide-scrollbars",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]
    shell = f'exec "$@" 3<&{to_browser} 4>&{to_us}'  # the descriptors that the browser reads and writes
    process = subprocess.Popen(
        ["/bin/bash", "-c", shell, "browser", *words],
        pass_fds=(to_browser, to_us),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(to_us)
    try:
        yield Page(from_browser, from_us)
    finally:
        os.close(from_us)
        os.close(from_browser)
        process.terminate()
        process.wait(20)
