"""Images with boxes for tests: bright rectangles on dark ground, in memory."""

from collections.abc import Sequence

import numpy as np

from resvision.core.images import Pixels
from resvision.core.view_geometry import Geometry
from resvision.core.views import Letterbox, View
from resvision.data.arrays import BoxArrayReader
from resvision.kinds.detection.boxes import BoxTargets
from resvision.tasks import Seen

CLASSES = ("wide", "high")
VIEW = Letterbox(channels=3, mean=(0.5, 0.25, 1.0), std=(0.25, 0.25, 0.25), size_px=32)


def targets(boxes: Sequence[Sequence[float]], labels: Sequence[int] | None = None) -> BoxTargets:
    """Boxes with labels, all 0 if left out."""
    return BoxTargets.of(np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(labels or [0] * len(boxes)))


def seen(image: Pixels, name: str = "image") -> Seen:
    """An image that a net sees as it is stored."""
    sides = (image.shape[0], image.shape[1])
    return Seen(image, Geometry(sides, sides), name, image)


def box_reader(
    sizes: Sequence[tuple[int, int]] = ((32, 48),) * 6,
    *,
    view: View = VIEW,
    split: str = "train",
    counts: Sequence[int] = (2, 1, 0, 3),
    crop_px: int | None = None,
) -> BoxArrayReader:
    """Images of these heights and widths; the number of boxes of each goes round `counts`."""
    draws = np.random.default_rng(len(sizes))
    images, truths = [], []
    for number, (height, width) in enumerate(sizes):
        image = draws.integers(0, 60, (height, width, 3), dtype=np.uint8)
        boxes, labels = [], []
        for _ in range(counts[number % len(counts)]):
            label = int(draws.integers(2))
            wide, high = (14, 8) if label == 0 else (8, 14)
            left, top = int(draws.integers(width - wide + 1)), int(draws.integers(height - high + 1))
            image[top : top + high, left : left + wide] = (250, 120, 180) if label == 0 else (120, 250, 180)
            boxes.append((left, top, left + wide, top + high))
            labels.append(label)
        images.append(image)
        truths.append(targets(boxes, labels))
    return BoxArrayReader(
        name="rectangles", split=split, classes=CLASSES, view=view, crop_px=crop_px, images=images, boxes=truths
    )
