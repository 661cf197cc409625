"""torchvision's published detectors, by files made here: its own are not fetched."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.initial_weights import settle_sources
from resvision.run import DataSettings, ModelSettings
from resvision.weights.fetch import read_published
from resvision.weights.foreign import read_foreign
from resvision.weights.published import find, publishes
from resvision.weights.torchvision_detectors import DETECTORS


@pytest.mark.parametrize(
    ("model", "digits", "classes", "of_cup"),
    [
        ("fasterrcnn_resnet50_fpn", "258fb6c6", 90, 46),
        ("retinanet_resnet50_fpn", "eeacb38b", 91, 47),
        ("ssd300_vgg16", "b556d3b4", 90, 46),
    ],
)
def test_a_published_detector_has_a_class_for_every_id_of_coco(
    model: str, digits: str, classes: int, of_cup: int
) -> None:
    published = find(model, "torchvision")
    assert published.source == f"torchvision:COCO_V1:{digits}"
    assert published.data == "coco"
    assert len(published.classes) == len({*published.classes}) == classes
    assert published.classes.index("cup") == of_cup  # COCO's id of a cup is 47
    assert published.classes[of_cup - 2].startswith("N/A 45")  # an id that COCO leaves out
    assert catalog.find(model).task == catalog.find("retinanet").task


def test_every_detector_of_torchvisions_that_we_have_is_in_the_table() -> None:
    ours = {row.name for row in catalog.ROWS if row.task == catalog.find("retinanet").task and publishes(row.name)}
    assert ours == {*DETECTORS}


@pytest.mark.parametrize("sides", [(480, 640), (333, 500), (300, 900), (1200, 900)])
def test_photos_are_shown_as_torchvision_shows_them(sides: tuple[int, int]) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (sides[0] // 9, sides[1] // 9, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(coarse).resize(sides[::-1]))
    floats = torch.from_numpy(image).permute(2, 0, 1) / 255
    for model, transform in (
        ("retinanet_resnet50_fpn", GeneralizedRCNNTransform(800, 1333, [0.0] * 3, [1.0] * 3, size_divisible=1)),
        ("ssd300_vgg16", GeneralizedRCNNTransform(0, 0, [0.0] * 3, [1.0] * 3, size_divisible=1, fixed_size=(300, 300))),
    ):
        wanted = 255 * transform([floats])[0].tensors[0].permute(1, 2, 0)
        shown = find(model, "torchvision").view.show(image, name="photo").pixels
        assert shown.shape == wanted.shape
        assert (torch.tensor(shown) - wanted).abs().max() < 1.01  # rounded to whole levels, twice


def older(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the names of older versions, without counts of batches."""
    names = {}
    for key in state:
        name = key
        for block in ("inner_blocks", "layer_blocks"):
            for i in range(4):
                name = name.replace(f"{block}.{i}.0.", f"{block}.{i}.")
        name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        for i in range(4):
            name = name.replace(f"_head.conv.{i}.0.", f"_head.conv.{2 * i}.")
        names[key] = name
    return {names[key]: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize("model", ["fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn"])
def test_older_names_are_taken(model: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        state = catalog.build(model, num_classes=3, width=4).state_dict()
    small = {key: torch.zeros(1) for key in state}
    torch.save(older(small), tmp_path / "older.pth")
    assert older(small).keys() != small.keys()
    assert read_foreign(tmp_path / "older.pth").state.keys() == state.keys()


@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_a_frozen_norm_of_the_file_and_our_norm_compute_the_same(eps: float, tmp_path: Path) -> None:
    frozen = FrozenBatchNorm2d(6, eps=eps)
    frozen.running_var.copy_(torch.tensor([1e-9, 1e-7, 1e-5, 1e-3, 1.0, 100.0]))
    for buffer in (frozen.weight, frozen.bias, frozen.running_mean):
        nn.init.normal_(buffer)
    torch.save(frozen.state_dict(prefix="bn1."), tmp_path / "published.pth")
    state = read_published(tmp_path / "published.pth", frozen_eps=eps)
    norm = nn.BatchNorm2d(6).eval()
    norm.load_state_dict({key.removeprefix("bn1."): tensor for key, tensor in state.items()}, strict=True)
    images = torch.randn(2, 6, 4, 4)
    assert torch.allclose(norm(images), frozen(images), rtol=1e-4)


def test_a_training_from_published_weights_keeps_the_frozen_norms_and_starts_another_head() -> None:
    asked = ModelSettings(name="retinanet_resnet50_fpn", num_classes=3)
    published = find("retinanet_resnet50_fpn", "torchvision")
    model = settle_sources(asked, published, DataSettings(name="bccd", classes=("RBC", "WBC", "Platelets")))
    assert model.frozen_norms
    assert model.init_except == ("head.classification_head.cls_logits",)
    assert model.init_from == "torchvision:COCO_V1:eeacb38b"


def test_an_encoder_under_a_pyramid_starts_with_the_weights_of_a_classification_net() -> None:
    asked = ModelSettings(name="retinanet", num_classes=3, encoder_from="torchvision")
    assert settle_sources(asked, None, DataSettings(name="bccd")).encoder_from == "torchvision:IMAGENET1K_V2:11ad3fa6"
    other = ModelSettings(
        name="retinanet", num_classes=3, options={"stride_in": "1x1"}, encoder_from="torchvision:IMAGENET1K_V1"
    )
    with pytest.raises(SettingsError, match="stride_in"):
        settle_sources(other, None, DataSettings(name="bccd"))
