"""A server in a process of its own, as `resvision serve` starts it, for the benchmarks of serving. Needs no torch."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

PATIENCE_S = 120.0


class Served:
    """A server that is ready.

    port   on 127.0.0.1
    lines  that it has written to standard error
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self.lines = process, list[str]()
        Thread(target=self._read, daemon=True).start()
        until = time.monotonic() + PATIENCE_S
        while not (found := [port for line in self.lines for port in re.findall(r"serving at http://.*:(\d+)/", line)]):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server did not start: " + " ".join(self.lines))
            time.sleep(0.02)
        self.port = int(found[0])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    def connect(self, timeout_s: float = PATIENCE_S) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "image/png") -> tuple[int, bytes]:
        """The status and the body of an answer, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def rss_mb(self) -> float:
        """The memory of the process, in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self) -> float:
        """The seconds of CPU time that the process has taken, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(words: Sequence[str]) -> Iterator[Served]:
    """A server with these words behind `serve`, on a free port; ended with the block, killed where it hangs."""
    command = [sys.executable, "-m", "resvision", "serve", *words, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        yield Served(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
