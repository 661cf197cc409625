"""Learning rate schedules as functions of progress: step / steps, from 0 up to but without 1.

Every schedule gives a factor of the peak learning rate, so a run may be cut into more or fewer steps and
its curve keeps its shape.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Progress = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The settings of the schedule; each kind reads the fields that it names.

    kind           constant | step (milestones, gamma) | cosine | one-cycle (warmup as its rise) | poly (power)
    warmup         share of the run before the schedule proper; during it the factor starts at `warmup_factor`
    warmup_factor  factor of the learning rate at the start of the warmup
    warmup_shape   linear: rises evenly to 1; constant: stays at `warmup_factor`, then jumps to 1
    milestones     progress at which the factor is multiplied by gamma
    gamma          factor at each milestone, for step
    power          exponent of (1 - progress), for poly (0.9 in DeepLab and PSPNet)
    final_factor   the factor at which cosine, one-cycle and poly end
    """

    kind: Literal["constant", "step", "cosine", "one-cycle", "poly"] = "constant"
    warmup: Progress = 0.0
    warmup_factor: Progress = 0.0
    warmup_shape: Literal["linear", "constant"] = "linear"
    milestones: tuple[Progress, ...] = ()
    gamma: Progress = 0.1
    power: Annotated[float, Meta(gt=0)] = 0.9
    final_factor: Progress = 0.0

    def __post_init__(self) -> None:
        if self.kind == "step" and not self.milestones:
            raise ValueError("a step schedule needs milestones, shares of the run such as 0.5,0.75")
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError("milestones must rise")
        if self.warmup >= 1:
            raise ValueError("warmup must be below 1, it is a share of the run")

    def factor(self, progress: float) -> float:
        """The factor of the peak learning rate at `progress`, 0 <= progress < 1."""
        if progress < self.warmup:
            risen = progress / self.warmup if self.warmup_shape == "linear" else 0.0
            return self.warmup_factor + (1 - self.warmup_factor) * risen
        if self.kind == "constant":
            return 1.0
        if self.kind == "step":  # milestones count from the start of the run, as the papers' iterations do
            return self.gamma ** sum(progress >= milestone for milestone in self.milestones)
        share = (progress - self.warmup) / (1 - self.warmup)
        fall = {
            "cosine": (1 + math.cos(math.pi * share)) / 2,
            "one-cycle": 1 - share,
            "poly": (1 - share) ** self.power,
        }[self.kind]
        return self.final_factor + (1 - self.final_factor) * float(fall)
