"""What every detector promises. A test class names a row of the catalog, and inherits the tests:

class TestRetinaNet(DetectorContract):
    name = "retinanet"
    options = {"backbone": "resnet18", "width": 4, "channels": 8}
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from detection.box_scenes import CLASSES, box_reader
from torch import Tensor, nn
from torchvision.ops import box_area

from resvision import catalog
from resvision.contracts import Batch, Images, Losses, split, tensors_of
from resvision.core import references
from resvision.detection.augment import BoxAugment
from resvision.detection.batches import BoxTrainBatches
from resvision.detection.detector import PADDING, Detector, ProposedImages, TrueBoxes
from resvision.detection.parts.suppression import Predictions
from resvision.detection.stage_times import looks_at_regions, stage_times
from resvision.training.machine import Machine

MEAN, STD = (0.3, 0.3, 0.3), (0.25, 0.25, 0.25)


class Prediction(nn.Module):
    """What is exported of a detector; `form` is the type of its inputs."""

    def __init__(self, system: Detector, form: type[Images | ProposedImages]) -> None:
        super().__init__()
        self.system, self.form = system, form

    def forward(self, *inputs: Tensor) -> Predictions:
        return self.system.predict(self.form(*inputs))


class DetectorContract:
    """The tests of one system at narrow width.

    name, options  of its net
    side           of the squares that it is trained on here
    other_sides    height and width of images of another size that it takes
    draws          whether its losses draw at random, so that the gradient of a batch is not that of its parts
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    side: ClassVar[int] = 64
    other_sides: ClassVar[tuple[int, int]] = (70, 90)
    draws: ClassVar[bool] = False

    def system(self) -> Detector:
        torch.manual_seed(0)
        net = catalog.build(self.name, num_classes=len(CLASSES), **self.options)
        built: Detector = references.load(catalog.find(self.name).system, noun="system")(net, mean=MEAN, std=STD)
        return built

    def lively(self) -> Detector:
        """The system in evaluation mode, with statistics of such images."""
        system = self.system()
        for module in system.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # one batch says all
        with torch.no_grad():
            system.maps(self.inputs(self.images(4)))
        return system.eval()

    def inputs(self, images: Tensor) -> Images | ProposedImages:
        """The inputs of the system for images (N, C, H, W) uint8."""
        return Images(images)

    def images(self, count: int, sides: tuple[int, int] | None = None) -> Tensor:
        height, width = sides or (self.side, self.side)
        draws = torch.Generator().manual_seed(count)
        coarse = 255 * torch.rand(count, 3, 5, 5, generator=draws)  # noise is alike for a deep net, whatever it is
        return F.interpolate(coarse, (height, width), mode="bilinear").byte()

    def batch(self, size: int = 4) -> Batch:
        """Images of rectangles with 2, 1, 0 and 3 boxes, in an order that is drawn."""
        reader = box_reader(((20, 20),) * size)
        view = reader.view.sized(self.side)
        return BoxTrainBatches(reader, batch_size=size, seed=0, augment=BoxAugment(), view=view)[0]

    def without_boxes(self) -> Batch:
        batch = self.batch()
        boxes, labels, crowd = batch.targets
        return batch._replace(targets=TrueBoxes(boxes * 0, torch.full_like(labels, PADDING), crowd))

    def with_boxes_of_each_map(self, system: Detector) -> Batch:
        """A batch whose images hold a box like an anchor of each map; only then each map learns of boxes."""
        batch, anchors = self.batch(), system.anchors((self.side, self.side))
        if not anchors:
            return batch
        boxes = torch.stack([self.most_inside(of_map) for of_map in anchors.values()])
        labels = torch.arange(len(boxes)) % len(CLASSES)
        truth = boxes, labels, torch.zeros(len(boxes), dtype=torch.bool)
        images = len(batch.targets.boxes)
        return batch._replace(targets=TrueBoxes(*(torch.stack([member] * images) for member in truth)))

    def most_inside(self, anchors: Tensor) -> Tensor:
        """The part inside the image of the anchor that loses the smallest share to its edges."""
        inside = anchors.clamp(0, self.side)
        return inside[(box_area(inside) / box_area(anchors)).argmax()]

    def test_its_row_names_task_and_paper(self) -> None:
        row = catalog.find(self.name)
        assert row.task == "detection"
        assert row.recipe
        assert "arXiv:" in row.paper

    def test_maps_have_one_form_at_two_sizes_in_both_modes(self) -> None:
        system = self.system()
        with torch.no_grad():
            for sides in ((self.side, self.side), self.other_sides):
                inputs = self.inputs(self.images(2, sides))
                trained, evaluated = system.train().maps(inputs), system.eval().maps(inputs)
                assert type(trained) is type(evaluated)
                assert hasattr(trained, "_fields"), "raw maps are a NamedTuple"
                shapes = [tensor.shape for tensor in tensors_of(trained)]
                assert shapes == [tensor.shape for tensor in tensors_of(evaluated)]
                assert all(len(tensor) == 2 for tensor in tensors_of(evaluated))
                assert all(torch.isfinite(tensor).all() for tensor in tensors_of(evaluated))

    def test_candidates_lie_in_the_image_with_scores_and_labels(self) -> None:
        system = self.lively()
        height, width = self.other_sides
        with torch.no_grad():
            maps = system.maps(self.inputs(self.images(2, self.other_sides)))
            boxes, scores, labels = system.candidates(maps, self.other_sides)
        assert boxes.shape == (*scores.shape, 4) == (*labels.shape, 4)
        assert boxes.dtype == scores.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([width, height, width, height])).all()
        assert (boxes[..., 2:] >= boxes[..., :2]).all()
        assert 0 <= scores.min() <= scores.max() <= 1
        assert sorted(set(labels.flatten().tolist())) == [*range(len(CLASSES))]

    def test_predictions_are_padded_behind_their_count_the_highest_score_first(self) -> None:
        system = self.lively()
        system.suppression = replace(system.suppression, score=0.0, most=7)
        with torch.no_grad():
            boxes, scores, labels, counts = system.predict(self.inputs(self.images(3)))
        assert (boxes.shape, scores.shape, labels.shape, counts.shape) == ((3, 7, 4), (3, 7), (3, 7), (3,))
        assert (counts > 0).all()
        for row, count in enumerate(counts.tolist()):
            assert scores[row].tolist() == sorted(scores[row].tolist(), reverse=True)
            assert not boxes[row, count:].any()
            assert not scores[row, count:].any()

    def test_the_gradient_of_the_losses_reaches_every_parameter(self) -> None:
        system = self.system().train()
        minimised(system.losses(self.with_boxes_of_each_map(system))).backward()
        for name, parameter in system.net.named_parameters():
            assert parameter.grad is not None, name
            assert 0 < parameter.grad.abs().max().item() < math.inf, name

    def test_the_loss_of_one_batch_falls(self) -> None:
        system, batch = self.system().train(), self.batch()
        optimizer = torch.optim.AdamW(system.net.parameters(), lr=0.002)
        losses = []
        for _ in range(10):
            loss = minimised(system.losses(batch))
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(system.net.parameters(), 10.0)
            optimizer.step()
        assert np.mean(losses[-2:]) < 0.8 * losses[0]

    @pytest.mark.parametrize("with_boxes", [True, False], ids=["some images with boxes", "no image with boxes"])
    def test_images_without_boxes_give_finite_losses_and_gradients(self, with_boxes: bool) -> None:
        system = self.system().train()
        batch = self.batch() if with_boxes else self.without_boxes()
        assert (batch.targets.labels >= 0).any(dim=1).sum() == (3 if with_boxes else 0)
        losses = system.losses(batch)
        minimised(losses).backward()
        for term in losses.terms.values():
            assert torch.isfinite(term.total)
            assert torch.isfinite(term.weight)
            assert term.weight >= 0
        for name, parameter in system.net.named_parameters():
            assert parameter.grad is not None, f"{name}: several processes would not share its gradient"
            assert torch.isfinite(parameter.grad).all(), name
        assert any(parameter.grad.any() for parameter in system.net.parameters()), (
            "an image without boxes teaches what background is"
        )

    def test_nothing_is_learned_where_a_crowd_lies(self) -> None:
        system, batch = self.system().train(), self.batch()
        boxes, labels, crowd = (torch.zeros_like(member) for member in batch.targets)
        labels[:, 1:], crowd[:, 0] = PADDING, True
        boxes[:, 0] = torch.tensor([-1e4, -1e4, 1e4, 1e4])
        for name, term in system.losses(batch._replace(targets=TrueBoxes(boxes, labels, crowd))).terms.items():
            assert term.total == 0, name

    def test_only_the_place_of_a_box_counts_and_not_how_far_it_is_padded(self) -> None:
        system, batch = self.system().eval(), self.batch()
        more = batch._replace(targets=widened(batch.targets, 16))
        with torch.no_grad():
            for term, other in zip(terms_of(system, batch).values(), terms_of(system, more).values(), strict=True):
                torch.testing.assert_close(other, term)

    @pytest.mark.usefixtures("float64")
    def test_the_parts_of_a_batch_give_the_gradient_of_the_whole(self) -> None:
        system, batch = self.system().eval(), self.batch()
        whole = system.weights(batch)
        parts = split(batch, 2)
        for name, weight in whole.items():
            torch.testing.assert_close(sum(system.weights(part)[name] for part in parts), weight)
        if self.draws:
            return
        assert whole, "weights that follow from the targets alone are named"
        gradients = []
        for cut in ([batch], parts):
            system.zero_grad()
            for part in cut:
                terms = system.losses(part).terms
                sum(terms[name].total / whole[name] for name in whole).backward()
            # A parameter of which no such term hears has no gradient.
            gradients.append([p.grad.clone() for p in system.net.parameters() if p.grad is not None])
        for together, apart in zip(*gradients, strict=True):
            torch.testing.assert_close(apart, together, rtol=1e-7, atol=1e-10 * float(together.abs().max()) + 1e-14)

    def test_the_weights_named_beforehand_are_those_of_the_losses(self) -> None:
        system, batch = self.system().train(), self.batch()
        terms = system.losses(batch).terms
        for name, weight in system.weights(batch).items():
            torch.testing.assert_close(terms[name].weight.to(weight.dtype), weight)

    def test_losses_are_of_full_precision_below_autocast(self) -> None:
        system, batch = self.system().train(), self.batch()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = system.losses(batch)
            predicted = system.eval().predict(batch.inputs)
        for term in losses.terms.values():
            assert term.total.dtype is torch.float32
            assert torch.isfinite(term.total)
        assert predicted.boxes.dtype is predicted.scores.dtype is torch.float32

    def test_the_state_round_trips(self) -> None:
        system = self.lively()
        with torch.device("meta"):
            again = self.system()
        again = again.to_empty(device="cpu")
        again.net.load_state_dict(system.net.state_dict(), strict=True)
        inputs = self.inputs(self.images(1))
        with torch.no_grad():
            expected = tensors_of(system.maps(inputs))
            system.net = again.net.eval()  # `mean` and `std` are no state of a net
            for one, other in zip(tensors_of(system.maps(inputs)), expected, strict=True):
                assert torch.equal(one, other)

    def test_anchors_lie_where_the_maps_say_and_are_matched_by_boxes_like_them(self) -> None:
        system = self.system().eval()
        sides = (self.side, self.side)
        anchors = system.anchors(sides)
        for name, boxes in anchors.items():
            assert boxes.dtype is torch.float32, name
            assert boxes.shape[1:] == (4,), name
            assert (boxes[:, 2:] > boxes[:, :2]).all(), name
        if anchors:
            every = torch.cat([*anchors.values()])
            inside = every[(every[:, :2] >= 0).all(dim=1) & (every[:, 2:] <= self.side).all(dim=1)]
            assert len(inside), "an image of this side shows whole anchors"
            assert not system.unmatched(inside[:: max(1, len(inside) // 50)], sides).any()
        beyond = torch.tensor([[10.0, 10.0, 10.01, 10.01], [9e4, 9e4, 9e4 + 5, 9e4 + 5]])
        assert system.unmatched(beyond, sides).shape == (2,)
        assert system.unmatched(beyond[:0], sides).shape == (0,)

    @pytest.mark.filterwarnings("ignore:`create_unbacked_symint` is deprecated:FutureWarning")  # torchvision's own
    def test_predict_exports_as_one_graph_also_for_images_in_which_nothing_is_found(self) -> None:
        system = self.lively()
        inputs = self.inputs(self.images(6))

        def one(place: Tensor) -> Images | ProposedImages:
            return type(inputs)(*(member[place][None] for member in inputs))

        with torch.no_grad():
            system.suppression = replace(system.suppression, score=0.0)
            best = system.predict(inputs).scores[:, 0].sort()
            between = float((best.values[0] + best.values[-1]) / 2)
            assert best.values[0] < between < best.values[-1], "images differ"
            system.suppression = replace(system.suppression, score=between)
            example = tuple(one(torch.tensor(0)))
            exported = torch.export.export(Prediction(system, type(inputs)), example).module()
            for place, found in ((best.indices[0], False), (best.indices[-1], True)):
                expected = system.predict(one(place))
                assert bool(expected.counts[0]) is found
                torch.testing.assert_close(tuple(exported(*one(place))), tuple(expected), rtol=1e-4, atol=1e-3)

    def test_the_stages_of_a_system_are_modules_that_its_prediction_goes_through(self) -> None:
        system = self.system()
        images = Images(torch.randint(256, (1, 3, self.side, self.side), dtype=torch.uint8))
        times = stage_times(system, images, Machine(precision="fp32", device="cpu"))
        assert {*times.seconds} == {*system.stages.values(), "suppression"}
        assert all(seconds >= 0 for seconds in times.seconds.values())
        assert (times.proposals is not None) == looks_at_regions(system)


def minimised(losses: Losses) -> Tensor:
    """What a step minimises of one batch."""
    return torch.stack([term.mean() for term in losses.terms.values()]).sum()


def terms_of(system: Detector, batch: Batch) -> dict[str, Tensor]:
    torch.manual_seed(0)  # where losses draw
    return {name: term.mean() for name, term in system.losses(batch).terms.items()}


def widened(targets: TrueBoxes, places: int) -> TrueBoxes:
    """The same boxes in more places."""
    more = places - targets.labels.shape[1]
    pad = nn.functional.pad
    return TrueBoxes(
        pad(targets.boxes, (0, 0, 0, more)),
        pad(targets.labels, (0, more), value=PADDING),
        pad(targets.crowd, (0, more)),
    )
