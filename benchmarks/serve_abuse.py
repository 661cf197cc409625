"""Requests that are slow, wrong, endless or hostile, one kind after another, and a good request after each of them.

    python benchmarks/serve_abuse.py bundles/digits image.png

A line for each attack: the answers by status ("closed": the connection ends without one), the seconds that it took, the
milliseconds of the good request that follows, and the server's memory. Exit code 1 where an answer is not expected, the
good request is not answered, or the server has written a traceback or has ended. The server has small limits, so that
all of it takes a minute. The image is one that the bundle answers.
"""

import argparse
import json
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, socket

from serve_process import Served, served

LIMITS = {"header_seconds": 2, "body_seconds": 3, "answer_seconds": 6, "connections": 60, "body_bytes": 4_000_000}
LIMITS |= {"queue": 40}
MODELS = 20
"""Names under which the bundle is served, so that there are many models."""
JSON, FORM = "application/json", "multipart/form-data; boundary=x"
CLOSED = "closed"
MEMORY_MB = 400
"""Memory that no attack may add."""


Attack = tuple[str, set[str], Callable[[], list[str]]]
"""Its name, the answers that it may get, and how it is done, which gives its answers."""


class Target:
    """A server under attack, and what a good request to it is."""

    def __init__(self, server: Served, image: bytes) -> None:
        self.server, self.image = server, image
        self.path = "/v1/models/m0:predict"

    def post(self, body: bytes, content_type: str = "image/png", path: str = "") -> str:
        """The status of a whole request."""
        try:
            return str(self.server.ask("POST", path or self.path, body, content_type)[0])
        except OSError:
            return CLOSED

    def head(self, *lines: str) -> bytes:
        """The header of a prediction, with these lines."""
        return "\r\n".join([f"POST {self.path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()

    def sent(self, content: bytes, then: Callable[[socket], object]) -> str:
        """The statuses of what is answered to bytes, until the server closes the connection."""
        with self.server.connect(30) as connection:
            with suppress(OSError):
                connection.sendall(content)
                then(connection)
            return statuses(connection)


def statuses(connection: socket) -> str:
    """The statuses of all answers on a connection until it is closed, as `200+408`."""
    received = b""
    with suppress(ConnectionError):
        while chunk := connection.recv(65536):
            received += chunk
    found = [line.split()[1].decode() for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    found += [
        part.split()[0].decode() for part in received.split(b"}HTTP/1.1 ")[1:]
    ]  # an answer whose body ends without a line
    return "+".join(found) or CLOSED


def nothing(_: socket) -> None:
    """Sends no more."""


def ended(connection: socket) -> None:
    """Says that no more comes."""
    connection.shutdown(SHUT_WR)


def trickled(content: bytes, seconds: float) -> Callable[[socket], None]:
    """Sends content byte by byte, again and again, for so long."""

    def send(connection: socket) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for byte in content:
                connection.sendall(bytes([byte]))
                time.sleep(0.2)

    return send


def poured(chunk: bytes, total: int) -> Callable[[socket], None]:
    """Sends a chunk as often as it goes into so many bytes, and no more, which would be another request."""

    def send(connection: socket) -> None:
        for _ in range(total // len(chunk)):
            connection.sendall(chunk)

    return send


def png(width: int, height: int, *chunks: tuple[bytes, bytes], rows: bytes = b"") -> bytes:
    """A grey PNG of these sides with further chunks; `rows` are its compressed lines."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def zeros(count: int) -> bytes:
    """So many zero bytes, compressed."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [packer.compress(block[: min(len(block), count - done)]) for done in range(0, count, len(block))]
    return b"".join([*parts, packer.flush()])


def crowd(target: Target) -> list[str]:
    """A hundred good requests at once."""
    with ThreadPoolExecutor(100) as pool:
        return [*pool.map(target.post, [target.image] * 100)]


def every_model(target: Target) -> list[str]:
    return [target.post(target.image, path=f"/v1/models/m{number}:predict") for number in range(MODELS)]


def silent(target: Target) -> list[str]:
    with ExitStack() as stack:
        connections = [stack.enter_context(target.server.connect(30)) for _ in range(100)]
        return [statuses(connection) for connection in connections]


def thrown_away(target: Target) -> list[str]:
    """Requests whose clients are gone, with a reset, before the answer."""
    for _ in range(200):
        with target.server.connect(30) as connection:
            connection.sendall(target.head(f"Content-Length: {len(target.image)}") + target.image)
            connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    return [CLOSED]


def unread(target: Target) -> list[str]:
    """Answers that nobody reads, until the server gives up."""
    with target.server.connect(30) as connection:
        with suppress(OSError):
            for _ in range(2000):
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(LIMITS["answer_seconds"] + 1)
        with suppress(OSError):
            while connection.recv(1 << 20):
                pass
    return [CLOSED]


def strange_names(target: Target) -> list[str]:
    """Models that there are not, which may not make the list of counts longer."""
    before = len(target.server.ask("GET", "/metrics")[1].splitlines())
    answers = [target.post(target.image, path=f"/v1/models/none{number}:predict") for number in range(300)]
    grown = len(target.server.ask("GET", "/metrics")[1].splitlines()) - before
    return [*answers, *(["counts that grow"] if grown > 2 else [])]


def attacks(target: Target) -> Iterator[Attack]:
    """Yield the attacks."""
    image, size = target.image, len(target.image)
    body = bytes(1 << 16)
    chunk = b"10000\r\n" + body + b"\r\n"

    def one(name: str, expected: str, do: Callable[[], str]) -> Attack:
        return name, {*expected.split()}, lambda: [do()]

    def posted(name: str, expected: str, content: bytes, content_type: str = "image/png", path: str = "") -> Attack:
        return one(name, expected, lambda: target.post(content, content_type, path))

    def sent(name: str, expected: str, content: bytes, then: Callable[[socket], object] = nothing) -> Attack:
        return one(name, expected, lambda: target.sent(content, then))

    length = f"Content-Length: {size}"
    chunked = target.head("Transfer-Encoding: chunked")
    deep = b"[" * 200_000
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + image
    text = b"x\0\0" + zeros(1 << 28)
    shape = {"name": "image", "datatype": "BYTES", "shape": [2**31], "data": ["AA=="]}
    tensor = json.dumps({"inputs": [shape]}).encode()
    short = target.head(f"Content-Length: {size // 2}") + image
    long = target.head(f"Content-Length: {size + 9}") + image
    gigabyte = target.head(f"Content-Length: {1 << 30}")

    yield sent("a slow header", "408 closed", b"POST ", trickled(b"X", 6))
    yield sent("a slow body", "408", target.head("Content-Length: 1000"), trickled(b"x", 8))
    yield sent("a length that is too short", "422+400 422+408", short)
    yield sent("a length that is too long", "400 closed", long, ended)
    yield sent("a length that never comes", "408", long)
    yield sent("a negative length", "400", target.head("Content-Length: -1"))
    yield sent("a length that is no number", "400", target.head("Content-Length: ten"))
    yield sent("two lengths", "400", target.head("Content-Length: 10", "Content-Length: 11"))
    yield sent(
        "a length beside chunks", "400 422+400 400+400", target.head(length, "Transfer-Encoding: chunked") + image
    )
    yield sent("chunks without end", "413 closed", chunked, poured(chunk, 200_000_000))
    yield sent("chunks of a byte without end", "408", chunked, trickled(b"1\r\nx\r\n", 8))
    yield sent("chunks that are none", "400 closed", chunked + b"zz\r\nxx\r\n")
    yield sent("1 GB, announced", "413", gigabyte)
    yield sent("1 GB, announced and sent", "413 closed", gigabyte, poured(body, 1 << 30))
    yield "100 silent connections", {CLOSED, "503"}, lambda: silent(target)
    yield "100 clients at once", {"200", "503"}, lambda: crowd(target)
    yield "200 clients that go away", {CLOSED}, lambda: thrown_away(target)
    yield "answers that nobody reads", {CLOSED}, lambda: unread(target)
    yield sent("a header of 400 kB", "400", target.head("X: " + "x" * 400_000))
    yield sent("10,000 header lines", "400", target.head(*(f"X{number}: y" for number in range(10_000))))
    yield sent("TLS", "400 closed 408", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100))
    yield posted("a form that is cut off", "400", form[: len(form) // 2], FORM)
    yield posted("a form without its end", "400", form, FORM)
    yield posted("a form without a boundary", "400", form, "multipart/form-data")
    yield posted("a form of 20,000 parts", "413", (form[:90] + b"\r\n") * 20_000, FORM)
    yield posted("text/html", "415", image, "text/html")
    yield posted("a type that is none", "415 422", image, "\x01;;;")
    yield posted("JSON that says it is an image", "422", b"{}")
    yield posted("deep JSON", "400", deep + b"]" * 200_000, JSON)
    yield posted("deep JSON that does not end", "400", deep, JSON)
    yield posted("JSON of two million lists", "400 413 422", b"[" + b"[]," * 1_300_000 + b"[]]", JSON)
    yield posted(
        "JSON with a number of 4 million digits", "400 413 422", b'{"instances": ' + b"9" * 3_900_000 + b"}", JSON
    )
    yield posted("JSON that is no text", "400", b"\xff\xfe{}", JSON)
    yield posted("no JSON document of ours", "422", json.dumps({"instances": [{"b64": 3}]}).encode(), JSON)
    yield posted("10,000 images", "413", json.dumps({"instances": [{"b64": "AA=="}] * 10_000}).encode(), JSON)
    yield posted("a tensor of 2^31 images", "413", tensor, JSON, "/v2/models/m0/infer")
    yield posted("no model of this name", "404", image, path="/v1/models/cats:predict")
    yield posted("a name of 10,000 letters", "404 400", image, path=f"/v1/models/{'x' * 10_000}:predict")
    yield posted("a name that climbs", "404 400", image, path="/v1/models/..%2f..%2fetc%2fpasswd:predict")
    yield "300 names that there are not", {"404"}, lambda: strange_names(target)
    yield f"all of {MODELS} models", {"200"}, lambda: every_model(target)
    yield posted("an image of 60,000 x 60,000", "413", png(60_000, 60_000, rows=zeros(1 << 20)))
    yield posted("a PNG of 36 million pixels in 35 kB", "200 422", png(6_000, 6_000, rows=zeros(6_000 * 6_001)))
    yield posted("a PNG with 256 MB of text in 260 kB", "200 422", png(16, 16, (b"zTXt", text), rows=zeros(16 * 17)))
    yield posted("a PNG whose lines are missing", "422", png(1_000, 1_000, rows=zeros(10)))
    yield posted("an image behind another start", "422", b"\x89PNG" + image)
    yield posted("half of an image", "422", image[: size // 2])
    yield posted("an empty body", "422", b"")


def attacked(target: Target, expected: set[str], do: Callable[[], list[str]]) -> tuple[str, str]:
    """What an attack was answered, and what is wrong with that, "" for nothing."""
    server = target.server
    before, begun = server.rss_mb(), time.monotonic()
    answers = Counter(do())
    took = time.monotonic() - begun
    asked = time.monotonic()
    while (good := target.post(target.image)) == "503" and time.monotonic() < asked + 15:  # until connections are free
        time.sleep(0.1)
    said = ", ".join(f"{count} x {status}" if count > 1 else status for status, count in sorted(answers.items()))
    wrong = [f"answered {status}" for status in answers if status not in expected]
    wrong += [] if good == "200" else [f"then a good request got {good}"]
    wrong += ["more memory than it may take"] if server.rss_mb() - before > MEMORY_MB else []
    line = f"{said} | {took:.1f} s | {1000 * (time.monotonic() - asked):.0f} ms | {server.rss_mb():.0f} MB"
    return line, "; ".join(wrong)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="a bundle")
    parser.add_argument("image", type=Path, help="an image that it answers")
    parser.add_argument("--only", default="", help="attacks whose names hold this word")
    asked = parser.parse_args(words)
    limits = [word for name, value in LIMITS.items() for word in ("--limit", f"{name}={value}")]
    names = [f"m{number}={asked.bundle}" for number in range(MODELS)]
    faults = 0
    with served([*names, *limits]) as server:
        target = Target(server, asked.image.read_bytes())
        print("| attack | answers | took | good request after it | memory | |\n|---|---|---|---|---|---|")
        for name, expected, do in attacks(target):
            if asked.only in name:
                line, wrong = attacked(target, expected, do)
                faults += bool(wrong)
                print(f"| {name} | {line} | {wrong and f'WRONG: {wrong}'} |", flush=True)
    if any("Traceback" in line for line in server.lines) or server.process.returncode != 0:
        print(f"WRONG: the server ended with {server.process.returncode} and said:", *server.lines, sep="\n")
        faults += 1
    print(f"{faults} attacks were not met" if faults else "all attacks were met")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
