"""Vector: a residual perceptron over the past of a vehicle, which sees no raster: the measure of what a raster buys.

Not in a paper. Blocks are those of `classification.mlp`, after He et al. 2015, https://arxiv.org/abs/1512.03385; the
loss is that of MTP.

Glossary
    N windows, F seen frames, M modes, T steps
    out  (N, M (2 T + 1)): for each mode x and y of each step in turn, then the logits
"""

from typing import ClassVar, get_args

from torch import Tensor, nn

from resvision.classification.mlp import LinearBlock, MlpShortcut
from resvision.contracts import fp32_or_more
from resvision.core.errors import SettingsError
from resvision.layers.depths import repeats
from resvision.layers.init import he_initialize
from resvision.motion.forecaster import ForecastNet, MotionInputs, Reference
from resvision.motion.parts.side_inputs import past_vector, past_width
from resvision.motion.parts.trunk import full_precision


class Vector(ForecastNet):
    """Past and state as one vector, a first linear layer, blocks of two, one linear layer."""

    sees_rasters: ClassVar[bool] = False

    def __init__(
        self,
        *,
        frames: int,
        steps: int,
        modes: int,
        width: int,
        depth: int,
        shortcut: MlpShortcut,
        reference: Reference,
    ) -> None:
        super().__init__(steps=steps, modes=modes, reference=reference)
        self.frames, self.shortcut = frames, shortcut
        blocks = repeats(depth, per_step=2, kind="a perceptron of two-layer blocks")
        self.fc1 = nn.Linear(past_width(frames), width, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.relu = nn.ReLU(inplace=True)
        self.blocks = nn.Sequential(*(LinearBlock(width, shortcut=shortcut) for _ in range(blocks)))
        self.fc = nn.Linear(width, modes * (2 * steps + 1))
        he_initialize(self)

    def forward(self, images: Tensor, inputs: MotionInputs | None = None) -> Tensor:
        """Trajectories and logits, as `out` in the glossary; of the images the number alone counts."""
        known = self._vector(images, inputs)
        with full_precision(known):
            x = self.relu(self.bn1(self.fc1(known)))
            x = self.blocks(x)
            out: Tensor = self.fc(x)
        return out

    def _vector(self, images: Tensor, inputs: MotionInputs | None) -> Tensor:
        """Everything that is known of the windows beside rasters, (N, 5 F + 6); zeros without inputs."""
        if inputs is None:
            return fp32_or_more(images.new_zeros(images.shape[0], self.fc1.in_features))
        return past_vector(inputs)


def vector(
    *,
    frames: int = 21,
    steps: int = 12,
    modes: int = 1,
    width: int = 128,
    depth: int = 8,
    shortcut: MlpShortcut = "identity",
    reference: Reference = "agent",
) -> Vector:
    """The perceptron for windows with so many seen frames.

    frames     seen frames, the last observed one among them
    steps      positions of a trajectory
    modes      trajectories
    width      features of each layer
    depth      number of layers, 2n + 2 of n blocks
    shortcut   identity, or none for a plain net
    reference  where positions are said from: `agent`, or `constant-velocity`

    Raises SettingsError for another depth, shortcut or reference.
    """
    if shortcut not in get_args(MlpShortcut):
        raise SettingsError(f"shortcut {shortcut!r}: choices are {', '.join(get_args(MlpShortcut))}")
    return Vector(
        frames=frames,
        steps=steps,
        modes=modes,
        width=width,
        depth=depth,
        shortcut=shortcut,
        reference=reference,
    )
