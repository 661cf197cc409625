"""The prediction for one vehicle at one moment, as `predict`, a bundle and a server give it back.

Glossary
    M  modes
    T  predicted steps
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core import notebooks
from resvision.core.results import SHOWN
from resvision.core.terminal import visible
from resvision.geometry.frames import world_from_agent
from resvision.kinds.motion.baselines import step_times
from resvision.kinds.motion.metrics import by_probability
from resvision.kinds.motion.windows import Window

Floats = NDArray[np.float64]


class RawTrajectories(NamedTuple):
    """A system's answer for one window, in the agent's frame: metres, x forward, y left.

    positions      (M, T, 2)
    probabilities  (M,)
    """

    positions: NDArray[np.floating]
    probabilities: NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """The predicted trajectories of one vehicle, the most probable first, in the frame of the world.

    source         the file of the recording
    scenario, vehicle, frame  the window: a name, a name, and the last observed frame
    times          (T,) seconds after that frame
    positions      (M, T, 2) metres, in the frame that the recording uses
    probabilities  (M,) 0..1
    asked          the window itself, from which pictures are drawn; None where only its name is known
    """

    source: str
    scenario: str
    vehicle: str
    frame: int
    times: Floats
    positions: Floats
    probabilities: Floats
    asked: Window | None = None

    @property
    def window(self) -> str:
        """The window by name, `scenario:vehicle@frame`."""
        return f"{self.scenario}:{self.vehicle}@{self.frame}"

    def best(self, count: int | None) -> "Motion":
        """The result cut to its `count` most probable trajectories; None keeps all."""
        return replace(self, positions=self.positions[:count], probabilities=self.probabilities[:count])

    def __repr__(self) -> str:
        return visible(f"Motion({self.window}: {self.in_words()})")

    def _repr_html_(self) -> str:
        rows = [
            (mode, float(probability), *(f"{x:.2f}" for x in path[-1]))
            for mode, (path, probability) in enumerate(zip(self.positions, self.probabilities, strict=True), start=1)
        ]
        columns = ("mode", "probability", "last x, m", "last y, m")
        return notebooks.table(f"{self.window}, after {self.times[-1]:g} s", columns, rows)

    def in_words(self) -> str:
        """`after 3 s at x 12.3 m, y 4.5 m (62.0%), ...`: the ends of the most probable trajectories."""
        ends = [
            f"x {path[-1, 0]:.1f} m, y {path[-1, 1]:.1f} m ({probability:.1%})"
            for path, probability in zip(self.positions[:SHOWN], self.probabilities[:SHOWN], strict=True)
        ]
        rest = f", ... {len(self.positions)} in all" if len(self.positions) > SHOWN else ""
        return f"after {self.times[-1]:g} s at {'; '.join(ends)}{rest}"

    def to_json(self) -> dict[str, Any]:
        """Plain data: times in seconds, positions in metres of the world to a millimetre."""
        paths = zip(self.probabilities.tolist(), np.round(self.positions, 3).tolist(), strict=True)
        return {
            "source": self.source,
            "scenario": self.scenario,
            "vehicle": self.vehicle,
            "frame": self.frame,
            "times_s": np.round(self.times, 6).tolist(),
            "modes": [{"probability": probability, "positions_m": path} for probability, path in paths],
        }


def motion_of(window: Window, raw: RawTrajectories) -> Motion:
    """The result for a window: its trajectories in the frame of the world, the most probable first."""
    order = by_probability(raw.probabilities[None])[0]
    return Motion(
        source=window.scene.source,
        scenario=window.scene.name,
        vehicle=window.scene.vehicles[window.vehicle],
        frame=window.frame,
        times=step_times(window),
        positions=world_from_agent(raw.positions[order], window.pose()),
        probabilities=raw.probabilities[order].astype(float),
        asked=window,
    )
