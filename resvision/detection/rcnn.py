"""R-CNN: Girshick et al. 2014, https://arxiv.org/abs/1311.2524.

Regions that selective search finds are warped to squares, and each goes through a classification net by itself. That
net is fine-tuned on such squares; then linear SVMs on its last features score them and ridge regression on its last map
moves them, both as linear layers in the state of the net (`scores="svm"`). `resvision.recipes.rcnn` has the stages.

Any convolutional classifier will do. The usual one is `caffenet`, the AlexNet of the paper's code. The SVMs read the
input of the classifier's last linear layer, fc7 there, and the regression the last of its maps, pool5.

Glossary
    R     regions of all images
    S     side of the squares
    D, F  length of the last features, and of the last map, flattened
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from resvision.classification.stages import Staged, stage_modules
from resvision.core.errors import SettingsError
from resvision.detection.parts.classified_regions import ClassifiedRegionNet, RegionFeatures, Scores
from resvision.detection.parts.region_classifier import RegionClassifier
from resvision.detection.parts.sampling import SamplingRules
from resvision.detection.parts.warped_regions import PAPER_CONTEXT_PX, PAPER_SIDE_PX, warped


class RCNN(ClassifiedRegionNet):
    """Warped regions through a classifier: figure 1.

    backbone   a classification net; its last linear layer gives way to `class_layer`
    window_px  side of the squares
    """

    def __init__(
        self, backbone: nn.Module, *, num_classes: int, window_px: int, scores: Scores, proposals: int
    ) -> None:
        last_map = _last_map(backbone)
        backbone.set_submodule(_last_linear(backbone), nn.Identity())
        lengths = _lengths(backbone, last_map, window_px)
        super().__init__(
            last=lengths.last.shape[1],
            pooled=lengths.pooled.shape[1],
            num_classes=num_classes,
            scores=scores,
            proposals=proposals,
        )
        self.backbone = backbone
        self.window_px = window_px
        self.last_map = last_map

    def shared(self, images: Tensor) -> Tensor:
        """The images themselves: regions share nothing."""
        return images

    def features(self, shared: Tensor, image: Tensor, regions: Tensor) -> RegionFeatures:
        """The features of the regions (R, 4) of images (N, C, H, W)."""
        return _with_map(self.backbone, self.last_map, self.windows(shared, image, regions))

    def last_features(self, shared: Tensor, image: Tensor, regions: Tensor) -> Tensor:
        """The features of the last layer alone, (R, D)."""
        last: Tensor = self.backbone(self.windows(shared, image, regions))
        return last

    def windows(self, images: Tensor, image: Tensor, regions: Tensor) -> Tensor:
        """The regions (R, 4) of images (N, C, H, W) as squares (R, C, S, S), their context in proportion to S."""
        context_px = PAPER_CONTEXT_PX * self.window_px / PAPER_SIDE_PX
        return warped(images, image, regions, side_px=self.window_px, context_px=context_px)

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return {f"backbone.{key}": key for key in self.backbone.state_dict()}

    def stage_ends(self) -> dict[str, int]:
        """The maps of the classifier, as it names them."""
        assert isinstance(self.backbone, Staged), "whoever freezes stages asks a net that has some"
        return {f"backbone.{path}": channels for path, channels in self.backbone.stage_ends().items()}


def rcnn(
    backbone: nn.Module,
    *,
    num_classes: int,
    window_px: int = PAPER_SIDE_PX,
    scores: Scores = "softmax",
    proposals: int = 2000,
) -> RCNN:
    """The net over any convolutional classifier, which it changes.

    window_px  side of the squares that regions are warped to, which the classifier takes
    scores     "softmax" for fine-tuning, "svm" for the layers that are fitted afterwards
    proposals  the most regions of an image

    Raises MissingStageError for a classifier without maps, SettingsError for other scores.
    """
    return RCNN(backbone, num_classes=num_classes, window_px=window_px, scores=scores, proposals=proposals)


class RCNNDetector(RegionClassifier):
    """The paper's system: windows are 32 objects and 96 background of 128, from an overlap of 0.5 on and below it."""

    stages: ClassVar[Mapping[str, str]] = {"backbone": "regions"}
    rules: ClassVar[SamplingRules] = SamplingRules(count=128, positive_share=0.25, positive=0.5, negative=0.5)
    net: RCNN


def _last_linear(classifier: nn.Module) -> str:
    """The path of the last linear layer of a classifier; SettingsError where there is none."""
    layers: list[str] = [path for path, module in classifier.named_modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise SettingsError(f"backbone: {type(classifier).__name__} does not end in a linear layer, as classifiers do")
    return layers[-1]


def _last_map(classifier: nn.Module) -> str:
    """The path of the module that gives the last map of a classifier; MissingStageError where it has no maps."""
    *_, last = stage_modules(classifier).values()
    paths: list[str] = [path for path, module in classifier.named_modules() if module is last]
    return paths[0]


def _with_map(classifier: nn.Module, last_map: str, windows: Tensor) -> RegionFeatures:
    """The result of a classifier without its last layer, and its last map."""
    maps: list[Tensor] = []
    kept = classifier.get_submodule(last_map).register_forward_hook(lambda module, given, result: maps.append(result))
    try:
        last = classifier(windows)
    finally:
        kept.remove()
    return RegionFeatures(last, maps[0].flatten(1))


def _lengths(classifier: nn.Module, last_map: str, window_px: int) -> RegionFeatures:
    """The features of two windows on the meta device, where nothing is computed."""
    state: dict[str, Tensor] = {**dict(classifier.named_parameters()), **dict(classifier.named_buffers())}
    on_meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}
    first = next(module for module in classifier.modules() if isinstance(module, nn.Conv2d))
    windows = torch.empty(2, first.in_channels, window_px, window_px, device="meta")
    with_map = _WithMap(classifier, last_map)
    with torch.no_grad():
        lengths: RegionFeatures = functional_call(
            with_map, {f"classifier.{name}": tensor for name, tensor in on_meta.items()}, windows
        )
    return lengths


class _WithMap(nn.Module):
    """A classifier with its last map, as a module that can be called on the meta device."""

    def __init__(self, classifier: nn.Module, last_map: str) -> None:
        super().__init__()
        self.classifier, self.last_map = classifier, last_map

    def forward(self, windows: Tensor) -> RegionFeatures:
        """The features of the windows."""
        return _with_map(self.classifier, self.last_map, windows)
