"""A server in a process of its own, as a person starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket
from threading import Thread

import httpx

PATIENCE_S = 60.0


class Running:
    """A server that is ready; `lines` are those that it has written to standard error."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        Thread(target=self._read, daemon=True).start()
        line = self.said(r"serving at http://")
        self.port = int(line.partition("://")[2].partition(":")[2].partition("/")[0])
        self.address = f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def said(self, pattern: str, *, times: int = 1) -> str:
        """The line that matches a pattern, waited for."""
        until = time.monotonic() + PATIENCE_S
        while len(found := [line for line in self.lines if re.search(pattern, line)]) < times:
            assert time.monotonic() < until, self.lines
            assert self.process.poll() is None or self.lines, "it ended without a word"
            time.sleep(0.02)
        return found[-1]

    def connect(self) -> socket:
        """A connection."""
        return create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def predict(self, content: bytes, name: str = "digits") -> httpx.Response:
        """The answer to an image."""
        return httpx.post(f"{self.address}/v1/models/{name}:predict", content=content, timeout=PATIENCE_S)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)


@contextmanager
def running(*words: str | Path, cache: Path) -> Iterator[Running]:
    """A server with these words behind `serve`, on a free port; it is ended with the block."""
    command = [sys.executable, "-m", "resvision", "serve", *map(str, words), "--port", "0", "--threads", "1"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        assert process.stderr is not None
        process.stderr.close()
