"""Answers a second over HTTP beside those of `predict` over the same files, latencies, and the server's memory.

    python benchmarks/serve_load.py bundles/resnet50 --seconds 60 --rounds 5
    python benchmarks/serve_load.py bundles/resnet50 --memory

Sides are measured in turn, each in processes of its own: `folder`, files to results by `resvision.prediction` in
throughput mode, and `http`, a server in the same mode that 16 clients ask over connections that they keep. The clients
are a process beside it, so their CPU seconds are taken out: what counts is the answers by the seconds that all cores
would have had without them. `--memory` asks for 10,000 images of 500 sizes; exit code 1 where the server's memory after
the first 1,000 is ever further than 5 % from its median.

A bundle of ResNet-50 with drawn weights, which needs torch:

    python -c "from pathlib import Path
    from resvision.bench.torch_subjects import drawn
    from resvision.export.bundles import write_bundle
    write_bundle(drawn('resnet50', 224), Path('bundles/resnet50'), reader=None)"
"""

import argparse
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, takewhile
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Lock, Thread

import numpy as np
from PIL import Image
from serve_process import PATIENCE_S, Served, served

from resvision.core.cores import usable_cores
from resvision.prediction.predictions import predicted
from resvision.runtime.bundle import open_bundle
from resvision.runtime.bundle_format import read_manifest
from resvision.runtime.engines import EngineSettings

Figures = dict[str, float]

SIZE = 480, 360
MEMORY_IMAGES, MEMORY_SIZES, MEMORY_EVERY, MEMORY_FIRST = 10_000, 500, 500, 1_000
MEMORY_SHARE = 0.05


def photo(width: int, height: int, seed: int, *, grey: bool) -> Image.Image:
    """Noise of several scales, which compresses about as a photo does."""
    draws = np.random.default_rng(seed)
    mode, shape = ("L", ()) if grey else ("RGB", (3,))
    total = np.zeros((height, width, *shape))
    for scale, weight in ((64, 90), (16, 40), (4, 15), (1, 5)):
        noise = draws.integers(0, 256, (height // scale + 2, width // scale + 2, *shape), dtype=np.uint8)
        smooth = Image.fromarray(noise, mode).resize((width, height), Image.Resampling.BICUBIC)
        total += weight * (np.asarray(smooth, dtype=float) / 255 - 0.5)
    return Image.fromarray(np.clip(128 + total, 0, 255).astype(np.uint8), mode)


def write_photos(folder: Path, sizes: Sequence[tuple[int, int]], *, grey: bool) -> list[Path]:
    """A JPEG of each size in a folder."""
    files = [folder / f"{number:05}.jpg" for number in range(len(sizes))]
    for number, (file, (width, height)) in enumerate(zip(files, sizes, strict=True)):
        photo(width, height, number, grey=grey).save(file, quality=85)
    return files


def is_grey(bundle: str) -> bool:
    """Whether the net of a bundle sees images of one channel."""
    return read_manifest(Path(bundle)).view.channels == 1


# ---- clients


class Connection:
    """A connection that is kept; it reads no more of HTTP than the server's answers need, so as to take little CPU."""

    def __init__(self, port: int, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"

    def ask(self, body: bytes) -> int:
        """The status of the answer to an image, which is read to its end."""
        self._socket.sendall(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        length = int(received.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(received) < end + 4 + length:
            received += self._more()
        return int(received[9:12])

    def _more(self) -> bytes:
        if not (chunk := self._socket.recv(65536)):
            raise ConnectionError("the server closed the connection")
        return chunk


class Crowd:
    """Clients as threads, each of which asks for one body after another, until `bodies` end.

    after  called with the number of answers so far
    """

    def __init__(self, port: int, name: str, bodies: Iterator[bytes], after: Callable[[int], None]) -> None:
        self._port, self._name, self._bodies, self._after = port, name, bodies, after
        self._lock = Lock()
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []

    def ask(self, clients: int) -> None:
        """Ask until the bodies end."""
        threads = [Thread(target=self._run) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self) -> None:
        connection = Connection(self._port, self._name)
        while True:
            with self._lock:
                body = next(self._bodies, None)
            if body is None:
                return
            started = time.perf_counter()
            status = connection.ask(body)
            took = time.perf_counter() - started
            with self._lock:
                self.statuses[status] += 1
                self.seconds.append(took)
                self._after(len(self.seconds))


def until(bodies: Sequence[bytes], end: float) -> Iterator[bytes]:
    """Yield bodies in a circle until a moment of the clock."""
    for body in cycle(bodies):
        if time.perf_counter() >= end:
            return
        yield body


def clients_side(port: int, name: str, folder: Path, clients: int, seconds: float) -> Figures:
    """What clients in this process see of a server."""
    bodies = [file.read_bytes() for file in sorted(folder.iterdir())]
    Crowd(port, name, iter(bodies[: 2 * clients]), lambda count: None).ask(clients)  # the server's first steps
    before, started = getrusage(RUSAGE_SELF), time.perf_counter()
    crowd = Crowd(port, name, until(bodies, started + seconds), lambda count: None)
    crowd.ask(clients)
    wall, after = time.perf_counter() - started, getrusage(RUSAGE_SELF)
    if {*crowd.statuses} != {200}:
        raise SystemExit(f"answers by status: {dict(crowd.statuses)}")
    cuts = quantiles(crowd.seconds, n=100)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "answers": len(crowd.seconds), "wall_s": wall, "clients_cpu_s": cpu,
        "p50_ms": 1000 * cuts[49], "p99_ms": 1000 * cuts[98],
    }  # fmt: skip


# ---- sides


def folder_side(bundle: str, folder: Path, seconds: float) -> Figures:
    """Files to results, by the same functions as `predict`, in this process."""
    model = open_bundle(Path(bundle), EngineSettings(mode="throughput"))
    files = sorted(folder.iterdir())

    def pass_over(end: float) -> int:
        sources = takewhile(lambda _: time.perf_counter() < end, cycle(files))
        return sum(1 for result in predicted(model, sources, with_images=False) if result.result.to_json())

    pass_over(time.perf_counter() + seconds / 5)
    started = time.perf_counter()
    count = pass_over(started + seconds)
    return {"answers": count, "wall_s": time.perf_counter() - started}


def http_side(bundle: str, folder: Path, asked: argparse.Namespace) -> Figures:
    """A server, and the clients in a process beside it."""
    words = [f"net={bundle}", "--mode", asked.mode, "--limit", f"queue={8 * asked.clients}"]
    with served(words) as server:
        told = ["--side", "clients", "--port", f"{server.port}", "--folder", f"{folder}"]
        begun = server.cpu_s()
        figures = said(bundle, asked, told)
        return {**figures, "server_cpu_s": server.cpu_s() - begun, "rss_mb": server.rss_mb()}


def said(bundle: str, asked: argparse.Namespace, words: Sequence[str]) -> Figures:
    """The figures of a side in a process of its own."""
    usual = ["--seconds", f"{asked.seconds}", "--clients", f"{asked.clients}"]
    command = [sys.executable, __file__, bundle, *usual, *words]
    figures: Figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures


def rates(figures: Figures, cores: float) -> tuple[float, float]:
    """Answers a second, and those by the seconds that the cores had without the clients."""
    left = figures["wall_s"] - figures.get("clients_cpu_s", 0.0) / cores
    return figures["answers"] / figures["wall_s"], figures["answers"] / left


def compare(bundle: str, folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Both sides in turn, a line each, and the median of their ratio."""
    cores = usable_cores()
    rounds = []
    for number in range(asked.rounds):
        files = said(bundle, asked, ["--side", "folder", "--folder", f"{folder}"])
        http = http_side(bundle, folder, asked)
        (by_folder, _), (by_http, freed) = rates(files, cores), rates(http, cores)
        print(
            f"round {number + 1}: folder {by_folder:.1f} images/s; HTTP {by_http:.1f}, without the clients' "
            f"{http['clients_cpu_s']:.1f} of {cores * http['wall_s']:.0f} CPU seconds {freed:.1f}: "
            f"{freed / by_folder:.3f} of folder; "
            f"p50 {http['p50_ms']:.1f} ms, p99 {http['p99_ms']:.1f} ms; server {http['rss_mb']:.0f} MB",
            flush=True,
        )
        rounds.append({"folder": files, "http": http, "share": freed / by_folder})
    share = median(one["share"] for one in rounds)  # type: ignore[type-var]
    told = f"HTTP with {asked.clients} clients, {asked.mode} mode"
    print(f"{told}: {share:.3f} of the folder's images/s, median of {len(rounds)}")
    return {"cores": cores, "clients": asked.clients, "mode": asked.mode, "share": share, "rounds": rounds}


# ---- memory


def memory_sizes(count: int) -> list[tuple[int, int]]:
    """Sizes of images, none twice, from 32 to 1,600 pixels wide, of several shapes."""
    draws = random.Random(0)
    sizes: set[tuple[int, int]] = set()
    while len(sizes) < count:
        width = round(32 * 50 ** draws.random())
        sizes.add((width, max(16, round(width * draws.uniform(0.5, 1.5)))))
    return sorted(sizes)


def remember(server: Served, bodies: Sequence[bytes], images: int, clients: int) -> list[float]:
    """The server's memory in MB after every few hundred answers."""
    draws = random.Random(1)
    order = (draws.choice(bodies) for _ in range(images))
    rss: list[float] = []

    def after(count: int) -> None:
        if count % MEMORY_EVERY == 0:
            rss.append(server.rss_mb())
            print(f"{count:,} images: {rss[-1]:.1f} MB", flush=True)

    crowd = Crowd(server.port, "net", order, after)
    crowd.ask(clients)
    if {*crowd.statuses} != {200}:
        raise SystemExit(f"answers by status: {dict(crowd.statuses)}")
    return rss


def memory(bundle: str, folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    """The memory over many images of many sizes, and whether it stays where it was after the first of them."""
    files = write_photos(folder, memory_sizes(MEMORY_SIZES), grey=is_grey(bundle))
    bodies = [file.read_bytes() for file in files]
    with served([f"net={bundle}", "--mode", asked.mode]) as server:
        rss = remember(server, bodies, asked.images or MEMORY_IMAGES, asked.clients)
    first = MEMORY_FIRST // MEMORY_EVERY
    if len(rss) <= first:
        raise SystemExit(
            f"--images: at least {MEMORY_FIRST + MEMORY_EVERY:,}, of which the first {MEMORY_FIRST:,} settle"
        )
    settled = median(rss[first:])
    moved = max(abs(value - settled) for value in rss[first:]) / settled
    print(f"after {MEMORY_FIRST:,} images {settled:.1f} MB in the middle, and never further from it than {moved:.1%}")
    return {"rss_mb": rss, "moved": moved, "is_flat": moved <= MEMORY_SHARE}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="a bundle's folder")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0, help="that each side is measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=0, help="files of the load (400), or images of --memory (10,000)")
    parser.add_argument("--mode", default="throughput", choices=["latency", "throughput"], help="of the server")
    parser.add_argument("--memory", action="store_true", help="measure memory in place of speed")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--side", choices=["folder", "clients"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.side == "folder":
        print(json.dumps(folder_side(asked.bundle, asked.folder, asked.seconds)))
        return 0
    if asked.side == "clients":
        print(json.dumps(clients_side(asked.port, "net", asked.folder, asked.clients, asked.seconds)))
        return 0
    with TemporaryDirectory(prefix="serve-load-") as name:
        if asked.memory:
            figures = memory(asked.bundle, Path(name), asked)
        else:
            write_photos(Path(name), [SIZE] * (asked.images or 400), grey=is_grey(asked.bundle))
            figures = compare(asked.bundle, Path(name), asked)
    if asked.out is not None:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if figures.get("is_flat", True) else 1


if __name__ == "__main__":
    sys.exit(main())
