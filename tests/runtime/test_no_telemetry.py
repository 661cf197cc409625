"""A bundle tells nobody that it was used: no socket is opened, and no file is made outside of our cache folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

STRACE = shutil.which("strace")
CALLS = "socket,connect,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknodat"
MAKING = re.compile(r"O_CREAT|\b(mkdir|mkdirat|creat|rename\w*|link|linkat|symlink|symlinkat|mknodat)\(")


def traced(words: list[str], home: Path) -> list[str]:
    """The system calls of the command line in a home of its own, as on a machine that it never saw, that succeeded."""
    assert STRACE is not None
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG")}
    log = home.parent / "calls"
    command = [STRACE, "-f", "-qq", "-s", "300", "-e", f"trace={CALLS}", "-o", str(log)]
    done = subprocess.run(
        [*command, sys.executable, "-m", "resvision", *words],
        env={**kept, "HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("strace may not trace processes here")
    assert done.returncode == 0, done.stderr
    lines = log.read_text(errors="replace").splitlines()
    assert any("openat" in line for line in lines), "nothing was traced"
    return [line for line in lines if " = -1 " not in line]


@pytest.mark.skipif(STRACE is None, reason="strace is not installed, which shows system calls")
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_predicting_opens_no_socket_and_writes_into_the_cache_alone(tmp_path: Path, engine: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    picture = tmp_path / "picture.png"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(picture)
    calls = traced(["predict", "digits-resnet20", str(picture), "--engine", engine], home)
    assert [call for call in calls if re.search(r"\b(socket|connect)\(", call)] == []
    ours = str(home / ".cache")
    made = [call for call in calls if MAKING.search(call)]
    assert [call for call in made if ours not in call and "/dev/" not in call and "/proc/" not in call] == []
    assert {path.name for path in home.iterdir()} <= {".cache"}
    assert {path.name for path in (home / ".cache").glob("*")} <= {"resvision"}
