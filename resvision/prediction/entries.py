"""The images and samples of a prediction as the net sees them, in order; files are decoded ahead by threads."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.kinds.seen_samples import Seen
from resvision.prediction.ordered_work import ordered
from resvision.prediction.predictor import Predictor
from resvision.prediction.sample_files import FileSample, SampleFiles
from resvision.prediction.sources import Source, decoded, name_of

Shown = tuple[Source | FileSample, Seen]
"""An image, or a sample of a file, as it was asked for and as the net sees it."""
Entry = Shown | DataError
"""What became of an image: the net can be shown it, or it cannot be used."""

NO_IMAGE: Pixels = np.empty((0, 0, 1), dtype=np.uint8)
"""In place of an image that nobody asks for."""


class _Unread(NamedTuple):
    """An image file that is not decoded yet, with its name."""

    source: Path
    name: str


def entries_of(
    model: Predictor,
    sources: Iterable[Source | FileSample],
    grey: bool,
    only: Sequence[str],
    *,
    with_images: bool = True,
    threads: int = 0,
) -> Generator[Entry, None, None]:
    """Yield each source, or each sample in it, as the net sees it, or the error of one that cannot be used.

    threads      that decode files ahead; all else, and all that a task does, is done by the caller's thread
    with_images  whether images are kept beside their views, which takes memory

    Images are (H, W, C).
    """
    ahead = 2 * threads + (1 if model.view.side_px is None else model.at_a_time)

    def shown(piece: _Unread | Entry) -> Entry:
        return piece if not isinstance(piece, _Unread) else _shown(model, piece.source, piece.name, grey)

    pieces = _pieces(model, sources, grey, only)
    with closing(ordered(shown, pieces, threads=threads, ahead=ahead, size=_bytes)) as entries:
        for entry in entries:
            complete = _with_beside(model, entry)
            if with_images or isinstance(complete, DataError):
                yield complete
            else:
                yield complete[0], complete[1]._replace(image=NO_IMAGE)


def _pieces(
    model: Predictor, sources: Iterable[Source | FileSample], grey: bool, only: Sequence[str]
) -> Iterator[_Unread | Entry]:
    """Yield image files unread, and all else as the net sees it, or its error."""
    samples = SampleFiles(model, only)
    for position, source in enumerate(sources):
        try:
            if isinstance(source, FileSample):
                yield source, samples.seen(source)
            elif not isinstance(source, Path):
                yield _shown(model, source, name_of(source, position), grey)
            elif (inside := samples.samples(source)) is None:
                yield _Unread(source, name_of(source, position))
            else:
                yield from _samples_seen(samples, inside)
        except DataError as error:
            yield error
    try:
        samples.require_met()
    except DataError as error:
        yield error


def _samples_seen(samples: SampleFiles, inside: Iterable[FileSample]) -> Iterator[Entry]:
    for sample in inside:
        try:
            yield sample, samples.seen(sample)
        except DataError as error:
            yield error


def _shown(model: Predictor, source: Source, name: str, grey: bool) -> Entry:
    """An image as the net sees it, without what it takes beside the pixels."""
    try:
        image = decoded(source, name=name)
        image = image if image.ndim == 3 else image[:, :, None]
        return source, Seen(*model.view.show(image, name=name, grey=grey), name, image)
    except DataError as error:
        return error


def _with_beside(model: Predictor, entry: Entry) -> Entry:
    """An image with what the net takes beside its pixels; samples of files have it."""
    if isinstance(entry, DataError) or isinstance(entry[0], FileSample):
        return entry
    source, seen = entry
    try:
        return source, seen._replace(beside=model.beside(seen))
    except DataError as error:
        return error


def _bytes(entry: Entry) -> int:
    return 0 if isinstance(entry, DataError) else entry[1].image.nbytes + entry[1].pixels.nbytes
