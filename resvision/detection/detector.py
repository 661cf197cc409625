"""The system that every detector is: raw maps of a net to boxes, suppressed and padded, in tensor operations alone.

Glossary
    N images, K classes without the background, M true boxes of an image at most, D detections of an image at most
    B        candidates of an image, of every image the same number
    boxes    x1 y1 x2 y2, float32, in continuous pixels of the view
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from resvision.contracts import Images, PixelSystem
from resvision.core.samples import Reader
from resvision.detection.parts.encoder import map_sizes
from resvision.detection.parts.suppression import Predictions, suppress
from resvision.detection.proposing import Regions, SearchedRegions
from resvision.kinds.detection.boxes import BoxTargets
from resvision.kinds.detection.suppression import Suppression

PADDING = -1
"""The label of a place among the targets that holds no box."""


class TrueBoxes(NamedTuple):
    """The targets of a batch, padded to one number of boxes.

    boxes   (N, M, 4) float32, zeros where there is none
    labels  (N, M) int64, 0..K-1, PADDING where there is none
    crowd   (N, M) bool, regions from which nothing is learned
    """

    boxes: Tensor
    labels: Tensor
    crowd: Tensor


class ProposedImages(NamedTuple):
    """The inputs of a net that looks at given regions.

    images     (N, C, H, W) uint8
    proposals  (N, P, 4) float32, regions that may hold an object, of whatever class; zeros where there is none
    """

    images: Tensor
    proposals: Tensor


def given_proposals(inputs: Images | ProposedImages) -> Tensor | None:
    """The regions that come with images, (N, P, 4); None where none are given."""
    return inputs.proposals if isinstance(inputs, ProposedImages) else None


def whole_images(images: Tensor) -> Tensor:
    """The whole of each image (N, C, H, W) as its only region, (N, 1, 4)."""
    height, width = images.shape[2:]
    whole = torch.tensor([0.0, 0.0, width, height], device=images.device)
    return whole.expand(len(images), 1, 4)


def is_region(proposals: Tensor) -> Tensor:
    """Whether each place of (..., P, 4) holds a region, (..., P) bool; one without area is none."""
    return (proposals[..., 2:] > proposals[..., :2]).all(dim=-1)


class Candidates(NamedTuple):
    """The boxes that a net proposes for each image, before suppression.

    boxes   (N, B, 4), clipped to the image
    scores  (N, B), 0..1
    labels  (N, B) int64
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class Detector(PixelSystem):
    """A net with its losses, and the way from its raw maps to boxes. Abstract.

    net          `forward(images)` takes normalized images (N, C, H, W) and gives its raw maps in one fixed NamedTuple
    suppression  how candidates become predictions; those of the paper, until `task` replaces it
    stages       the stage of prediction that begins where each of these modules of `net` does: `maps` of the whole
                 image, `proposals` made of them, `regions` that are looked at one by one, `heads` at every position.
                 What comes before the first module belongs to its stage; `stage_times` measures them
    """

    suppression: Suppression
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "head": "heads"}

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], suppression: Suppression
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        self.suppression = suppression
        self._map_sizes: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}

    @abstractmethod
    def candidates(self, maps: Any, sides: tuple[int, int]) -> Candidates:
        """The candidates of each image in raw maps of `net`, float32; `sides` are height and width of the images."""

    def maps(self, inputs: Images | ProposedImages) -> Any:
        """The raw maps that the net gives for uint8 images."""
        return self.net(self.normalized(inputs.images))

    def decoded(self, maps: Any, sides: tuple[int, int]) -> Predictions:
        """The detections in raw maps, padded to `suppression.most` with a count; `sides` as for `candidates`."""
        return suppress(*self.candidates(maps, sides), self.suppression)

    def map_sizes(self, sides: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """Height and width of the maps of the net's `backbone`, by name, for images of these sides; it does not run."""
        if sides not in self._map_sizes:
            self._map_sizes[sides] = map_sizes(self.net.get_submodule("backbone"), (self.mean.shape[1], *sides))
        return self._map_sizes[sides]

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The anchors or priors of an image of these sides, height and width, by the name of their map.

        (A, 4) float32 pixels each, on the net's device; {} for a net that has none.
        """
        return {}

    def unmatched(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Flags of the true boxes (M, 4), each taken as alone, that no anchor would be trained to find, (M,) bool."""
        return boxes.new_zeros(len(boxes), dtype=torch.bool)

    def hidden(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Flags of the true boxes of one image (M, 4) that are not learned since another has their place, (M,) bool."""
        return boxes.new_zeros(len(boxes), dtype=torch.bool)

    def measure(self, reader: Reader[BoxTargets]) -> None:
        """Set the buffers of a new net that are measured on its training data, before the first step."""

    def predict(self, inputs: Images | ProposedImages) -> Predictions:
        """The detections of each image, padded to `suppression.most` with a count."""
        height, width = inputs.images.shape[2:]
        return self.decoded(self.maps(inputs), (height, width))


class RegionNet(nn.Module):
    """A net that looks at given regions. Abstract.

    most_proposals  the number of regions of each image, those of highest rank where more are given
    """

    most_proposals: int

    @abstractmethod
    def forward(self, images: Tensor, proposals: Tensor | None = None) -> Any:
        """The raw maps of normalized images (N, C, H, W) and their proposals (N, P, 4), in a NamedTuple with these.

        Without proposals the whole image is the only one.
        """


class ProposingNet(nn.Module):
    """A net that proposes regions itself, and that can be trained on given ones in their place. Abstract.

    most_proposals  the number of given regions of an image, those of highest rank where more are given
    """

    most_proposals: int

    @abstractmethod
    def proposed(self, images: Tensor, *, to_train: bool, before: int | None = None) -> Tensor:
        """The regions that it proposes in normalized images (N, C, H, W), best first, (N, P, 4); zeros for none.

        to_train  give as many as it learns from, which are more than it looks at in prediction
        before    the most boxes of a map of which those that overlap a better one are left out; None: the net's own
        """


class RegionDetector(Detector):
    """A detector whose net looks at given regions. Abstract.

    Inputs are ProposedImages. The task brings the regions: those of the file that a person names, or else those that
    `proposing` searches for.
    """

    net: RegionNet
    regions: Regions = SearchedRegions()

    def maps(self, inputs: Images | ProposedImages) -> Any:
        """The raw maps that the net gives for uint8 images and their proposals."""
        return self.net(self.normalized(inputs.images), given_proposals(inputs))
