"""Layers of a run cut to a lower rank: the nearest of that rank, in a file that is an ordinary net."""

from collections.abc import Callable
from pathlib import Path

import box_folders
import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

import resvision
from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.detection import proposal_files
from resvision.detection.detector import ProposedImages
from resvision.inference.load import Trained
from resvision.launch import launch
from resvision.layers.truncated_linear import TruncatedLinear, linear, truncated
from resvision.recipes import compose
from resvision.truncation import truncate

Cli = Callable[..., tuple[int, str, str]]
OPTIONS = {"backbone": "resnet18", "width": 4, "channels": 8, "hidden": 16, "proposals": 10}


def test_the_product_of_both_layers_is_the_nearest_weight_of_that_rank() -> None:
    weight = torch.randn(12, 7)
    left, values, right = np.linalg.svd(weight.numpy().astype(np.float64), full_matrices=False)
    for rank in (1, 3, 7):
        narrow, wide = truncated(weight, rank)
        assert (narrow.shape, wide.shape) == ((rank, 7), (12, rank))
        nearest = left[:, :rank] * values[:rank] @ right[:rank]
        np.testing.assert_allclose(wide @ narrow, nearest, atol=1e-5)
    np.testing.assert_allclose(wide @ narrow, weight, atol=1e-5)


def test_a_layer_of_a_rank_has_rank_times_inputs_plus_outputs_weights_and_one_bias() -> None:
    layer = linear(30, 20, rank=4)
    assert isinstance(layer, TruncatedLinear)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 4 * (30 + 20) + 20
    assert isinstance(linear(30, 20, rank=None), nn.Linear)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run of Fast R-CNN, with regions of its own."""
    root = tmp_path_factory.mktemp("truncation")
    folder = box_folders.voc(root / "pets")
    regions = np.array([[0.0, 0, 40, 40], [10, 10, 70, 50], [0, 0, 80, 60]])
    proposal_files.write(root / "regions.safetensors", {f"{name}.png": regions for name in box_folders.SCENES})
    changes = {
        "data.image_size": 48, "data.proposals": str(root / "regions.safetensors"), "machine.device": "cpu",
        "machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0, "training.duration": "1 steps",
        "training.batch_size": 2, **{f"model.options.{key}": value for key, value in OPTIONS.items()},
    }  # fmt: skip
    launch(compose("fast_rcnn", str(folder), changes=changes), console=Console(quiet=True), out=root / "run")
    return root / "run"


def logits(trained: Trained) -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 3, 48, 48), dtype=torch.uint8, generator=draws)
    with torch.no_grad():
        maps = trained.system.maps(ProposedImages(images, torch.tensor([[[0.0, 0, 20, 20], [5, 5, 40, 30]]])))
    return maps.logits


def test_a_run_with_cut_layers_is_an_ordinary_net_that_computes_with_the_nearest_weights(
    run: Path, tmp_path: Path, cli: Cli
) -> None:
    code, out, _ = cli("convert", str(run), "--svd", "fc6=5,fc7=3", "--out", str(tmp_path / "cut.safetensors"))
    assert code == 0
    assert "fc6: 392 x 16 at rank 5, 6,272 weights become 2,040" in out
    cut = resvision.load("fast_rcnn", weights=tmp_path / "cut.safetensors", device="cpu")
    assert cut.classes == ("cat", "dog")
    whole = resvision.load(run)
    assert torch.equal(cut.system.net.offsets.std, whole.system.net.offsets.std), "what was measured comes along"
    heads = whole.system.net.roi_heads.box_head
    for layer, rank in ((heads.fc6, 5), (heads.fc7, 3)):
        narrow, wide = truncated(layer.weight.data, rank)
        layer.weight.data = wide @ narrow
    torch.testing.assert_close(logits(cut), logits(whole), rtol=1e-4, atol=1e-5)


def test_the_result_of_a_run_becomes_a_file_with_all_that_is_known_of_it(run: Path, cli: Cli) -> None:
    code, out, _ = cli("convert", str(run))
    assert code == 0
    assert f"{run}.safetensors" in out
    file = resvision.load("fast_rcnn", weights=f"{run}.safetensors", device="cpu")
    assert torch.equal(logits(file), logits(resvision.load(run)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--svd", "fc8=3"], "--svd: unknown layer 'fc8'; nearest: fc7, fc6"),
        (["--svd", "fc6=0"], "fc6 has 392 x 16 weights, of which ranks of 1 to 15 leave fewer"),
        (["--svd", "fc7=8"], "fc7 has 16 x 16 weights, of which ranks of 1 to 7 leave fewer"),
        (["--svd", "fc6"], "--svd fc6: write LAYER=RANK, each layer once, as fc6=1024,fc7=256"),
        (["--svd", "fc6=2,fc6=3"], "each layer once"),
        (["retinanet"], "is a run of fast_rcnn, not of retinanet; leave the name out"),
        (["--num-classes", "3"], "--num-classes: goes with a file; all of it is known of a run, leave it out"),
    ],
)
def test_what_cannot_be_cut_is_said_in_a_line(run: Path, tmp_path: Path, cli: Cli, words: list[str], said: str) -> None:
    code, _, err = cli("convert", str(run), "--out", str(tmp_path / "cut.safetensors"), *words)
    assert code == 2
    assert said in err
    assert not (tmp_path / "cut.safetensors").exists()


def test_a_layer_is_cut_once_and_other_nets_have_none_to_cut() -> None:
    net = catalog.build("fast_rcnn", num_classes=2, **OPTIONS, svd_fc6=5)
    options = {**OPTIONS, "num_classes": 2, "svd_fc6": 5}
    with pytest.raises(SettingsError, match="fc6 is cut already"):
        truncate("fast_rcnn", options, net.state_dict(), {"fc6": 2})
    with pytest.raises(SettingsError, match="resnet20 has no layer that can be cut"):
        truncate("resnet20", {"num_classes": 2}, {}, {"fc": 2})
