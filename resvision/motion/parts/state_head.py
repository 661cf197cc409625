"""The nets of MTP and CoverNet: one hidden layer over the features of the raster and what is told beside it.

After Cui et al. 2019, https://arxiv.org/abs/1809.10732, and the devkit of nuScenes.

Glossary
    N windows, D numbers that the last layer gives for each
"""

from typing import Literal, NamedTuple, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.motion.forecaster import ForecastNet, MotionInputs, Reference
from resvision.motion.parts.side_inputs import SideInputs
from resvision.motion.parts.trunk import features, full_precision, trunk

Relu = Literal["hidden", "last", "none"]
"""The place of the head's ReLU: behind the hidden layer; behind the last layer as well, as the devkit of nuScenes has
it in CoverNet; or nowhere, as that devkit has it in MTP, so that the two layers are one linear map."""

HIDDEN = 4096
"""Features of the hidden layer in the paper and in the devkit."""


class Head(NamedTuple):
    """The hidden layer: its features, the place of the ReLU, and the share of features that a step leaves out, 0..1."""

    hidden: int = HIDDEN
    relu: Relu = "hidden"
    dropout: float = 0.0


class StateNet(ForecastNet):
    """The features of a raster beside the state, one hidden layer, and a last one of `outputs` numbers.

    A net makes its two layers by `layers`, under the names that its devkit gives them, and runs through them. Raises
    SettingsError for another place of the ReLU.
    """

    def __init__(
        self, backbone: nn.Module, *, steps: int, modes: int, head: Head, beside: SideInputs, reference: Reference
    ) -> None:
        super().__init__(steps=steps, modes=modes, reference=reference)
        if head.relu not in get_args(Relu):
            raise SettingsError(f"relu {head.relu!r}: choices are {', '.join(get_args(Relu))}")
        self.hidden, self.relu = head.hidden, head.relu
        self.dropout = nn.Dropout(head.dropout)
        self.backbone, self.width = trunk(backbone)
        self.beside = beside

    def layers(self, outputs: int) -> tuple[nn.Linear, nn.Linear]:
        """The hidden and the last layer, new."""
        return nn.Linear(self.width + self.beside.width, self.hidden), nn.Linear(self.hidden, outputs)

    def through(self, hidden: nn.Module, last: nn.Module, images: Tensor, inputs: MotionInputs | None) -> Tensor:
        """The numbers (N, D) of normalized images (N, C, side, side) and what is told, by these two layers."""
        pooled = features(self.backbone, images)
        with full_precision(pooled):
            x = hidden(self.beside(pooled, inputs))
            if self.relu != "none":
                x = F.relu(x)
            out: Tensor = last(self.dropout(x))
        return F.relu(out) if self.relu == "last" else out
