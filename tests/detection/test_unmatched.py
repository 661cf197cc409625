"""Boxes that no anchor matches are counted by size, as the net sees them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from resvision.contracts import Batch, Losses
from resvision.core.samples import Reader, Sample
from resvision.core.views import Stretch
from resvision.detection.detector import Candidates, Detector
from resvision.detection.parts.anchors import centred_cells, grid
from resvision.detection.parts.matching import largest_overlaps
from resvision.detection.task import TASK
from resvision.detection.unmatched import unmatched
from resvision.kinds.detection.boxes import BoxTargets
from resvision.kinds.detection.suppression import Suppression

VIEW = Stretch(channels=1, mean=(0.5,), std=(0.5,), resize_px=64, crop_px=64)


class SquareAnchors(Detector):
    """A detector with one anchor of 16 px every 8 px, which needs an overlap of one half."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), mean=(0.5,), std=(0.5,), suppression=Suppression(score=0.5, iou=0.5, most=10))

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        return {"C3": grid(centred_cells([16], [1.0], stride=8), sides[0] // 8, sides[1] // 8, stride=8)}

    def unmatched(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        return largest_overlaps(boxes, self.anchors(sides)["C3"]) < 0.5

    def candidates(self, maps: Any, sides: tuple[int, int]) -> Candidates:
        raise NotImplementedError

    def losses(self, batch: Batch) -> Losses:
        raise NotImplementedError

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError


@dataclass
class Boxes(Reader[BoxTargets]):
    """Grey images of 128 x 128 pixels, which the view halves, with the boxes of each."""

    targets: list[BoxTargets]
    name: str = "boxes"
    split: str = "train"
    classes: tuple[str, ...] = ("one",)
    view: Any = field(default_factory=lambda: VIEW)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Sample[BoxTargets]:
        return Sample(np.zeros((128, 128), dtype=np.uint8), self.targets[index])

    def target(self, index: int) -> BoxTargets:
        return self.targets[index]

    def source(self, index: int) -> str:
        return f"boxes[{index}]"


def boxes_of(*boxes: list[float]) -> BoxTargets:
    return BoxTargets.of(np.array(boxes, dtype=np.float64), np.zeros(len(boxes), dtype=np.int64))


@pytest.fixture
def reader() -> Boxes:
    crowd = boxes_of([0, 0, 4, 4])._replace(crowd=np.ones(1, dtype=np.bool_))
    fits, small, wide = [8, 8, 40, 40], [60, 60, 70, 70], [0, 60, 120, 70]
    return Boxes([boxes_of(fits), boxes_of(fits, small), boxes_of(small, wide), crowd, boxes_of()])


def test_boxes_are_counted_by_their_size_in_the_view(reader: Boxes) -> None:
    matches = unmatched(SquareAnchors(), reader)
    assert matches.images.tolist() == [0, 1, 1, 2, 2], "a crowd region is no box"
    assert matches.unmatched.tolist() == [False, False, True, True, True]
    np.testing.assert_allclose(matches.boxes[0], [4, 4, 20, 20])
    assert matches.overlaps[0] == pytest.approx(1)
    assert [(group.least_px, group.end_px, group.boxes, group.unmatched) for group in matches.groups] == [
        (0, 8, 2, 2),
        (16, 32, 3, 1),
    ]
    assert matches.worst_images(5) == [2, 1], "the image with most of them first"


def test_the_worst_images_are_shown_with_their_boxes(reader: Boxes) -> None:
    showing = TASK.unmatched_shown(SquareAnchors(), reader)
    assert showing.lines[0] == "3 of 5 boxes would be matched by no anchor in training"
    assert showing.lines[1] == "unmatched-1, 2 boxes: boxes[2]"
    assert [*showing.pictures] == ["unmatched-1", "unmatched-2"]
    assert showing.document["sizes"][0]["unmatched"] == 2


def test_a_set_without_boxes_has_none_unmatched() -> None:
    showing = TASK.unmatched_shown(SquareAnchors(), Boxes([boxes_of()]))
    assert showing.lines == ("0 of 0 boxes would be matched by no anchor in training",)
    assert not showing.tables[0].rows
