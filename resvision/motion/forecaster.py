"""What all systems of motion prediction share: their inputs, their targets, their predictions.

Everything a net sees and says is in the agent's frame at the last observed frame: metres, x forward, y left; angles in
radians, counter-clockwise.

Glossary
    N  windows in a batch
    C  channels of a raster
    H  frames of history, so that H + 1 are seen
    M  modes, the trajectories that a net gives for a window
    T  predicted steps
"""

from typing import NamedTuple

from torch import Tensor


class MotionInputs(NamedTuple):
    """The inputs of a net; one that does not look at some of them leaves it.

    images   (N, C, side, side) uint8, the rasters
    state    (N, 3) float32, speed in m/s, acceleration in m/s^2, yaw rate in rad/s; 0 where it is not known
    known    (N, 3) float32, 1 where each of them is known
    past     (N, H + 1, 4) float32, x, y, cosine and sine of the heading, oldest first; 0 where it is not known
    present  (N, H + 1) float32, 1 where the vehicle was seen
    """

    images: Tensor
    state: Tensor
    known: Tensor
    past: Tensor
    present: Tensor


class MotionTargets(NamedTuple):
    """What came true.

    positions  (N, T, 2) float32, 0 where it is not known
    present    (N, T) float32, 1 where it is known
    """

    positions: Tensor
    present: Tensor


class Trajectories(NamedTuple):
    """The predictions of a system, whichever it is: modes in the order of the net, with probabilities that sum to 1.

    positions      (N, M, T, 2) float32
    probabilities  (N, M) float32
    """

    positions: Tensor
    probabilities: Tensor
