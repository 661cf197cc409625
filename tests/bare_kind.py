"""A task of a user's own whose targets are angles: no classes, no confusion, no examples; the error is in degrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

from resvision.core.views import Geometry
from resvision.kinds.kind import Column, Curve, Kind, Table


@dataclass(frozen=True)
class AngleScores:
    images: int
    loss: float
    error_deg: float
    classes: tuple[str, ...] = ()

    def figures(self) -> dict[str, float]:
        return {"loss": self.loss, "error_deg": self.error_deg}

    def summary(self) -> str:
        return f"{self.error_deg:.1f} degrees off"

    def to_json(self) -> dict[str, Any]:
        return {"images": self.images, "loss": self.loss, "error_deg": self.error_deg}


@dataclass(frozen=True)
class Angle:
    source: str
    deg: float

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "deg": self.deg}


class Angles(Kind[AngleScores, Angle, float]):
    name = "angles"
    judged_by = ("error_deg",)
    figures = ("loss", "error_deg")
    columns = (
        Column("train error, °", "training", "off_deg", "lower", "figure"),
        Column("best validation error, °", "validation", "error_deg", "lower", "figure"),
        Column("error, °", "test", "error_deg", "lower", "figure"),
    )
    curves = (Curve("angular error", "falling", lambda figures: figures["error_deg"], trained="off_deg", unit="°"),)
    footnote = "Angles are between what is seen and what is said."
    compared = {"error_deg": "error, °"}  # noqa: RUF012 - as a user would write it
    protocols = ()

    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        return "" if isinstance(target, float) else "no angle"

    def decode(self, raw: NDArray[Any], geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> Angle:
        return Angle(source, float(raw))

    def read_scores(self, data: Any) -> AngleScores:
        return AngleScores(**data)

    def write(self, name: str, value: float) -> str:
        return f"{value:.1f}°" if name == "error_deg" else super().write(name, value)

    def sentence(self, scores: AngleScores, data: str) -> str:
        return f"is {scores.error_deg:.1f}° off on {scores.images} test images{data}"

    def lines(self, scores: AngleScores) -> list[tuple[str, str]]:
        return [("error", f"{scores.error_deg:.1f}°")]

    def tables(self, scores: AngleScores) -> list[Table]:
        return []

    def line(self, result: Angle, *, top: int | None = None) -> str:
        return f"{result.source}: {result.deg:.1f}°"


TASK = SimpleNamespace(kind=Angles())
