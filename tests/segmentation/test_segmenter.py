"""The losses and probabilities that all segmentation nets share."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import Batch, Images, WeightedMasks
from resvision.core.images import VOID
from resvision.segmentation.segmenter import Segmenter, SegmenterLoss, dice_losses

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


def test_ohem_keeps_the_pixels_of_each_image_with_the_greatest_loss() -> None:
    each, given = system(ohem=0.25), batch()
    losses = F.cross_entropy(each.logits(given.inputs), given.targets, ignore_index=VOID, reduction="none").flatten(1)
    hardest = losses.sort(dim=1, descending=True).values[:, : losses.shape[1] // 4]
    torch.testing.assert_close(each.losses(given).terms["cross_entropy"].mean(), hardest.mean())


def test_ohem_divides_by_the_mean_weight_of_an_image_and_by_no_more_pixels_than_are_judged() -> None:
    labels = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1]], [[1, VOID, VOID, VOID], [VOID] * 4]])
    weight = system(ohem=0.25, class_weights="1,3,1")._weight(labels)
    assert weight == 2 * 2 + 1 * 3  # two of eight pixels at (1 + 3) / 2, and the only one that is judged


def test_a_batch_of_void_has_no_loss_and_no_gradient() -> None:
    each, given = system(), batch()
    given.targets[:] = VOID
    losses = each.losses(given)
    losses.terms["cross_entropy"].mean().backward()
    assert losses.terms["cross_entropy"].mean() == losses.metrics["error"].mean() == 0
    assert not each.net.score.weight.grad.any()


def test_the_error_is_the_share_of_wrong_pixels() -> None:
    each, given = system(), batch()
    probabilities, judged = each.predict(given.inputs), given.targets != VOID
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities, each.logits(given.inputs).softmax(dim=1))
    pred = probabilities.argmax(dim=1)
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
    labels = torch.tensor([[[0, 0, 1, VOID], [1, 1, 1, 1]], [[0, 0, 0, 0], [0, 0, 0, 0]]])
    pred = torch.tensor([[[0, 1, 1, 0], [1, 1, 1, 0]], [[0, 0, 0, 0], [0, 0, 0, 0]]])
    logits = 100 * F.one_hot(pred, 3).movedim(-1, 1).float()
    expected = 1 - (2 * 1 / (2 + 2) + 2 * 4 / (5 + 5)) / 2  # class 2 does not occur
    assert dice_losses(logits, labels).tolist() == pytest.approx([expected, 0])
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
