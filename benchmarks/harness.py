"""What the speed benchmarks share: sides measured in turn in processes of their own, tables, the matrix ceiling."""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch

Figures = dict[str, float]


def in_turn(script: str, sides: Sequence[str], words: Sequence[str], *, rounds: int) -> dict[str, list[Figures]]:
    """Each side as a process of its own, one after the other, `rounds` times: what each printed as JSON last."""
    found: dict[str, list[Figures]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides:
            started = time.monotonic()
            said = subprocess.run(
                [sys.executable, script, "--side", side, *words], stdout=subprocess.PIPE, text=True, check=True
            ).stdout
            figures: Figures = json.loads(said.strip().splitlines()[-1])
            found[side].append(figures)
            wall = time.monotonic() - started
            print(f"  round {number + 1}, {side}: {figures['rate']:.1f} img/s, {wall:.0f} s", file=sys.stderr)
    return found


def middle(rounds: Sequence[Figures], name: str) -> float:
    """The median over the rounds."""
    return median(each[name] for each in rounds)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ceiling(dtype: torch.dtype, *, side: int = 3072, seconds: float = 4.0) -> float:
    """GFLOP/s of a product of two square matrices, the best of those that fit in `seconds`."""
    a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
    return 2 * side**3 / 1e9 / best_time(lambda: a @ b, seconds=seconds)


def best_time(do: Callable[[], object], *, seconds: float) -> float:
    """The shortest of the times that `do` takes, after a first one that is not counted, in seconds."""
    do()
    times = []
    until = time.monotonic() + seconds
    while not times or time.monotonic() < until:
        started = time.monotonic()
        do()
        times.append(time.monotonic() - started)
    return min(times)


def machine() -> str:
    """The processor and what runs on it, in a line."""
    name = getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name") or platform.processor() or "unknown CPU"
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"


def write(text: str, out: Path | None) -> None:
    """Print the page, and write it where one was asked for."""
    print(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
