"""Counts of the pixels of each class in the masks of a data set, from which balanced weights are made."""

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import VOID
from resvision.core.masks import count_values
from resvision.core.samples import Mask, Reader
from resvision.data import cache
from resvision.data.selection import Subset


def pixel_counts(reader: Reader[Mask]) -> NDArray[np.int64]:
    """Count the pixels of every class over all masks of a reader, void left out, (K,).

    Every mask is decoded; for masks in files the counts are kept while the files stay as they are. Raises DataError for
    a mask that cannot be read.
    """
    num_classes, fingerprint = len(reader.classes), _fingerprint(reader)
    cached = cache.read("pixels", fingerprint, list[cache.Count]) if fingerprint else None
    if cached is not None and len(cached) == num_classes:
        return np.array(cached, dtype=np.int64)
    counts = np.zeros(VOID + 1, dtype=np.int64)
    for index in range(len(reader)):
        counts += count_values(reader.target(index))
    if fingerprint:
        cache.write("pixels", fingerprint, counts[:num_classes].tolist())
    return counts[:num_classes]


def _fingerprint(reader: Reader[Mask]) -> str | None:
    """The fingerprint of the files of a reader, or of a part of one; None where it does not read files."""
    whole, part = (reader.whole, repr(reader.indices.tolist())) if isinstance(reader, Subset) else (reader, "")
    if not isinstance(whole, cache.Stamped):
        return None
    labels = getattr(whole, "labels", None)
    return cache.fingerprint(whole, also=f"{reader.classes}{labels if labels is None else labels.tolist()}{part}")
