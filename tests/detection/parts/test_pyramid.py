"""The feature pyramid: torchvision's, by names and values."""

from collections import OrderedDict

import pytest
import torch
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool, LastLevelP6P7

from resvision.detection.parts.pyramid import CoarserMaps, FeaturePyramid, StridedMaps, SubsampledMap

CHANNELS = {"C3": 6, "C4": 8, "C5": 10}


@pytest.mark.parametrize(
    ("coarser", "theirs", "names"),
    [
        (StridedMaps(10, channels=4, source="C5"), LastLevelP6P7(10, 4), ["P3", "P4", "P5", "P6", "P7"]),
        (StridedMaps(10, channels=4, source="P5"), LastLevelP6P7(4, 4), ["P3", "P4", "P5", "P6", "P7"]),
        (SubsampledMap(), LastLevelMaxPool(), ["P3", "P4", "P5", "P6"]),
        (None, None, ["P3", "P4", "P5"]),
    ],
)
def test_it_has_torchvisions_weights_by_name_and_gives_the_same_maps(
    coarser: CoarserMaps | None, theirs: torch.nn.Module | None, names: list[str]
) -> None:
    judge = FeaturePyramidNetwork([*CHANNELS.values()], 4, extra_blocks=theirs)
    pyramid = FeaturePyramid(CHANNELS, channels=4, coarser=coarser)
    pyramid.load_state_dict(judge.state_dict(), strict=True)
    sides = {"C3": (19, 25), "C4": (10, 13), "C5": (5, 7)}  # neither is twice the next
    maps = {name: torch.randn(2, CHANNELS[name], *size) for name, size in sides.items()}
    ours = pyramid(maps)
    assert [*ours] == names
    for level, wanted in zip(ours.values(), judge(OrderedDict(maps)).values(), strict=True):
        assert torch.allclose(level, wanted, atol=1e-6)


def test_a_new_pyramid_has_variance_one_over_the_entering_numbers_and_no_bias() -> None:
    pyramid = FeaturePyramid({"C3": 64}, channels=64)
    conv = pyramid.layer_blocks[0][0]
    assert conv.weight.var().item() == pytest.approx(1 / (64 * 9), rel=0.05)
    assert not conv.bias.any()
