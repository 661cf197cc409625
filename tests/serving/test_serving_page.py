"""Every request that docs/serving.md shows is answered as it says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from serving.client import picture
from serving.running import running

BASH, CURL = shutil.which("bash"), shutil.which("curl")
PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
REQUESTS = re.findall(r"^\$ (curl .*?)(?: +#.*)?$", PAGE, flags=re.MULTILINE)


@pytest.mark.skipif(BASH is None or CURL is None, reason="curl is not installed")
def test_the_requests_of_the_page_are_answered(digits: Path, tmp_path: Path) -> None:
    assert BASH is not None
    assert len(REQUESTS) >= 10
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_bytes(picture())
    with running(digits, cache=tmp_path) as server:
        for request in REQUESTS:
            command = request.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
            done = subprocess.run(
                [BASH, "-c", f"{command} --silent --show-error --fail-with-body"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (request, done.stdout, done.stderr)
            if "/metrics" not in request:
                assert "error" not in json.loads(done.stdout)
