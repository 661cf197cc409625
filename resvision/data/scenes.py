"""Scenes composed of real handwritten digits, with label maps and boxes; nothing needs to be downloaded.

The digits are those of `resvision.data.digits`, scikit-learn's 1,797 of 8x8 pixels; the scenes are ours: 96x96 grey,
each of two to five digits enlarged, turned and pasted over one another on a shaded ground, among strokes and
quarters of other digits. A scene follows from (seed, split, index) alone. Training scenes hold digits, and quarters,
of the training part only, test scenes of the test part.

Labels: where a digit's ink is strong, its class; a thing that is pasted covers those before it; all else is
background, strokes and quarters too. The rim of a digit, where ink fades over about a pixel, is VOID.

Boxes: each digit has the extent of its ink, weak ink too, as it was pasted, cut by the edges of the scene. What lies
over a digit takes nothing from its box, as of objects in photographs: on average 6 percent of a digit are covered,
and never all. Where less than VISIBLE can be seen, about one digit in 270, even a person hardly reads it, and it is
marked difficult. Strokes and quarters have no boxes.

Glossary
    ink     (96, 96) float in 0..1: the opacity of a thing that is pasted
    label   0 background, 1 + d for digit d
"""

from functools import cache
from math import cos, sin, tau
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.draws import uniform
from resvision.core.images import VOID, Pixels
from resvision.core.views import Stretch, Whole
from resvision.data import digits
from resvision.data.arrays import ArrayReader, BoxArrayReader, MaskArrayReader
from resvision.data.splits import Splits
from resvision.kinds.detection.boxes import BoxTargets

SEED = 0
SIDE_PX = 96
SCENES = {"train": 600, "test": 150}
RULE = "{train:,} train / {test:,} test scenes, composed of digits of the same part of `digits`".format_map(SCENES)
CLASSES = ("background", *"0123456789")
VIEW = Whole(
    channels=1,
    mean=(0.4995,),  # of the training scenes, as is std
    std=(0.233,),
)

STRONG, WEAK = 0.6, 0.3
"""The ink from which a pixel takes the label of the thing that is pasted, and from which it is VOID."""

VISIBLE = 0.4
"""The least share of a digit's ink that can be seen unless the digit is difficult."""

SLOTS = 512
"""The draws of a scene, more than any takes, before those of its noise."""

_Y, _X = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5

Ink = NDArray[np.float64]


class Scene(NamedTuple):
    """The image and the mask of a scene, (96, 96) uint8 each, and the boxes of its digits, labels being the digits."""

    image: Pixels
    mask: Pixels
    boxes: BoxTargets


def open_splits(root: Path | None = None) -> Splits:
    """600 training and 150 test scenes with their label maps; `root` is not needed."""
    train, test = (
        MaskArrayReader(
            name="digit-scenes-composed",
            split=split,
            classes=CLASSES,
            view=VIEW,
            crop_px=SIDE_PX,
            images=[scene.image for scene in scenes(split)],
            masks=[scene.mask for scene in scenes(split)],
        )
        for split in SCENES
    )
    return Splits(train, test, RULE)


def open_box_splits(root: Path | None = None) -> Splits:
    """The same scenes with the boxes of their digits; `root` is not needed."""
    train, test = (
        BoxArrayReader(
            name="digit-boxes-composed",
            split=split,
            classes=CLASSES[1:],
            view=Stretch(channels=1, resize_px=SIDE_PX, crop_px=SIDE_PX, mean=VIEW.mean, std=VIEW.std),
            images=[scene.image for scene in scenes(split)],
            boxes=[scene.boxes for scene in scenes(split)],
        )
        for split in SCENES
    )
    return Splits(train, test, RULE)


@cache
def scenes(split: str) -> list[Scene]:
    """All scenes of a split."""
    splits = digits.open_splits()
    part = splits.train if split == "train" else splits.test
    assert isinstance(part, ArrayReader)
    return [compose(part.images, part.targets, split=split, index=index) for index in range(SCENES[split])]


class Drawing:
    """The image and mask of a scene while things are pasted, and the draws that decide what and where."""

    def __init__(self, draws: NDArray[np.float64]) -> None:
        self._draws = iter(draws.tolist())
        self.level = self.between(0.2, 0.8)
        self.image = self._ground()
        self.mask = np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint8)
        self._inks: list[NDArray[np.bool_]] = []  # where each digit has ink
        self._labels: list[int] = []
        self._topmost = np.zeros((SIDE_PX, SIDE_PX), dtype=np.int64)  # the number of the digit seen there, 0 for none

    def between(self, low: float, high: float) -> float:
        """The next draw, uniform between two numbers."""
        return low + (high - low) * float(next(self._draws))

    def below(self, n: int) -> int:
        """The next draw, a whole number of 0..n-1."""
        return int(n * next(self._draws))

    def contrasting(self, others: list[float]) -> float:
        """Draw three grey levels, at least 0.3 from the ground's, and take the one farthest from `others`."""
        down, up = max(self.level - 0.3, 0.0), max(0.7 - self.level, 0.0)
        offsets = [self.between(0, down + up) for _ in range(3)]
        levels = [offset if offset < down else 1 - (down + up - offset) for offset in offsets]
        return float(max(levels, key=lambda level: min((abs(level - other) for other in others), default=0.0)))

    def paste(self, ink: Ink, level: float, label: int) -> None:
        """Cover image and mask by `level` and `label` where there is ink."""
        covered = ink >= WEAK
        if label:
            self._inks.append(covered)
            self._labels.append(label - 1)
        self._topmost[covered] = len(self._inks) if label else 0
        self.image += ink * (level - self.image)
        self.mask[(ink >= WEAK) & (ink < STRONG) & (self.mask != label)] = VOID
        self.mask[ink >= STRONG] = label

    def boxes(self) -> BoxTargets:
        """The boxes of the digits, in the order in which they were pasted."""
        extents = np.array([_extent(ink) for ink in self._inks])
        seen = np.bincount(self._topmost.ravel(), minlength=len(self._inks) + 1)[1:]
        inked = np.array([ink.sum() for ink in self._inks], dtype=np.int64)
        return BoxTargets.of(extents, np.array(self._labels))._replace(difficult=seen < VISIBLE * inked)

    def digit(self, picture: Pixels, side_px: float, centre: tuple[float, float]) -> Ink:
        """The ink of a digit, or a part of one, whose 8 pixels take side_px, turned by up to 20 degrees."""
        padded = np.pad(picture.astype(np.float32) / 255, 1)
        angle, scale = self.between(-tau / 18, tau / 18), 8 / side_px
        a, b = scale * cos(angle), scale * sin(angle)
        x, y = centre
        middle_y, middle_x = padded.shape[0] / 2, padded.shape[1] / 2
        rows = (a, b, middle_x - a * x - b * y, -b, a, middle_y + b * x - a * y)
        large = Image.fromarray(padded).transform(
            (SIDE_PX, SIDE_PX), Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC
        )
        return np.asarray(np.clip((np.asarray(large, dtype=np.float64) - 0.25) / 0.4, 0, 1))

    def stroke(self, widest_px: float) -> Ink:
        """The ink of a straight stroke anywhere, round at its ends."""
        x, y, angle = self.between(0, SIDE_PX), self.between(0, SIDE_PX), self.between(0, tau)
        length, width = self.between(8, 60), self.between(1, widest_px)
        along = np.clip((_X - x) * cos(angle) + (_Y - y) * sin(angle), 0, length)
        distance = np.hypot(_X - x - along * cos(angle), _Y - y - along * sin(angle))
        return np.asarray(np.clip(width / 2 + 0.5 - distance, 0, 1))

    def place(self, others: list[tuple[float, float]]) -> tuple[float, float]:
        """Draw three places and take the one farthest from `others`."""
        places = [(self.between(14, SIDE_PX - 14), self.between(14, SIDE_PX - 14)) for _ in range(3)]
        return max(
            places, key=lambda point: min((np.hypot(point[0] - x, point[1] - y) for x, y in others), default=0.0)
        )

    def _ground(self) -> Ink:
        """Draw the ground: a level with a slope and with soft stains."""
        angle, slope, stains = self.between(0, tau), self.between(0, 0.3), self.between(0, 0.2)
        ramp = ((_X / SIDE_PX - 0.5) * cos(angle) + (_Y / SIDE_PX - 0.5) * sin(angle)) * slope
        coarse = np.array([self.between(-1, 1) for _ in range(36)], dtype=np.float32).reshape(6, 6)
        soft = Image.fromarray(coarse).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        return np.asarray(self.level + ramp + stains * np.asarray(soft, dtype=np.float64))


def compose(pictures: Pixels, classes: NDArray[np.int64], *, split: str, index: int) -> Scene:
    """Compose one scene out of digits (M, 8, 8) and their classes (M,)."""
    draws = uniform(SEED, list(SCENES).index(split), np.array([index]), SLOTS + SIDE_PX**2)[0]
    drawing = Drawing(draws[:SLOTS])
    for _ in range(2 + drawing.below(4)):
        drawing.paste(drawing.stroke(5), drawing.between(0, 1), label=0)
    for _ in range(drawing.below(4)):
        top, left = 4 * drawing.below(2), 4 * drawing.below(2)
        quarter = pictures[drawing.below(len(pictures)), top : top + 4, left : left + 4]
        ink = drawing.digit(quarter, drawing.between(26, 56), drawing.place([]))
        drawing.paste(ink, drawing.contrasting([]), label=0)
    centres: list[tuple[float, float]] = []
    levels: list[float] = []
    for _ in range(2 + drawing.below(4)):
        number = drawing.below(len(pictures))
        centres.append(drawing.place(centres))
        ink = drawing.digit(pictures[number], drawing.between(26, 56), centres[-1])
        levels.append(drawing.contrasting(levels))
        drawing.paste(ink, levels[-1], label=1 + int(classes[number]))
    for _ in range(drawing.below(3)):
        drawing.paste(drawing.stroke(2), drawing.between(0, 1), label=0)
    noise = drawing.between(0.02, 0.2) * (draws[SLOTS:].reshape(SIDE_PX, SIDE_PX) - 0.5)
    image = np.rint(255 * (drawing.image + noise)).clip(0, 255).astype(np.uint8)
    return Scene(image, drawing.mask, drawing.boxes())


def _extent(inked: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The box x1 y1 x2 y2 of the pixels that have ink."""
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
