"""The losses and label maps that all segmentation nets share, and the scores of label maps."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix, jaccard_score
from torch import Tensor, nn

from resvision.contracts import Batch, Images, WeightedMasks
from resvision.core.errors import DataError, NonFiniteLossError
from resvision.core.images import VOID
from resvision.kinds.segmentation.scores import SegmentationScores, WorstImage
from resvision.segmentation.scoring import confusion_of, count_all, scores
from resvision.segmentation.segmenter import Segmenter, SegmenterLoss, dice_loss

CLASSES = ("a", "b", "c")


class Pixelwise(nn.Module):
    """A 1x1 convolution, of which the outermost `border` pixels are left out."""

    def __init__(self, border: int = 0) -> None:
        super().__init__()
        self.score = nn.Conv2d(3, len(CLASSES), 1)
        self.border = border

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.score(images)
        return logits[:, :, self.border : logits.shape[2] - self.border, self.border : logits.shape[3] - self.border]


class Sided(Pixelwise):
    """The same, with a side head whose logits are half of its own."""

    auxiliary = ("side",)

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        return self(images), self(images) / 2


def system(net: nn.Module | None = None, **options: Any) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(net or Pixelwise(), mean=(0.5,) * 3, std=(0.25,) * 3, options=SegmenterLoss(**options))


def batch(*, void: bool = True, weighted: bool = False) -> Batch:
    torch.manual_seed(1)
    images = torch.randint(0, 256, (2, 3, 8, 6), dtype=torch.uint8)
    labels = torch.randint(0, 3, (2, 8, 6))
    if void:
        labels[0, :3] = VOID
    targets = WeightedMasks(labels, torch.full(labels.shape, 2.0)) if weighted else labels
    return Batch(Images(images), targets, torch.arange(2))


def test_the_loss_is_torchs_without_void_pixels() -> None:
    each, given = system(), batch()
    expected = F.cross_entropy(each.logits(given.inputs), given.targets, ignore_index=VOID)
    torch.testing.assert_close(each.losses(given).terms["cross_entropy"].mean(), expected)


def test_class_weights_and_smoothing_are_torchs() -> None:
    each, given = system(class_weights="1,2,0.5", label_smoothing=0.1), batch(void=False)
    logits = each.logits(given.inputs)
    weights = torch.tensor([1, 2, 0.5])
    expected = F.cross_entropy(logits, given.targets, weights, label_smoothing=0.1)
    torch.testing.assert_close(each.losses(given).terms["cross_entropy"].mean(), expected)


def test_pixel_weights_multiply_the_loss() -> None:
    plain, weighted = (system().losses(batch(weighted=each)).terms["cross_entropy"].mean() for each in (False, True))
    torch.testing.assert_close(weighted, 2 * plain)


def test_ohem_keeps_the_pixels_with_the_greatest_loss() -> None:
    each, given = system(ohem=0.25), batch()
    losses = F.cross_entropy(each.logits(given.inputs), given.targets, ignore_index=VOID, reduction="none")
    hardest = losses.flatten().sort(descending=True).values[: losses.numel() // 4]
    torch.testing.assert_close(each.losses(given).terms["cross_entropy"].mean(), hardest.mean())


def test_a_batch_of_void_has_no_loss_and_no_gradient() -> None:
    each, given = system(), batch()
    given.targets[:] = VOID
    losses = each.losses(given)
    losses.terms["cross_entropy"].mean().backward()
    assert losses.terms["cross_entropy"].mean() == losses.metrics["error"].mean() == 0
    assert not each.net.score.weight.grad.any()


def test_the_error_is_the_share_of_wrong_pixels() -> None:
    each, given = system(), batch()
    pred, judged = each.predict(given.inputs), given.targets != VOID
    assert pred.dtype == torch.uint8
    expected = (pred[judged] != given.targets[judged]).float().mean()
    torch.testing.assert_close(each.losses(given).metrics["error"].mean(), expected)


def test_a_net_that_gives_the_centre_is_judged_there() -> None:
    given = batch()
    centre = given.targets[:, 2:-2, 2:-2]
    each = system(Pixelwise(border=2))
    expected = F.cross_entropy(each.logits(given.inputs), centre, ignore_index=VOID)
    torch.testing.assert_close(each.losses(given).terms["cross_entropy"].mean(), expected)


def test_side_heads_are_trained_with_their_weight_and_never_predict() -> None:
    each, given = system(Sided(), auxiliary_weight=0.4), batch()
    side = F.cross_entropy(each.logits(given.inputs) / 2, given.targets, ignore_index=VOID)
    losses = each.losses(given)
    torch.testing.assert_close(losses.terms["auxiliary_1"].mean(), 0.4 * side)
    torch.testing.assert_close(each.logits(given.inputs), each.net(each.normalized(given.inputs.images)))


def test_dice_of_a_sure_map_counts_pixels() -> None:
    labels = torch.tensor([[[0, 0, 1, VOID], [1, 1, 1, 1]]])
    pred = torch.tensor([[[0, 1, 1, 0], [1, 1, 1, 0]]])
    logits = 100 * F.one_hot(pred, 3).movedim(-1, 1).float()
    expected = 1 - (2 * 1 / (2 + 2) + 2 * 4 / (5 + 5)) / 2  # class 2 does not occur
    assert dice_loss(logits, labels).item() == pytest.approx(expected)
    assert system(dice_weight=0.5).losses(batch()).terms.keys() == {"cross_entropy", "dice"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ohem": 0.0}, "ohem must be a share above 0"),
        ({"dice_weight": -1.0}, "dice_weight must be a number of at least 0"),
        ({"auxiliary_weight": math.inf}, "auxiliary_weight must be a number"),
        ({"label_smoothing": 1.0}, "label_smoothing must be"),
        ({"class_weights": "1,x"}, "class_weights must be"),
    ],
)
def test_options_that_cannot_work_say_why(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        system(**options)


def of(confusion: list[list[int]]) -> SegmentationScores:
    names = CLASSES[: len(confusion)]
    return SegmentationScores(classes=names, images=1, loss=0.5, confusion=np.array(confusion), worst=())


def test_the_figures_of_a_known_confusion() -> None:
    scored = of([[50, 10], [5, 35]])
    assert scored.pixel_accuracy == pytest.approx(0.85)
    assert scored.mean_accuracy == pytest.approx(0.854167, abs=1e-6)
    assert scored.mean_iou == pytest.approx(0.734615, abs=1e-6)
    assert scored.frequency_weighted_iou == pytest.approx(0.741538, abs=1e-6)


def test_a_class_that_is_nowhere_has_no_part_in_the_means() -> None:
    assert of([[50, 10, 0], [5, 35, 0], [0, 0, 0]]).mean_iou == pytest.approx(of([[50, 10], [5, 35]]).mean_iou)
    assert of([[50, 10, 0], [5, 35, 0], [0, 0, 0]]).to_json()["per_class"][2]["iou"] is None


def test_iou_and_confusion_are_scikit_learns() -> None:
    torch.manual_seed(3)
    labels, pred = torch.randint(0, 3, (40, 30)), torch.randint(0, 3, (40, 30))
    labels[:4] = VOID
    judged = labels != VOID
    confusion = confusion_of(pred, labels, 3).numpy()
    np.testing.assert_array_equal(confusion, confusion_matrix(labels[judged], pred[judged]))
    np.testing.assert_allclose(of(confusion.tolist()).iou, jaccard_score(labels[judged], pred[judged], average=None))


def counted(*given: Batch) -> SegmentationScores:
    each = system()

    def probabilities(pixels: Tensor) -> Tensor:
        return each.net(each.normalized(pixels)).softmax(dim=1)

    found = count_all(probabilities, given, device=torch.device("cpu"))
    return scores(found, classes=CLASSES, source=lambda index: f"image {index}")


def test_scores_add_up_over_batches_and_name_the_worst_image() -> None:
    given = batch()
    singles = [
        Batch(Images(given.inputs.images[i : i + 1]), given.targets[i : i + 1], given.ids[i : i + 1]) for i in (1, 0)
    ]
    whole = counted(given)
    assert counted(*singles).to_json() == whole.to_json()
    logits = system().logits(given.inputs)
    assert whole.loss == pytest.approx(F.cross_entropy(logits, given.targets, ignore_index=VOID).item(), rel=1e-5)
    errors = [
        (logits[i].argmax(0) != given.targets[i])[given.targets[i] != VOID].float().mean().item() for i in range(2)
    ]
    first = int(np.argmax(errors))
    worst = whole.worst[0]
    assert (worst.index, worst.source) == (first, f"image {first}")
    assert worst.pixel_error == pytest.approx(errors[first])


def test_scores_survive_json() -> None:
    scored = counted(batch())
    again = SegmentationScores.from_json(scored.to_json())
    assert again.to_json() == scored.to_json()
    assert all(isinstance(image, WorstImage) for image in again.worst)
    assert scored.figures().keys() == {"loss", "mean_iou", "pixel_accuracy"}
    assert "mean IoU" in scored.summary()


@pytest.mark.parametrize("damage", [{"confusion": [[1]]}, {"loss": -1}, {"worst": [{"index": 0}]}, {"per_class": []}])
def test_damaged_scores_are_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        SegmentationScores.from_json({**counted(batch()).to_json(), **damage})


def test_masks_that_are_void_throughout_cannot_be_scored() -> None:
    given = batch()
    given.targets[:] = VOID
    with pytest.raises(DataError, match="every mask is void"):
        counted(given)


def test_predictions_that_are_not_numbers_are_an_error() -> None:
    with pytest.raises(NonFiniteLossError):
        count_all(lambda pixels: torch.full((2, 3, 8, 6), math.nan), [batch()], device=torch.device("cpu"))
