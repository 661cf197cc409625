"""A bundle that a stranger made, or a disk damaged, ends in one clear line on the command line and in exit code 2."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resvision.runtime.bundle_format import BUNDLE
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.shipped import SHIPPED_IN

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a shipped bundle to damage, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Path(shutil.copytree(SHIPPED_IN / "digits-resnet20", tmp_path / "bundle"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file)
    return file


def stated(folder: Path, **changes: Any) -> None:
    """Have a bundle say something else of itself, with the sum that goes with it."""
    manifest = json.loads((folder / BUNDLE).read_text()) | changes
    manifest.pop("sum")
    content = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    (folder / BUNDLE).write_text(json.dumps({**manifest, "sum": hashlib.sha256(content.encode()).hexdigest()}))


def with_graph(folder: Path, content: bytes) -> None:
    """Have a bundle hold another graph, with its sum."""
    (folder / "graph.onnx").write_bytes(content)
    sums = json.loads((folder / BUNDLE).read_text())["sums"]
    stated(folder, sums={**sums, "graph.onnx": hashlib.sha256(content).hexdigest()})


def graph_of(folder: Path) -> bytes:
    return (folder / "graph.onnx").read_bytes()


def changed_byte(folder: Path) -> None:
    content = bytearray(graph_of(folder))
    content[len(content) // 2] ^= 1
    (folder / "graph.onnx").write_bytes(content)


def as_link(folder: Path) -> None:
    (folder / "graph.onnx").rename(folder.parent / "elsewhere.onnx")
    (folder / "graph.onnx").symlink_to(folder.parent / "elsewhere.onnx")


def outside(folder: Path) -> None:
    shutil.copy(folder / "graph.onnx", folder.parent / "graph.onnx")
    sums = json.loads((folder / BUNDLE).read_text())["sums"]
    stated(folder, sums={**sums, "../graph.onnx": sums["graph.onnx"]})


def weights_elsewhere(folder: Path) -> None:
    with_graph(folder, graph_of(folder) + b"\x0a\x08location\x12\x06../one")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (changed_byte, "graph.onnx: was changed since the bundle was made"),
    "a missing file": (lambda folder: (folder / "graph.onnx").unlink(), "graph.onnx: cannot be read"),
    "another format": (lambda folder: stated(folder, format=2), "bundle format 2, this version reads 1"),
    "other shapes": (lambda folder: stated(folder, inputs={"pixels": [64, 64, 1]}), "where the bundle says"),
    "other outputs": (lambda folder: stated(folder, outputs=["boxes"]), "where the bundle says boxes"),
    "a task of code": (lambda folder: stated(folder, task="os:system"), "name no code"),
    "another task": (lambda folder: stated(folder, task="detection"), "which is no graph of detection"),
    "a task that reads it otherwise": (lambda folder: stated(folder, task="segmentation"), "export the run again"),
    "a path outside": (outside, "no name of a file in the bundle"),
    "a link": (as_link, "a link, which is not followed"),
    "weights elsewhere": (weights_elsewhere, "names other files for its weights"),
    "half a graph": (lambda folder: with_graph(folder, graph_of(folder)[:200_000]), "cannot run this graph"),
    "an empty graph": (lambda folder: with_graph(folder, b""), "an empty file"),
    "a huge manifest": (lambda folder: (folder / BUNDLE).write_bytes(b" " * 2**25), "bundle.json"),
    "a deep manifest": (lambda folder: (folder / BUNDLE).write_text("[" * 100_000), "bundle.json"),
    "half a manifest": (lambda folder: (folder / BUNDLE).write_text('{"format": 1'), "bundle.json"),
    "classes that move the cursor": (
        lambda folder: stated(folder, classes=["\x1b[2J", *"123456789"]),
        "with control characters",
    ),
    "too few classes": (lambda folder: stated(folder, classes=["0", "1"]), "for 2 classes"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_one_line_says_what_is_wrong(bundle: Path, picture: Path, cli: Cli, damage: str, engine: str) -> None:
    harm, said = DAMAGES[damage]
    harm(bundle)
    code, out, err = cli("predict", bundle, picture, "--engine", engine)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err
    assert "Traceback" not in err


def test_data_of_code_are_never_run(bundle: Path, cli: Cli) -> None:
    stated(bundle, data="os:system")
    code, out, err = cli("evaluate", bundle)
    assert (code, out) == (2, "")
    assert "os:system; name the images by --data" in err


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    picture: Path, cli: Cli, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, engine, None)
    openvino_core.cache_clear()
    code, out, err = cli("predict", "digits-resnet20", picture, "--engine", engine)
    openvino_core.cache_clear()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"needs {engine}, which is not installed: pip install" in err


def test_an_engine_that_there_is_not_is_told_with_the_others(picture: Path, cli: Cli) -> None:
    code, _, err = cli("predict", "digits-resnet20", picture, "--engine", "tensorrt")
    assert (code, err.count("\n")) == (2, 1)
    assert "openvino, onnxruntime" in err


@pytest.mark.parametrize("with_sum", [False, True])
def test_a_damaged_graph_in_the_cache_is_compiled_anew(
    bundle: Path, picture: Path, cli: Cli, tmp_path: Path, with_sum: bool
) -> None:
    first = cli("predict", bundle, picture)
    kept = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    (compiled,) = (file for file in kept if file.stat().st_size > 100_000)
    whole = compiled.read_bytes()
    compiled.write_bytes(b"no graph" if with_sum else whole[: len(whole) // 2])
    if with_sum:
        (summed,) = (file for file in kept if file.read_bytes() == hashlib.sha256(whole).hexdigest().encode())
        summed.write_text(hashlib.sha256(b"no graph").hexdigest())
    assert first[0] == 0
    assert cli("predict", bundle, picture) == first
    assert compiled.stat().st_size > 100_000
