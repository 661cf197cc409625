"""`bench` of a run and of its bundle, by what is installed here; what it says of both."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from resvision.bench import ceilings
from resvision.bench.graph_work import multiply_adds
from resvision.core.processor import instructions, model_name
from resvision.export.bundles import write_bundle
from resvision.inference.load import load
from resvision.launch import Finished
from resvision.probes.count import count

Cli = Callable[..., tuple[int, str, str]]
QUICK = ("--rounds", "2", "--seconds", "0")


@pytest.fixture(autouse=True)
def _small_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "SIDE", 64)
    monkeypatch.setattr(ceilings, "COPIED_BYTES", 2**16)


@pytest.fixture(scope="module")
def bundle(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "bundle"
    write_bundle(load(finished.folder), folder, reader=None)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(6):
        Image.new("L", (20 + number, 30), 40 * number).save(folder / f"{number}.jpg")
    return folder


def test_a_run_is_measured_by_all_paths_that_can_be_had(
    finished: Finished, images: Path, tmp_path: Path, cli: Cli
) -> None:
    picture = tmp_path / "rates.svg"
    code, out, err = cli(
        *("bench", finished.folder, "--batch", "2", "--images", images, "--files", "8", "--picture", picture),
        *("--paths", "torchvision,torch,openvino-fp32", "--json", *QUICK),
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["machine"]["processor"] == model_name()
    assert {"fp32", "copy"} <= document["machine"]["ceilings"].keys()
    assert document["files"] == 8
    (net,) = document["nets"]
    assert net["baseline"] == "torch"
    assert net["left_out"] == {"torchvision": "torchvision has no resnet20"}
    assert [*net["paths"]] == ["torch", "openvino-fp32"]
    assert net["decoding"]["images_a_second"] > 0
    for found in net["paths"].values():
        assert found["measures"]["2"]["images_a_second"] > 0
        assert found["measures"]["files"]["images_a_second"] > 0
    assert net["paths"]["torch"]["measures"]["2"]["ratio"] == 1
    names = [text.text for text in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {"torch", "openvino-fp32", "decoding"} <= {*names}


def test_a_bundle_is_measured_without_torch(bundle: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from resvision.cli.main import run; from resvision.bench import ceilings;"
        "ceilings.SIDE, ceilings.COPIED_BYTES = 64, 2**16;"
        f"assert run(['bench', {str(bundle)!r}, '--paths', 'torch,openvino-by-hand,onnxruntime', *{QUICK!r}]) == 0;"
        "assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for said in ("ceilings: fp32", "onnxruntime: ONNX Runtime", "left out, torch: a bundle has no net of torch"):
        assert said in done.stdout


def test_the_graph_asks_for_as_many_multiply_adds_as_the_net(bundle: Path, finished: Finished) -> None:
    net = load(finished.folder).net
    assert multiply_adds(bundle / "graph.onnx", {"pixels": (16, 16, 1)}, None) == count(net, (1, 16, 16)).macs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resnet20", "--paths", "openvino-fp8"), "--paths: unknown path 'openvino-fp8'"),
        (("resnet20", "--files", "3"), "--files: takes them from --images"),
        (("resnet2O",), "unknown model 'resnet2O'"),
        (("cv", "--size", "64"), "unknown model 'cv'"),
        (("mtp",), "mtp: bench measures nets that tell classes of images"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(words: tuple[str, ...], said: str, cli: Cli) -> None:
    code, out, err = cli("bench", *words, *QUICK)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_bundle_of_another_size_and_paths_that_need_torch_are_refused(bundle: Path, cli: Cli) -> None:
    code, _, err = cli("bench", bundle, "--size", "32", *QUICK)
    assert (code, "its size; name its run" in err) == (2, True)
    code, _, err = cli("bench", bundle, "--paths", "torch", *QUICK)
    assert (code, "nothing can be measured here: torch: a bundle has no net of torch" in err) == (2, True)


def test_the_processor_is_read_from_what_the_kernel_says(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\n")
    assert (model_name(file), instructions(file)) == ("Some CPU", ("AMX-BF16", "AVX2"))
    assert instructions(tmp_path / "none") == ()
