"""Kill `resvision convert` again and again inside a write, and look at what is left.

    python benchmarks/kill_convert.py [--kills 20] [--seed 0] [--scratch FOLDER]

Weights of a VGG-16, 528 MB of random numbers, are converted over a file that is there. SIGKILL comes once the draft
holds a share of its bytes that is drawn from the seed. After each kill the file under the final name must be the old
one, and of all drafts only that of the last kill may be there. Then the conversion runs to its end, and nothing but the
two files may lie in the folder. Exit code 1 where anything differs.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

MODEL = "vgg16"
PACE_S = 0.0005


class Kill(NamedTuple):
    """What was left of a conversion that was killed inside its write."""

    drafted_bytes: int
    drafts: int
    is_old: bool


def start(file: Path, target: Path) -> subprocess.Popen[bytes]:
    words = ["convert", str(file), MODEL, "--out", str(target), "--force"]
    return subprocess.Popen(
        [sys.executable, "-m", "resvision", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def drafts(folder: Path) -> set[Path]:
    return {path for path in folder.iterdir() if path.name.endswith(".new")}


def bytes_in(draft: Path) -> int:
    try:
        return sum(512 * path.stat().st_blocks for path in draft.iterdir())  # its size is made first
    except FileNotFoundError:  # it was renamed meanwhile
        return 0


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kill_inside_the_write(file: Path, target: Path, *, at_bytes: int, old: str) -> Kill | None:
    """Convert, and kill once the draft has so many bytes; None where the conversion was sooner done."""
    before = drafts(target.parent)
    process = start(file, target)
    while process.poll() is None:
        if any(bytes_in(draft) >= at_bytes for draft in drafts(target.parent) - before):
            process.kill()
            process.wait()
            left = drafts(target.parent)
            return Kill(sum(map(bytes_in, left)), len(left), digest(target) == old)
        time.sleep(PACE_S)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    draws = random.Random(options.seed)
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        file, target = Path(scratch, "it.pth"), Path(scratch, "it.safetensors")
        state = f"resvision.build({MODEL!r}, num_classes=1000).state_dict()"
        make = f"import torch, resvision; torch.save({state}, {str(file)!r})"
        subprocess.run([sys.executable, "-c", make], check=True)
        target.write_bytes(b"what was there before")
        old, whole = digest(target), file.stat().st_size
        kills: list[Kill] = []
        while len(kills) < options.kills:
            kill = kill_inside_the_write(file, target, at_bytes=int(draws.uniform(0.01, 0.95) * whole), old=old)
            if kill is None:  # too late; what it wrote is not what was there before
                target.write_bytes(b"what was there before")
            else:
                kills.append(kill)
                print(
                    f"killed {len(kills):>3}: {kill.drafted_bytes / 2**20:6.1f} MB in {kill.drafts} draft", flush=True
                )
        code = start(file, target).wait()
        left = sorted(path.name for path in Path(scratch).iterdir())
    wrong = sum(not kill.is_old for kill in kills)
    several = sum(kill.drafts != 1 for kill in kills)
    print(f"{len(kills)} kills inside a write: {wrong} times another file under the final name,")
    print(f"{several} times another draft than that of the last kill; then exit code {code}, and there are {left}")
    if wrong or several or code or left != [file.name, target.name]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
