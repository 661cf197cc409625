"""One label map in four pictures: photo, truth, prediction and difference, side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import VOID, Pixels
from resvision.kinds.kind import Asked, Panel
from resvision.kinds.segmentation.scores import WorstImage

SHOWN_PX = 320  # of a picture's longer side; larger images are shrunk
WRONG, DARKENED = (226, 32, 44), 0.6  # colour of wrong pixels; brightness that is left to right ones

_SAME_ERROR = 0.05  # shares of wrong pixels that differ by no more may come from another machine's rounding


def panels(image: Pixels, truth: Pixels, pred: Pixels, colours: NDArray[np.uint8]) -> tuple[Panel, ...]:
    """The four pictures of an image (H, W) or (H, W, 3) with labels (H, W); `colours`, (256, 3), are the labels'."""
    height, width = truth.shape
    scale = min(1.0, SHOWN_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return (
        Panel("photo", _resized(image, size).convert("RGB")),
        Panel("truth", _coloured(truth, colours, size)),
        Panel("prediction", _coloured(pred, colours, size)),
        Panel("difference", Image.fromarray(difference(image, truth, pred, size))),
    )


def difference(image: Pixels, truth: Pixels, pred: Pixels, size: tuple[int, int]) -> Pixels:
    """Paint wrong pixels red over the darkened image and void mid grey: (height, width, 3) at `size`, (width, height).

    A pixel that is shown stands for several: it is as red as their share of wrong ones.
    """
    grey = np.asarray(_resized(image, size).convert("L"), dtype=np.float32)[:, :, None]
    wrong, void = (_share(condition, size) for condition in ((truth != pred) & (truth != VOID), truth == VOID))
    mixed = (1 - wrong - void) * DARKENED * grey + wrong * np.array(WRONG, dtype=np.float32) + void * 128
    shown: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return shown


def asked_of(truth: Pixels, pred: Pixels, classes: Sequence[str]) -> tuple[Asked, ...]:
    """The commonest mistake of an image: its false and its true class, both at the pixels where it was made."""
    wrong = (truth != pred) & (truth != VOID)
    if not wrong.any():
        return ()
    pairs, counts = np.unique(np.stack([pred[wrong], truth[wrong]]), axis=1, return_counts=True)
    false, true = pairs[:, counts.argmax()].tolist()
    rows, columns = np.nonzero(wrong & (pred == false) & (truth == true))
    points = np.stack([columns, rows], axis=1).astype(np.float64) + 0.5
    names = classes[false], classes[true]
    return tuple(Asked(name, f"for {name}, where {names[1]} was taken for {names[0]}", points) for name in names)


def require_same_error(worst: WorstImage, truth: Pixels, pred: Pixels) -> None:
    """Raise DataError where the share of wrong pixels differs from the scored one: mask or image has changed."""
    judged = truth != VOID
    error = float(np.mean(truth[judged] != pred[judged])) if judged.any() else 0.0
    if abs(error - worst.pixel_error) > _SAME_ERROR:
        scored, current = f"{100 * worst.pixel_error:.2f} %", f"{100 * error:.2f} %"
        raise DataError(
            f"{worst.source}: had {scored} wrong pixels when the run was scored, has {current}; it has changed"
        )


def _resized(image: Pixels, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)


def _share(condition: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    """The share of each shown pixel where the condition is true, 0..1, (height, width, 1)."""
    shrunk = Image.fromarray(condition.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BOX)
    return np.asarray(shrunk, dtype=np.float32)[:, :, None] / np.float32(255)


def _coloured(labels: Pixels, colours: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    picture.putpalette(colours.tobytes())
    return picture
