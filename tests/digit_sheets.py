"""A task from outside the package whose files are no images: a sheet, `.npz`, of several turned digits.

A sheet itself lies turned, by its number `turn`, and results are angles in the frame of the table that it lies on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from digit_angle import Angle, Angles, AngleScores, AngleTask, TurnedDigits
from digit_angle import short as short_angles
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels
from resvision.core.samples import Sample
from resvision.core.view_geometry import Geometry
from resvision.data.splits import Splits
from resvision.kinds.kind import Example, Exhibit, Panel
from resvision.run import Run
from resvision.tasks import Model, SampleFile, Seen

TURN = "turn"
"""The number of a sheet that says how it lies, in degrees; every other array of it is a digit."""
LYING_DEG = 90.0
"""The turn of the sheets that the data set was cut from."""


@dataclass(frozen=True)
class OnSheet(Geometry):
    """The place of a digit's view in its image, and of its sheet on the table."""

    turn_deg: float = field(kw_only=True)


class Sheets(Angles):
    name = "sheets"
    options: ClassVar[frozenset[str]] = frozenset({"csv", "out", "only"})
    sample_noun = "digit"
    predicts_examples = True

    def decode(self, raw: NDArray[Any], geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> Angle:
        assert isinstance(geometry, OnSheet)
        return Angle(source, float(raw) + geometry.turn_deg)

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        return (out / f"{source.stem}.txt",)

    def contents(self, result: Angle, image: Pixels) -> Iterator[bytes]:
        yield f"{result.deg:.3f} {image.shape}".encode()

    def worst(self, scores: AngleScores) -> list[Example]:
        return [Example(0, "digit_sheets:sheets/test[0]")]

    def exhibit(self, scores: AngleScores, rank: int, image: Pixels, target: float, result: Angle | None) -> Exhibit:
        assert result is not None
        return Exhibit("sheet", "the first", f"lies at {result.deg:.3f}", (Panel("", Image.fromarray(image)),))


class Sheet(SampleFile):
    """One opened sheet."""

    def __init__(self, model: Model, file: Path) -> None:
        try:
            with np.load(file) as arrays:
                self._digits = {name: arrays[name] for name in arrays if name != TURN}
                self._turn_deg = float(arrays[TURN])
        except (OSError, ValueError, KeyError):
            raise DataError(f"{printable(file)}: no sheet of digits") from None
        self._model = model

    @property
    def names(self) -> Sequence[str]:
        return [*self._digits]

    @property
    def usual(self) -> Sequence[str]:
        return [name for name in self._digits if not name.startswith("draft")]

    def seen(self, name: str) -> Seen:
        return seen_on_sheet(self._model, self._digits[name], name, self._turn_deg)


def seen_on_sheet(model: Model, image: Pixels, name: str, turn_deg: float) -> Seen:
    pixels, geometry = model.view.show(image, name=name)
    return Seen(pixels, OnSheet(**vars(geometry), turn_deg=turn_deg), name, image[:, :, None])


class SheetTask(AngleTask):
    kind = Sheets()

    def opened(self, model: Model, file: Path, columns: Sequence[str] = ()) -> SampleFile:
        return Sheet(model, file)

    def seen_sample(self, model: Model, sample: Sample[float], name: str) -> Seen:
        return seen_on_sheet(model, sample.image, name, LYING_DEG)


TASK = SheetTask()


class DigitsOfSheets(TurnedDigits):
    def __init__(self, split: str) -> None:
        super().__init__(split)
        self.name = "digit_sheets:sheets"


def sheets(root: Path | None) -> Splits:
    return Splits(DigitsOfSheets("train"), DigitsOfSheets("test"), "200 train / 60 test digits of sheets")


def short(model: str, data: str) -> Run:
    run = short_angles(model, data)
    return replace(run, recipe="digit_sheets:short", model=replace(run.model, task="digit_sheets:TASK"))
