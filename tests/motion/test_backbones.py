"""Nets over rasters stand on any net of the zoo that has stages, for any number of channels."""

import pytest
import torch

from resvision import catalog
from resvision.core.errors import MissingStageError
from resvision.motion.covernet import covernet
from resvision.motion.motion_regression import motion_regression
from resvision.motion.mtp import mtp

BACKBONES = (
    *(
        "resnet18",
        "plain18",
        "resnet20",
        "plain20",
        "vgg11_bn",
        "alexnet",
        "googlenet",
        "prelunet_a",
        "darknet19",
        "zf5",
    ),
)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_backbone_with_stages_will_do(backbone: str) -> None:
    channels = {"in_channels": 7} if "in_channels" in catalog.options(backbone) else {}
    with torch.device("meta"):
        net = catalog.build("mtp", backbone=backbone, modes=2, steps=3, **channels).eval()
        out = net(torch.empty(2, channels.get("in_channels", 3), 96, 96))
    assert out.shape == (2, 2 * (2 * 3 + 1))


def test_a_net_without_stages_is_refused() -> None:
    for builder in (mtp, covernet, motion_regression):
        with pytest.raises(MissingStageError, match="Perceptron has no stages"):
            builder(catalog.build("resmlp", num_classes=2))


@pytest.mark.parametrize("name", ["motion_regression", "mtp", "covernet"])
def test_a_plain_net_has_the_parameters_of_the_residual_one_but_for_its_projections(name: str) -> None:
    with torch.device("meta"):
        residual, plain = (
            catalog.build(name, backbone=backbone, in_channels=25) for backbone in ("resnet18", "plain18")
        )
    projections = sum(p.numel() for key, p in residual.named_parameters() if "downsample" in key)
    numbers = [sum(p.numel() for p in net.parameters()) for net in (residual, plain)]
    assert numbers[0] - numbers[1] == projections
