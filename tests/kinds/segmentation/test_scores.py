"""The figures of segmentation, from confusions of pixels."""

import sys
import tracemalloc
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.kinds.segmentation.scores import SegmentationScores, Tally, WorstImage

CLASSES = ("a", "b", "c")


def of(confusion: list[list[int]]) -> SegmentationScores:
    names = CLASSES[: len(confusion)]
    return SegmentationScores(classes=names, images=1, loss=0.5, confusion=np.array(confusion), worst=())


Counts = tuple[int, NDArray[np.int64], float]


def counted(*images: Counts) -> SegmentationScores:
    return tallied(images, of=len(images)).scores(CLASSES, lambda index: f"image {index}")


def tallied(images: Iterable[Counts], *, of: int) -> Tally:
    tally = Tally(of, len(CLASSES))
    for counts in images:
        tally.add(*counts)
    return tally


def image(index: int, *, wrong: int, pixels: int = 10, loss: float = 5.0) -> Counts:
    """An image of class a, some of whose pixels are said to be b."""
    confusion = np.zeros((3, 3), dtype=np.int64)
    confusion[0, :2] = pixels - wrong, wrong
    return index, confusion, loss


def test_the_figures_of_a_known_confusion() -> None:
    scored = of([[50, 10], [5, 35]])
    assert scored.pixel_accuracy == pytest.approx(0.85)
    assert scored.mean_accuracy == pytest.approx(0.854167, abs=1e-6)
    assert scored.mean_iou == pytest.approx(0.734615, abs=1e-6)
    assert scored.frequency_weighted_iou == pytest.approx(0.741538, abs=1e-6)


def test_a_class_that_is_nowhere_has_no_part_in_the_means() -> None:
    assert of([[50, 10, 0], [5, 35, 0], [0, 0, 0]]).mean_iou == pytest.approx(of([[50, 10], [5, 35]]).mean_iou)
    assert of([[50, 10, 0], [5, 35, 0], [0, 0, 0]]).to_json()["per_class"][2]["iou"] is None


def test_images_add_up_and_those_with_the_largest_share_of_wrong_pixels_are_named() -> None:
    scored = counted(image(0, wrong=1), image(1, wrong=0), image(2, wrong=3, pixels=4, loss=7.0))
    assert (scored.images, scored.confusion[0].tolist()) == (3, [20, 4, 0])
    assert scored.loss == pytest.approx(17 / 24)
    assert [(each.index, each.source) for each in scored.worst] == [(2, "image 2"), (0, "image 0")]
    assert [each.pixel_error for each in scored.worst] == pytest.approx([0.75, 0.1])


def test_scores_survive_json() -> None:
    scored = counted(image(0, wrong=1))
    again = SegmentationScores.from_json(scored.to_json())
    assert again.to_json() == scored.to_json()
    assert all(isinstance(image, WorstImage) for image in again.worst)
    assert scored.figures().keys() == {"loss", "mean_iou", "pixel_accuracy"}
    assert "mean IoU" in scored.summary()


@pytest.mark.parametrize("damage", [{"confusion": [[1]]}, {"loss": -1}, {"worst": [{"index": 0}]}, {"per_class": []}])
def test_damaged_scores_are_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        SegmentationScores.from_json({**counted(image(0, wrong=1)).to_json(), **damage})


def test_masks_that_are_void_throughout_cannot_be_scored() -> None:
    with pytest.raises(DataError, match="every mask is void"):
        counted(image(0, wrong=0, pixels=0))


def test_any_order_and_any_number_of_processes_give_the_same_scores_to_the_bit() -> None:
    draws = np.random.default_rng(0)
    images = [
        image(index, wrong=int(draws.integers(0, 5)), pixels=10, loss=float(draws.random())) for index in range(40)
    ]
    expected = counted(*images).to_json()
    assert expected["loss"] == sum(loss for _, _, loss in images) / 400 or sys.version_info >= (3, 12)
    worst = sorted(images, key=lambda counts: -counts[1][0, 1])[:12]
    assert [each["index"] for each in expected["worst"]] == [index for index, _, _ in worst]
    shuffled = [images[i] for i in draws.permutation(40)]
    assert counted(*shuffled).to_json() == expected
    shares = [tallied(shuffled[rank::3], of=40) for rank in range(3)]
    for rank in range(3):
        turned = [*shares[rank:], *shares[:rank]]
        whole = Tally(40, len(CLASSES))
        for share in turned:
            whole.merge(share)
        assert whole.scores(CLASSES, lambda index: f"image {index}").to_json() == expected


def test_no_confusion_is_kept_for_single_images() -> None:
    confusion = np.ones((100, 100), dtype=np.int64)
    tracemalloc.start()
    try:
        tally = Tally(300, 100)
        for index in range(300):
            tally.add(index, confusion.copy(), 1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * confusion.nbytes
