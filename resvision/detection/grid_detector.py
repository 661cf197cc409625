"""The system that YOLOv2 and YOLOv3 both are: each cell of a grid tells a box, an object and a class for each anchor.

Glossary
    N images, M true boxes of an image at most, K classes, a anchors of a cell
    A            places of an image: map by map, row by row, the anchors of a cell together
    P            places that are to find a box
    predictions  (N, A, 5 + K) raw: t_x t_y t_w t_h, the logit of an object, those of the classes
"""

from abc import abstractmethod
from typing import ClassVar, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from resvision.classification.stages import Stages
from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.detection.detector import Candidates, TrueBoxes
from resvision.detection.one_stage import OneStageDetector
from resvision.detection.parts.best_pairs import best_pairs
from resvision.detection.parts.box_coding import clip
from resvision.detection.parts.cell_grids import CellGrids, Cells, Sizes
from resvision.detection.parts.filling import filled_sides, filled_up
from resvision.detection.parts.matching import match, paired_overlaps, stacked
from resvision.detection.parts.owned_places import Owned, owned
from resvision.detection.parts.subnets import per_anchor
from resvision.kinds.detection.suppression import Suppression

CANDIDATES = 1000
"""The most candidates of an image."""

STRIDE = 32
"""Images are filled up with zeros, right and below, to sides that are multiples of it."""


class GridMaps(NamedTuple):
    """The raw maps of a net whose cells tell boxes, (N, a * (5 + K), h, w) each, in the order of the net's cfg.

    The numbers of the first anchor of a cell come first: those of its box, of an object, and of the classes.
    """

    predictions: tuple[Tensor, ...]


class GridNet(nn.Module):
    """A net whose cells tell boxes. Abstract.

    grids  of its results, by the names of the maps of `backbone` that have their size
    """

    backbone: Stages
    grids: CellGrids
    num_classes: int

    @abstractmethod
    def forward(self, images: Tensor) -> GridMaps:
        """The raw maps of normalized images (N, C, H, W)."""

    def encoded(self, images: Tensor) -> dict[str, Tensor]:
        """The maps of the encoder, by name, for images that are filled up, each as many times smaller as its stride.

        Maps of encoders that lose their edges, as AlexNet's do, are interpolated to that size.
        """
        images = filled_up(images, STRIDE)
        height, width = images.shape[2:]
        maps: dict[str, Tensor] = self.backbone(images)
        sizes = {name: (height // stride, width // stride) for name, stride in self.backbone.stride.items()}
        return {
            name: x if x.shape[2:] == sizes[name] else functional.interpolate(x, sizes[name], mode="bilinear")
            for name, x in maps.items()
        }


class Assignment(NamedTuple):
    """What the places of a batch are to learn, by the boxes that they tell now.

    predictions  (N, A, 5 + K) float32
    boxes        (N, A, 4), those that are told, without gradient
    cells        of the places
    owned        the places that are to find a box
    asked        (N, M), the place that is to find each true box, whether or not another has taken it
    is_object    (N, M), flags of the true boxes that are to be found
    background   (N, A), flags of places that no true box takes, and none overlaps as much as the paper ignores
    judged       (N, A), flags of places in no crowd region
    """

    predictions: Tensor
    boxes: Tensor
    cells: Cells
    owned: Owned
    asked: Tensor
    is_object: Tensor
    background: Tensor
    judged: Tensor


class GridLoss(Protocol):
    """The options that the losses of such systems share.

    ignored_iou  the overlap of its box with any true one above which a place is not background
    """

    @property
    def ignored_iou(self) -> float:
        """0..1."""


GridOptions = TypeVar("GridOptions", bound=GridLoss)


class GridDetector(OneStageDetector[GridOptions]):
    """A system of such a net. Abstract.

    Every term is divided by the number of images, as Darknet divides gradients by the batch.
    """

    # As Darknet measures average precision, which keeps any number of boxes; COCO judges 100.
    usual_suppression: ClassVar[Suppression] = Suppression(score=0.005, iou=0.45, most=100)

    net: GridNet
    terms: tuple[str, ...]

    @abstractmethod
    def totals(self, assignment: Assignment, truth: TrueBoxes, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The sum of each of `terms` over the batch, by its name."""

    @abstractmethod
    def class_scores(self, logits: Tensor) -> Tensor:
        """The probabilities of the classes, float32, where there is an object, of their logits, (N, A, K) each."""

    def losses_of(self, maps: GridMaps, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """Compute `terms`; `iou` is the mean overlap of the boxes that are found with those that they are to find."""
        assignment = self.assigned(maps, truth)
        totals = self.totals(assignment, truth, sides)
        weight = self.mean.new_tensor(len(truth.boxes))
        image, place, box = assignment.owned
        overlaps = paired_overlaps(assignment.boxes[image, place], truth.boxes[image, box])
        return Losses(
            terms={name: Term(totals[name], weight) for name in self.terms},
            metrics={"iou": Term(overlaps.sum(), self.mean.new_tensor(len(image)))},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images."""
        return dict.fromkeys(self.terms, self.mean.new_tensor(len(batch.inputs.images)))

    def assigned(self, maps: GridMaps, truth: TrueBoxes) -> Assignment:
        """What each place of a batch is to learn."""
        sizes = self._sizes_of(maps)
        predictions, cells = self._by_place(maps), self.net.grids.cells(sizes, self.mean.device)
        boxes = cells.decode(predictions[..., :4].detach())
        is_object = (truth.labels >= 0) & ~truth.crowd
        asked = self.net.grids.places(truth.boxes, sizes)
        owners = owned(asked, is_object, boxes.shape[1])
        limit = self.options.ignored_iou
        matches = stacked(
            match(some, *image, positive=limit, negative=limit) for some, *image in zip(boxes, *truth, strict=True)
        )
        is_owned = torch.zeros_like(matches.positive)
        is_owned[owners.image, owners.place] = True
        judged = matches.positive | matches.negative | is_owned
        return Assignment(predictions, boxes, cells, owners, asked, is_object, matches.negative & ~is_owned, judged)

    def candidates(self, maps: GridMaps, sides: tuple[int, int]) -> Candidates:
        """The best 1,000 pairs of a place and a class of each image."""
        predictions = self._by_place(maps)
        cells = self.net.grids.cells(self._sizes_of(maps), predictions.device)
        scores = predictions[..., 4:5].sigmoid() * self.class_scores(predictions[..., 5:])
        best, places, labels = best_pairs(scores, CANDIDATES)
        # cut off behind `gather`: OpenVINO moves the cut there, and then asks for indices as wide as the whole
        raw = predictions.gather(1, places[..., None].expand(-1, -1, predictions.shape[2]))[..., :4]
        return Candidates(clip(cells.at(places).decode(raw), sides), best, labels)

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The anchors of an image of these sides, by the name of the map of their size, (h * w * a, 4) pixels."""
        height, width = filled_sides(sides, STRIDE)
        sizes = {name: (height // stride, width // stride) for name, stride in self.net.grids.strides.items()}
        return self.net.grids.anchors(sizes, self.mean.device)

    def _sizes_of(self, maps: GridMaps) -> Sizes:
        results = zip(self.net.grids.shapes, maps.predictions, strict=True)
        return {name: (result.shape[2], result.shape[3]) for name, result in results}

    def _by_place(self, maps: GridMaps) -> Tensor:
        """The predictions of each place, (N, A, 5 + K) float32."""
        values = 5 + self.net.num_classes
        return fp32_or_more(torch.cat([per_anchor(result, values) for result in maps.predictions], dim=1))


def half_squares(differences: Tensor) -> Tensor:
    """Half of each square, whose derivative is the difference: the gradient of the released code."""
    return 0.5 * differences**2


def small_box_weights(boxes: Tensor, sides: tuple[int, int]) -> Tensor:
    """2 - w h of boxes (P, 4), (P,), with width and height as shares of those of an image of these sides."""
    height, width = sides
    return 2 - (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) / (height * width)
