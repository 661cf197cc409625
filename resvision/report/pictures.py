"""The worst mistakes as pictures inside a page: PNG as data URIs, from the data that the run was tested on."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core import references
from resvision.core.errors import DataError, ResVisionError
from resvision.core.results import Mistake
from resvision.data.sets import open_splits
from resvision.report.record import RunRecord

if TYPE_CHECKING:
    from resvision.contracts import Reader

LARGEST_PX = 192  # of a picture's longer side, twice what the page shows; larger images are shrunk
UNSCORED = "The run has not been scored yet."


class Picture(NamedTuple):
    """A wrongly classified image: `uri` holds a PNG of `width` x `height` pixels."""

    uri: str
    width: int
    height: int
    mistake: Mistake


class Gallery(NamedTuple):
    """Pictures, or a sentence on why there are none."""

    pictures: tuple[Picture, ...]
    reason: str


def mistake_pictures(record: RunRecord) -> Gallery:
    """The worst mistakes of a run, the surest first; a reason in place of an error where the data cannot be read."""
    scores = record.classified
    if scores is None:
        return Gallery((), UNSCORED)
    if not scores.mistakes:
        return Gallery((), f"None: all {scores.images:,} test images were recognised.")
    try:
        test = scored_split(record)
        pictures = tuple(_picture(test, mistake) for mistake in scores.mistakes)
    except (ResVisionError, ModuleNotFoundError) as error:
        return Gallery((), left_out(error))
    return Gallery(pictures, "")


def left_out(error: Exception) -> str:
    """The sentence in place of pictures."""
    return f"The pictures are left out: {error}"


def png_uri(image: NDArray[np.uint8]) -> tuple[str, int, int]:
    """A uint8 image (H, W) or (H, W, 3), shrunk if it is large, as a data URI with its width and height."""
    picture = Image.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    picture.thumbnail((LARGEST_PX, LARGEST_PX), Image.Resampling.LANCZOS)
    stream = BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}", picture.width, picture.height


def scored_split(record: RunRecord) -> "Reader":
    """The test split of the run; DataError where it is not what the run was scored on."""
    name, root = str(record.setting("data.name")), record.setting("data.root")
    if references.is_reference(name) and not Path(name).is_dir():
        raise DataError(f"{name} is code of your own, which a report does not run")
    test = open_splits(
        name,
        root=Path(root) if root else None,
        channels=record.setting("data.channels"),
        image_size=record.setting("data.image_size"),
        task="segmentation" if record.task == "segmentation" else "classification",
    ).test
    assert record.scores is not None, "asked for the pictures of a run with scores"
    if len(test) != record.scores.images or tuple(test.classes) != record.scores.classes:
        raise DataError(f"{name} has changed since the run was scored")
    return test


def _picture(test: "Reader", mistake: Mistake) -> Picture:
    image, target = test[mistake.index]
    if test.classes[target] != mistake.true:
        raise DataError(f"{mistake.source}: was {mistake.true!r} when the run was scored, is {test.classes[target]!r}")
    return Picture(*png_uri(image), mistake)
