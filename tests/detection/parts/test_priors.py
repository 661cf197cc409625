"""Default boxes: the paper's numbers, and torchvision's generator as judge."""

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from resvision.core.errors import SettingsError
from resvision.detection.parts.priors import Priors, linear_priors
from resvision.detection.ssd import RATIOS, SIZES_PX, STEPS_PX

MAPS = [(side, side) for side in (38, 19, 10, 5, 3, 1)]
SSD300 = Priors(SIZES_PX["voc"], RATIOS, 300, STEPS_PX)


def centres_and_sides(boxes: Tensor) -> Tensor:
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)


def test_ssd300_has_8732_priors_and_the_papers_first_three() -> None:
    boxes = torch.cat(SSD300.boxes(MAPS, (300, 300)))
    assert len(boxes) == 8732
    first = centres_and_sides(boxes[:3]) / 300
    centre = 4 / 300
    expected = [
        [centre, centre, 0.1, 0.1],
        [centre, centre, 0.1414214, 0.1414214],
        [centre, centre, 0.1414214, 0.0707107],
    ]
    assert torch.allclose(first, torch.tensor(expected), atol=1e-6)


@pytest.mark.parametrize(("sizes", "clamped"), [("coco", True), ("voc", False)])
def test_priors_are_those_of_torchvision(sizes: str, clamped: bool) -> None:
    scales = [size / 300 for size in SIZES_PX[sizes]]
    judge = DefaultBoxGenerator(
        [[int(r) for r in ratios] for ratios in RATIOS], scales=scales, steps=[*STEPS_PX], clip=clamped
    )
    images = ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)])
    (theirs,) = judge(images, [torch.zeros(1, 1, *sides) for sides in MAPS])
    ours = torch.cat(Priors(SIZES_PX[sizes], RATIOS, 300, STEPS_PX, clamped).boxes(MAPS, (300, 300)))
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_priors_keep_their_size_and_spread_over_an_image_of_other_sides() -> None:
    (boxes,) = Priors((20.0, 40.0), ((2.0,),), 100).boxes([(2, 4)], (60, 200))
    centres, sides = centres_and_sides(boxes).reshape(2, 4, 4, 4).split(2, dim=3)
    assert centres[:, :, 0].tolist() == [[[25 + 50 * x, 15 + 30 * y] for x in range(4)] for y in range(2)]
    assert torch.allclose(sides[0, 0].prod(dim=1), torch.tensor([400.0, 800.0, 400.0, 400.0]))
    assert torch.allclose(sides, sides[:1, :1].expand_as(sides))


@pytest.mark.parametrize("maps", [1, 2, 3, 6, 9])
def test_sizes_grow_linearly_from_the_second_map_to_the_last(maps: int) -> None:
    priors = linear_priors(maps, input_px=200)
    assert len(priors.sizes_px) == maps + 1
    assert len(priors.of_each_position) == maps
    assert sorted(priors.sizes_px) == [*priors.sizes_px]
    if maps > 2:
        first, second, *_, last, _ = priors.sizes_px
        assert (first, second, last) == pytest.approx((20, 40, 180))
        steps = torch.tensor(priors.sizes_px[1:]).diff()
        assert torch.allclose(steps, steps[0].expand_as(steps), atol=1e-3)


def test_sizes_that_do_not_grow_are_refused() -> None:
    with pytest.raises(SettingsError, match="smallest < largest"):
        linear_priors(6, input_px=300, smallest=0.9, largest=0.2)
