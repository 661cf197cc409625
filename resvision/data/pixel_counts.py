"""How many pixels of each class the masks of a data set hold: what balanced weights are made of."""

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import VOID
from resvision.core.masks import count_values
from resvision.core.samples import Mask, Reader
from resvision.data import cache
from resvision.data.validation import Part


def pixel_counts(reader: Reader[Mask]) -> NDArray[np.int64]:
    """Pixels of every class over all masks of a reader, void left out, (K,).

    Every mask is decoded; for masks in files the counts are kept while the files stay as they are. Raises DataError for
    a mask that cannot be read.
    """
    num_classes, mark = len(reader.classes), _mark(reader)
    known = cache.read("pixels", mark) if mark else None
    if isinstance(known, list) and len(known) == num_classes and all(isinstance(count, int) for count in known):
        return np.array(known, dtype=np.int64)
    counts = np.zeros(VOID + 1, dtype=np.int64)
    for index in range(len(reader)):
        counts += count_values(reader.target(index))
    if mark:
        cache.write("pixels", mark, counts[:num_classes].tolist())
    return counts[:num_classes]


def _mark(reader: Reader[Mask]) -> str | None:
    """What tells the files of a reader, or of a part of it, from others; None where it is not made of files."""
    whole, part = (reader.whole, repr(reader.indices.tolist())) if isinstance(reader, Part) else (reader, "")
    if not isinstance(whole, cache.Stamped):
        return None
    labels = getattr(whole, "labels", None)
    return cache.fingerprint(whole, also=f"{reader.classes}{labels if labels is None else labels.tolist()}{part}")
