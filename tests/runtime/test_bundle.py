"""A bundle says of images what its run says, and refuses what was changed."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError, RunError, SettingsError
from resvision.export.bundles import write_bundle
from resvision.inference.evaluate import open_images
from resvision.inference.load import Trained, load
from resvision.kinds.prediction_options import PredictionOptions
from resvision.launch import Finished
from resvision.prediction.exams import examined
from resvision.prediction.image_files import ImageFiles
from resvision.prediction.predictions import predicted, results_of
from resvision.runtime import compiled_graphs
from resvision.runtime.bundle import Bundle, open_bundle
from resvision.runtime.bundle_format import BUNDLE
from resvision.runtime.engines import BATCHES, EngineSettings, Mode

FP32 = EngineSettings(precision="fp32", threads=1)


@pytest.fixture(scope="module")
def run(finished: Finished) -> Trained:
    return load(finished.folder)


@pytest.fixture(scope="module")
def bundle(run: Trained, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("bundles") / "digits"
    return write_bundle(run, out, reader=open_images(run).reader, settings=FP32)


@pytest.fixture
def changed(bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the bundle to damage."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in Path(bundle.title).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def restate(folder: Path, **changes: Any) -> None:
    """Have a bundle say something else of itself, with the sum that goes with it."""
    manifest = json.loads((folder / BUNDLE).read_text()) | changes
    manifest.pop("sum")
    content = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    (folder / BUNDLE).write_text(json.dumps({**manifest, "sum": hashlib.sha256(content.encode()).hexdigest()}))


def pictures() -> list[Image.Image]:
    """Pictures of odd sides, in grey and in colour."""
    noise = np.random.default_rng(0)
    shapes = ((8, 8), (1, 1), (37, 5), (64, 200, 3))
    return [Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def test_it_ranks_the_classes_of_pictures_as_its_run_does(run: Trained, bundle: Bundle) -> None:
    by_run, by_bundle = (results_of(model, pictures(), grey=True) for model in (run, bundle))
    for expected, found in zip(by_run, by_bundle, strict=True):
        shares = dict(zip(found.labels, found.scores, strict=True))
        assert [shares[label] for label in expected.labels] == pytest.approx(expected.scores, abs=1e-5)


def test_it_holds_the_scores_before_and_after(run: Trained, bundle: Bundle) -> None:
    measured = bundle.manifest.measured
    assert measured is not None
    assert measured.data == "digits/test"
    assert measured.images == 397
    assert measured.before == pytest.approx(measured.after, abs=0.005)


def test_an_exam_gives_what_the_evaluation_of_the_run_gives(run: Trained, bundle: Bundle) -> None:
    from resvision.inference.evaluate import evaluate

    expected = evaluate(run).figures()
    for model in (run, bundle):
        assert examined(model, open_images(run).reader).figures() == pytest.approx(expected, abs=1e-4)


def test_a_graph_that_was_compiled_before_comes_from_the_cache_with_the_same_answers(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_graphs, "cache_root", lambda: tmp_path)
    feed = {"pixels": np.random.default_rng(0).integers(0, 256, (1, *bundle.manifest.inputs["pixels"]), np.uint8)}
    (expected,) = open_bundle(Path(bundle.title), FP32).graph(feed).values()
    (blob,) = (tmp_path / "graphs").glob("*.blob")
    monkeypatch.setattr(compiled_graphs, "keep", lambda key, content: pytest.fail("compiled anew"))
    (found,) = open_bundle(Path(bundle.title), FP32).graph(feed).values()
    np.testing.assert_array_equal(found, expected)
    damaged = bytearray(blob.read_bytes())
    damaged[-1] ^= 1
    blob.write_bytes(damaged)
    assert compiled_graphs.kept(blob.stem) is None


def test_a_graph_that_changes_after_it_was_opened_is_neither_answered_from_nor_kept(
    changed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_graphs, "cache_root", lambda: tmp_path)
    opened = open_bundle(changed, FP32)
    views = np.zeros((BATCHES[1], *opened.manifest.inputs["pixels"]), np.uint8)
    content = bytearray((changed / "graph.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (changed / "graph.onnx").write_bytes(content)
    opened.graph({"pixels": views[:1]})  # which was compiled before
    with pytest.raises(RunError, match=r"graph.onnx: was changed"):
        opened.graph({"pixels": views})
    assert len([*(tmp_path / "graphs").glob("*.blob")]) == 1


def test_both_engines_give_the_same(bundle: Bundle) -> None:
    other = open_bundle(Path(bundle.title), EngineSettings(engine="onnxruntime", threads=1))
    first, second = (results_of(model, pictures(), grey=True) for model in (bundle, other))
    for one, another in zip(first, second, strict=True):
        assert sorted(one.scores) == pytest.approx(sorted(another.scores), abs=1e-5)


def test_colour_is_refused_by_a_grey_net_as_the_run_refuses_it(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="grey"):
        results_of(bundle, pictures()[-1])


def test_options_that_were_fixed_are_refused(bundle: Bundle) -> None:
    with pytest.raises(SettingsError, match="export it again"):
        bundle.configured(PredictionOptions(iou=0.5))


@pytest.mark.parametrize("name", ["graph.onnx", "run.json"])
def test_a_changed_byte_is_refused(changed: Path, name: str) -> None:
    content = bytearray((changed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (changed / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{name}: was changed"):
        open_bundle(changed, FP32)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 2, "bundle format 2, this version reads 1"),
        ("task", "own.module:TASK", "name no code"),
        ("sums", {"../graph.onnx": "0"}, "must be one of"),
        ("sums", {"graph.onnx": "0", "../other": "0"}, "no name of a file in the bundle"),
        ("inputs", {"pixels": [9, 9, 1]}, "where the bundle says"),
    ],
)
def test_a_bundle_that_says_something_else_is_refused(changed: Path, key: str, value: Any, said: str) -> None:
    restate(changed, **{key: value})
    with pytest.raises(RunError, match=said):
        open_bundle(changed, FP32)


def test_a_missing_file_is_named(changed: Path) -> None:
    (changed / "graph.onnx").unlink()
    with pytest.raises(RunError, match=r"graph\.onnx: cannot be read"):
        open_bundle(changed, FP32)


def test_a_folder_that_holds_something_is_left_as_it_is(run: Trained, changed: Path) -> None:
    with pytest.raises(RunError, match="holds a bundle already"):
        write_bundle(run, changed, reader=None)
    assert (changed / "graph.onnx").exists()


def test_predicting_imports_no_torch_and_tells_nobody(bundle: Bundle, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from PIL import Image;"
        "from resvision.runtime.bundle import open_bundle; from resvision.prediction.predictions import results_of;"
        f"results_of(open_bundle(Path({bundle.title!r})), Image.new('L', (9, 9)));"
        "assert 'torch' not in sys.modules;"
        "assert type(sys.modules['openvino_telemetry']).__module__ == 'resvision.runtime.quiet_imports'"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"resvision"}


@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_threads_change_no_bit_of_many_files(bundle: Bundle, tmp_path: Path, mode: Mode) -> None:
    noise = np.random.default_rng(1)
    for number in range(40):
        Image.fromarray(noise.integers(0, 256, (9, 9 + number), dtype=np.uint8)).save(tmp_path / f"{number:02}.png")
    model = open_bundle(Path(bundle.title), EngineSettings(precision="fp32", threads=2, mode=mode))
    files = [*ImageFiles.of([tmp_path])]
    plain, threaded = ([one.result for one in predicted(model, files, threads=threads)] for threads in (0, 3))
    assert [result.source for result in threaded] == [str(file) for file in files]
    assert threaded == plain
