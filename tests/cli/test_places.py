"""No verb opens a connection, imports from the working folder, or writes elsewhere than where it is to.

All verbs run in one process whose home is empty, in a folder that holds modules named as those that libraries look for.
They are watched twice: by Python's audit hooks, which run everywhere, and by strace, which sees libraries in other
languages too. `data fetch` and `--weights`, which are for fetching, are left out.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from support import TINY

from resvision import catalog
from resvision.launch import Finished

VERBS = """
import contextlib, io, json, sys
from resvision.cli.main import run

results = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    results.append([code, err.getvalue()])
print(json.dumps(results))
"""

HOOKS = """
import os, socket, sys

log = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def tell(kind, what):
    os.write(log, f"{kind} {os.path.abspath(what) if kind == 'writes' else what}\\n".encode(errors="replace"))

def family_of(event, arguments):
    return arguments[1] if event == "socket.__new__" else getattr(arguments[0], "family", None)

def watch(event, arguments):
    if event.startswith("socket.") and family_of(event, arguments) != socket.AF_UNIX:  # between our own processes
        tell("socket", f"{event} {arguments!r:.200}")
    elif event in CHANGES:
        for path in arguments[:2]:
            if isinstance(path, str | bytes | os.PathLike):
                tell("writes", os.fsdecode(path))
    elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike) and arguments[2] & WRITES:
        tell("writes", os.fsdecode(arguments[0]))

sys.addaudithook(watch)
"""

TRAPS = ("tqdm", "dill", "pandas", "org", "json", "random", "numpy", "torch", "typer", "sitecustomize", "resvision_own")
"""Names of modules that libraries look for, of libraries, and of Python's own."""
TRAP = "import os\nos.close(os.open(os.environ['TRAPS'] + '/' + __name__, os.O_CREAT | os.O_WRONLY))\n"


class Stage(NamedTuple):
    """The place where the verbs run.

    here    the working folder: a folder of photos of two classes, and the traps
    traps   an empty folder, where a module of the working folder that is imported leaves its name
    written the folders that may be written to
    words   of each verb
    """

    here: Path
    home: Path
    traps: Path
    written: list[Path]
    words: list[list[str]]

    def run(self, code: str, *more: str, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """Run the verbs after `code` in a process of their own: a script elsewhere, as the installed command is."""
        script = self.traps.parent / "script" / "verbs.py"
        script.parent.mkdir()
        script.write_text(code + VERBS)
        return self.start([*before, sys.executable, str(script), json.dumps(self.words), *more])

    def start(self, words: list[str]) -> "subprocess.CompletedProcess[str]":
        """Run a command in the working folder, as a user does whose home is empty."""
        package = str(Path(__file__).parents[2])
        environment = {"HOME": self.home, "TMPDIR": self.home / "tmp", "PATH": os.defpath, "TRAPS": self.traps}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
        kept = {name: str(value) for name, value in environment.items()}
        return subprocess.run(words, cwd=self.here, env=kept, capture_output=True, text=True, timeout=240)

    def strays(self, paths: set[str]) -> set[str]:
        """The paths that lie in no folder that may be written to."""
        roots = [Path(os.path.realpath(root)) for root in self.written]
        made = {str(parent) for root in roots for parent in root.parents}  # on the way to such a folder
        inside = {path for path in paths if any(Path(os.path.realpath(path)).is_relative_to(root) for root in roots)}
        return paths - inside - made


def contents(*folders: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def stage(finished: Finished, segmented: Finished, squares: Path, tmp_path: Path) -> Stage:
    here, home, traps = tmp_path / "here", tmp_path / "home", tmp_path / "traps"
    for folder in (here / "photos/cat", here / "photos/dog", home / "tmp", traps):
        folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for number in range(8):
        pixels = draws.integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(here / "photos" / ("cat", "dog")[number % 2] / f"{number}.png")
    for name in TRAPS:
        (here / f"{name}.py").write_text(TRAP)
    runs = tmp_path / "runs"
    digits, label_maps = (shutil.copytree(run.folder, runs / run.folder.name) for run in (finished, segmented))
    net = catalog.build("resnet20", num_classes=10, in_channels=1, **{"width": 4})
    torch.save(net.state_dict(), runs / "weights.pth")
    out = tmp_path / "out"
    out.mkdir()
    places = [out, runs, home / ".cache", home / "tmp", home / ".config/matplotlib"]  # which matplotlib makes, empty
    return Stage(here, home, traps, places, _words(out, digits, label_maps, squares))


def _words(out: Path, digits: Path, label_maps: Path, squares: Path) -> list[list[str]]:
    """Every verb, on inputs that are as small as they can be."""
    settings = [f"--set={path}={value}" for path, value in TINY.items()]
    settings += ["--set=training.duration=2 steps", "--set=machine.workers=0", "--set=machine.compile=false"]
    words: list[list[Any]] = [
        ["list"],
        ["list", "--table"],
        ["data", "list"],
        ["data", "check", "photos"],
        ["data", "check", squares],
        ["inspect", "resnet20", "--svg", out / "resnet20.svg"],
        ["inspect", "lenet5", "--paper"],
        ["train", "resnet20", "--data", "photos", "--batch-size", "2", "--out", out / "run", *settings],
        ["train", "--resume", out / "run"],
        ["evaluate", out / "run"],
        ["evaluate", label_maps, "--json"],
        ["predict", digits, "photos/cat"],
        ["predict", label_maps, squares / "val/images/0.png", "--out", out / "maps"],
        ["report", out / "run"],
        ["report", label_maps, "--out", out / "page.html"],
        ["convert", digits.parent / "weights.pth", "resnet20", "--option", "width=4", "--out", out / "a.safetensors"],
        ["study", "degradation", "--depths", "20", "--seeds", "1", "--out", out / "study", *settings],
    ]
    return [[str(word) for word in each] for each in words]


def require_success(stage: Stage, done: "subprocess.CompletedProcess[str]") -> None:
    assert list(stage.traps.iterdir()) == [], "imported from the working folder"
    assert done.returncode == 0, done.stderr
    for words, (code, err) in zip(stage.words, json.loads(done.stdout), strict=True):
        assert code == 0, f"{words}: {err}"


def test_by_audit_hooks_no_verb_connects_or_writes_elsewhere_or_imports_from_where_it_runs(stage: Stage) -> None:
    before = contents(stage.here)
    log = stage.traps.parent / "log"
    require_success(stage, stage.run(HOOKS, str(log)))
    lines = log.read_text().splitlines()
    assert [line for line in lines if line.startswith("socket ")] == []
    writes = {line.removeprefix("writes ") for line in lines if line.startswith("writes ")}
    assert len(writes) > 20
    assert stage.strays(writes - {"/dev/null"}) == set()
    assert contents(stage.here) == before
    assert contents(stage.home) == contents(stage.home / ".cache", stage.home / "tmp")  # libraries write too


CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
NETWORK = re.compile(r"AF_INET|AF_INET6|AF_PACKET|AF_NETLINK")
CHANGING = {
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "symlink",
    "symlinkat",
}
CHANGING |= {"link", "linkat", "truncate", "chmod", "fchmodat", "creat", "mknod", "mknodat", "chown", "fchownat"}


def traceable() -> bool:
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "-f", "/bin/true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not traceable(), reason="strace is not here, or may not trace")
def test_by_strace_no_verb_connects_or_writes_elsewhere_or_imports_from_where_it_runs(stage: Stage) -> None:
    trace = stage.traps.parent / "trace"
    before = ("strace", "-f", "-y", "-s", "4096", "--seccomp-bpf", "-e", "trace=network,%file", "-o", str(trace))
    require_success(stage, stage.run("", before=before))
    calls = [found for line in trace.read_text(errors="replace").splitlines() if (found := CALL.match(line))]
    assert len(calls) > 1000
    assert [call.group() for call in calls if NETWORK.search(call["arguments"]) and "socket" in call["name"]] == []
    writes = {path for call in calls if int(call["result"]) >= 0 for path in changed_paths(call, stage.here)}
    assert len(writes) > 20
    assert stage.strays({path for path in writes if not path.startswith(("/dev/", "/proc/"))}) == set()
    modules = {f'"{stage.here}/{name}.py"' for name in TRAPS}
    assert [call.group() for call in calls if any(module in call["arguments"] for module in modules)] == []


def changed_paths(call: "re.Match[str]", here: Path) -> list[str]:
    """The paths that a call of the system makes, changes or removes."""
    opened = call["name"] in {"open", "openat"} and re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", call["arguments"])
    if not opened and call["name"] not in CHANGING:
        return []
    folders = re.findall(r"\d+<([^>]*)>", call["arguments"])
    return [str(Path(here, *folders[:1], path)) for path in re.findall(r'"((?:[^"\\]|\\.)*)"', call["arguments"])]


@pytest.mark.parametrize("words", [["--version"], ["data", "check", "photos"]])
def test_as_a_module_of_python_nothing_is_imported_from_where_it_runs(stage: Stage, words: list[str]) -> None:
    done = stage.start([sys.executable, "-m", "resvision", *words])
    assert list(stage.traps.iterdir()) == []
    assert done.returncode == 0, done.stderr
