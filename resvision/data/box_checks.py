"""Faults of single boxes, found on whole columns: without extent, outside of the image, of no class, or there twice.

Glossary
    N  images
    B  boxes
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resvision.data.box_columns import NO_LABEL, BoxColumns
from resvision.data.box_parts import BoxPart
from resvision.data.fault_kinds import Ledger
from resvision.kinds.detection.boxes import Flags

SLACK_PX = 0.5
"""A box may reach out of its image by as much, as coordinates do that were rounded; it is cut there."""

DOT_PX = 1.05
"""The sides of a box of a single pixel, a click in place of a box, as rounded."""

_ODD = np.uint64(0x9E3779B97F4A7C15)


def sound(part: BoxPart, columns: BoxColumns, sides: NDArray[np.int64], ledger: Ledger) -> BoxColumns:
    """The boxes without a fault, cut to their images; the others are faults, or counted where they are allowed.

    columns  those of the part, in pixels of frames of these `sides`, (N, 2); labels are those of all classes
    """
    wide, high = sides[columns.images].T
    x1, y1, x2, y2 = columns.boxes.T
    widths, heights = x2 - x1, y2 - y1
    flat = (widths <= 0) | (heights <= 0)
    dots = (widths <= DOT_PX) & (heights <= DOT_PX) & ~columns.crowd
    outside = (x1 < -SLACK_PX) | (y1 < -SLACK_PX) | (x2 > wide + SLACK_PX) | (y2 > high + SLACK_PX)
    twice = _repeated(columns)
    kept = np.ones(len(columns.labels), dtype=np.bool_)
    for kind, flags, words in (
        ("degenerate-boxes", flat, "a box without extent"),
        ("degenerate-boxes", dots, "a box of a single pixel, as a click leaves it"),
        ("outside-boxes", outside & ~flat, "a box that reaches out of its image"),
        ("duplicate-boxes", twice & ~flat & ~outside, "a box that its image has twice, with one class"),
    ):
        for row in np.flatnonzero(flags & kept).tolist():
            _add(kind, words, part, columns, row, sides, ledger)
        kept &= ~flags
    limits = np.stack([wide, high, wide, high], axis=1)
    return replace(columns, boxes=np.clip(columns.boxes, 0, limits)).where(kept)


def _repeated(columns: BoxColumns) -> Flags:
    """Whether an earlier box of the same image has the same corners and label, (B,)."""
    keys = np.column_stack([columns.images, columns.labels, columns.crowd, columns.boxes])
    hashes = np.zeros(len(keys), dtype=np.uint64)
    for column in keys.astype(np.float64).view(np.uint64).T:
        hashes = (hashes ^ column) * _ODD
        hashes ^= hashes >> np.uint64(29)
    order = np.argsort(hashes, kind="stable")  # of equal boxes the first comes first
    same = (np.diff(keys[order], axis=0) == 0).all(axis=1)
    repeated = np.zeros(len(keys), dtype=np.bool_)
    repeated[order[1:][same]] = True
    named: Flags = columns.labels != NO_LABEL
    return repeated & named


def _add(
    kind: str, words: str, part: BoxPart, columns: BoxColumns, row: int, sides: NDArray[np.int64], ledger: Ledger
) -> None:
    image = int(np.searchsorted(columns.ends, row, side="right")) - 1
    box, (wide, high) = columns.boxes[row], sides[image].tolist()
    shown = part.shown((box / (wide, high, wide, high) if part.normalized else box).tolist())
    of = f"; the image has {wide:,} x {high:,} pixels" if kind == "outside-boxes" and not part.normalized else ""
    ledger.add(kind, part.sources.where(image, int(columns.lines[row])), f"{words}: {shown}{of}")
