"""The worst label maps as pictures inside a page: photo, truth, prediction and where the two differ, side by side.

A run directory holds no label maps: the net is loaded and predicts them anew.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core import references
from resvision.core.errors import DataError, ResVisionError, printable
from resvision.core.images import VOID, Pixels
from resvision.core.label_maps import WorstImage
from resvision.core.masks import label_colours
from resvision.report.pictures import UNSCORED, left_out, scored_split
from resvision.report.record import RunRecord
from resvision.report.tables import hex_colour, percent

AT_MOST = 6
SHOWN_PX = 320  # of a picture's longer side; larger images are shrunk
WRONG, DARKENED = (226, 32, 44), 0.6  # colour of wrong pixels; brightness that is left to right ones

_PNG_UP_TO_PX = 128  # a photo this small is no larger as a PNG, and keeps its pixels
_SAME_ERROR = 0.05  # shares of wrong pixels that differ by no more may come from another machine's rounding


class Panel(NamedTuple):
    """One of the pictures of an image: its name, and a PNG or JPEG as a data URI."""

    name: str
    uri: str


class Worst(NamedTuple):
    """An image with its four pictures, each `width` x `height` pixels."""

    name: str
    source: str
    pixel_error: str
    width: int
    height: int
    panels: tuple[Panel, ...]


class MaskGallery(NamedTuple):
    """Images, the worst first, with name and colour of the classes that occur; or a sentence on why there are none."""

    images: tuple[Worst, ...]
    legend: tuple[tuple[str, str], ...]
    reason: str


class Maps(NamedTuple):
    """An image, (H, W) or (H, W, 3), and its labels, (H, W): those of its mask, and those that the run predicts."""

    image: Pixels
    truth: Pixels
    pred: Pixels


def worst_label_maps(record: RunRecord) -> MaskGallery:
    """Up to six images with the most wrong pixels; a reason where the data cannot be read or the net not be loaded."""
    scores = record.segmented
    if scores is None:
        return MaskGallery((), (), UNSCORED)
    if not scores.worst:
        return MaskGallery((), (), f"None: every pixel of all {scores.images:,} test images is right.")
    colours = label_colours(scores.classes)
    occurring: set[int] = set()
    images: list[Worst] = []
    try:
        for worst, maps in _predicted(record, scores.worst[:AT_MOST]):
            occurring |= {*np.unique(maps.truth).tolist(), *np.unique(maps.pred).tolist()}
            images.append(side_by_side(worst, maps, colours))
    except (ResVisionError, ModuleNotFoundError) as error:
        return MaskGallery((), (), left_out(error))
    names = {**dict(enumerate(scores.classes)), VOID: "void, not judged"}
    legend = tuple((names[label], hex_colour(colours[label])) for label in sorted(occurring))
    return MaskGallery(tuple(images), legend, "")


def side_by_side(worst: WorstImage, maps: Maps, colours: NDArray[np.uint8]) -> Worst:
    """The four pictures of an image; `colours`, (256, 3) uint8, are those of the labels."""
    height, width = maps.truth.shape
    scale = min(1.0, SHOWN_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    panels = (
        Panel("photo", _uri(_resized(maps.image, size).convert("RGB"))),
        Panel("truth", _uri(_coloured(maps.truth, colours, size))),
        Panel("prediction", _uri(_coloured(maps.pred, colours, size))),
        Panel("difference", _uri(Image.fromarray(difference(*maps, size)))),
    )
    return Worst(PurePath(worst.source).name, worst.source, percent(worst.pixel_error), *size, panels)


def difference(image: Pixels, truth: Pixels, pred: Pixels, size: tuple[int, int]) -> Pixels:
    """Wrong pixels red over the darkened image, void mid grey, (height, width, 3) at `size`, which is (width, height).

    A pixel that is shown stands for several: it is as red as their share of wrong ones.
    """
    grey = np.asarray(_resized(image, size).convert("L"), dtype=np.float32)[:, :, None]
    wrong, void = (_share(where, size) for where in ((truth != pred) & (truth != VOID), truth == VOID))
    mixed = (1 - wrong - void) * DARKENED * grey + wrong * np.array(WRONG, dtype=np.float32) + void * 128
    shown: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return shown


def _predicted(record: RunRecord, images: Sequence[WorstImage]) -> Iterator[tuple[WorstImage, Maps]]:
    """The maps of these test images. Raises DataError where the data are not what the run was scored on."""
    from resvision.inference.load import load  # a page without such pictures needs no net
    from resvision.inference.segment import label_map

    model = str(record.setting("model.name"))
    if references.is_reference(model):
        raise DataError(f"{model} is code of your own, which a report does not run")
    test = scored_split(record)
    trained = load(record.folder)
    for worst in images:
        image, truth = test[worst.index]
        source = printable(test.source(worst.index))
        assert not isinstance(truth, int), "sets for segmentation give masks"
        if PurePath(source).name != PurePath(worst.source).name:
            raise DataError(f"{worst.source}: is no longer the test image {worst.index}, which is {source}")
        pred = label_map(trained, trained.preprocess.pixels(image, name=source, grey=True))
        _require_same_error(worst, truth, pred)
        yield worst, Maps(image, truth, pred)


def _require_same_error(worst: WorstImage, truth: Pixels, pred: Pixels) -> None:
    """DataError where mask or image must have changed."""
    judged = truth != VOID
    error = float(np.mean(truth[judged] != pred[judged])) if judged.any() else 0.0
    if abs(error - worst.pixel_error) > _SAME_ERROR:
        was, now = percent(worst.pixel_error), percent(error)
        raise DataError(f"{worst.source}: had {was} wrong pixels when the run was scored, has {now}; it has changed")


def _resized(image: Pixels, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)


def _share(where: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel that is shown lies where it is true, 0..1, (height, width, 1)."""
    shrunk = Image.fromarray(where.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BOX)
    return np.asarray(shrunk, dtype=np.float32)[:, :, None] / np.float32(255)


def _coloured(labels: Pixels, colours: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    picture.putpalette(colours.tobytes())
    return picture


def _uri(picture: Image.Image) -> str:
    kind = "png" if picture.mode == "P" or max(picture.size) <= _PNG_UP_TO_PX else "jpeg"
    stream = BytesIO()
    picture.save(stream, format=kind, optimize=True, quality=85)
    return f"data:image/{kind};base64,{b64encode(stream.getvalue()).decode()}"
