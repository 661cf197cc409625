"""Samples of anchors and regions: their numbers, their shares, and what is never drawn."""

import torch
from torch import Tensor

from resvision.detection.parts import sampling
from resvision.detection.parts.sampling import Sample, SamplingRules, draw

ANCHORS = SamplingRules(count=256, positive_share=0.5, positive=0.7, negative=0.3, low_quality=True)
REGIONS = SamplingRules(count=128, positive_share=0.25, positive=0.5, negative=0.5, lowest_negative=0.1)


def flags(positives: int, negatives: int, ignored: int) -> tuple[Tensor, Tensor]:
    kinds = torch.tensor([1] * positives + [2] * negatives + [0] * ignored)[
        torch.randperm(positives + negatives + ignored)
    ]
    return kinds == 1, kinds == 2


def sample(positive: Tensor, negative: Tensor, rules: SamplingRules) -> Sample:
    return sampling.sample(positive, negative, torch.rand(len(positive)), rules)


def test_half_of_the_anchors_and_a_quarter_of_the_regions_are_positive_at_most() -> None:
    positive, negative = flags(400, 3000, 500)
    for rules, most in ((ANCHORS, 128), (REGIONS, 32)):
        places, is_positive, counted = sample(positive, negative, rules)
        assert is_positive.sum() == most
        assert counted.sum() == rules.count
        assert torch.equal(is_positive, positive[places])
        assert not (is_positive & negative[places]).any()
        assert len(places.unique()) == rules.count


def test_negatives_fill_the_places_of_missing_positives_but_not_the_other_way_round() -> None:
    places, is_positive, counted = sample(*flags(5, 3000, 0), ANCHORS)
    assert (is_positive.sum(), counted.sum()) == (5, 256)
    places, is_positive, counted = sample(*flags(400, 10, 0), ANCHORS)
    assert (is_positive.sum(), counted.sum(), len(places)) == (128, 138, 256)
    places, is_positive, counted = sample(*flags(0, 0, 40), ANCHORS)
    assert not is_positive.any()
    assert not counted.any()
    assert len(places) == 40


def test_a_seed_fixes_the_draw_and_every_positive_is_drawn_at_times() -> None:
    positive, negative = flags(200, 500, 0)
    torch.manual_seed(3)
    first = sample(positive, negative, ANCHORS)
    again = sample(positive, negative, ANCHORS)
    torch.manual_seed(3)
    assert torch.equal(sample(positive, negative, ANCHORS).places, first.places)
    assert not torch.equal(again.places, first.places)
    seen = torch.zeros(700)
    for _ in range(60):
        seen[sample(positive, negative, ANCHORS).places] += 1
    assert (seen > 0).all()


def test_a_hand_made_image() -> None:
    references = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 3], [0, 0, 10, 0.5], [20, 20, 40, 40]])
    boxes = torch.tensor([[[0.0, 0, 10, 10], [20, 20, 42, 40]]])
    usable = torch.tensor([[True, True, True, True, False]])
    labels, crowd = torch.tensor([[4, 2]]), torch.tensor([[False, False]])
    drawn = draw(references[None], usable, boxes, labels, crowd, REGIONS)
    by_place = dict(zip(drawn.places[0].tolist(), drawn.labels[0].tolist(), strict=True))
    counted = dict(zip(drawn.places[0].tolist(), drawn.counted[0].tolist(), strict=True))
    assert by_place == {0: 5, 1: 5, 2: 0, 3: 0, 4: 0}
    assert counted == {0: True, 1: True, 2: True, 3: False, 4: False}  # .05 is below .1, and the last is not usable
    assert torch.equal(drawn.references[0], references[drawn.places[0]])
    assert torch.equal(drawn.boxes[0][drawn.labels[0] > 0], boxes[0, :1].expand(2, 4))


def test_places_without_a_reference_at_the_end_change_no_draw() -> None:
    references, everywhere = torch.rand(2, 900, 4).cumsum(-1), torch.ones(2, 900, dtype=torch.bool)
    none = torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool)
    torch.manual_seed(1)
    few = draw(references, everywhere, *none, ANCHORS)
    torch.manual_seed(1)
    more = torch.cat([references, references], dim=1), torch.cat([everywhere, ~everywhere], dim=1)
    assert torch.equal(draw(*more, *none, ANCHORS).places, few.places)


def test_anchors_that_lie_mostly_in_a_crowd_are_not_drawn() -> None:
    references = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 30], [60, 60, 70, 70]]])
    everywhere, boxes = torch.ones(1, 3, dtype=torch.bool), torch.tensor([[[0.0, 0, 12, 12]]])
    drawn = draw(references, everywhere, boxes, torch.tensor([[1]]), torch.tensor([[True]]), ANCHORS)
    assert sorted(drawn.places[drawn.counted].tolist()) == [1, 2]
    assert not drawn.labels.any()


def test_images_without_boxes_give_background_alone() -> None:
    references, everywhere = torch.rand(2, 300, 4).cumsum(-1), torch.ones(2, 300, dtype=torch.bool)
    none = torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool)
    drawn = draw(references, everywhere, *none, ANCHORS)
    assert drawn.counted.all()
    assert not drawn.labels.any()
