"""The data set of a run on its page: amounts by class and split, sizes, and images as the net sees them in training.

It is read anew; where it is not there, or is code of a user's own that may not run, the section is left out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core import references
from resvision.core.errors import DataError, ResVisionError
from resvision.core.plurals import plural
from resvision.core.samples import Reader
from resvision.data.selection import subset
from resvision.data.splits import Splits
from resvision.kinds.kind import Exhibit, Kind
from resvision.report.pictures import GalleryImage, open_data, shown_exhibits
from resvision.report.record import RunRecord
from resvision.report.tables import data_of, whole

MEASURED = 24
"""Images of a split whose sizes are looked at."""
SAMPLES = 8
"""Images that are shown as the net sees them in training."""


class DataSection(NamedTuple):
    """A data set on a page.

    splits   their names with their numbers of images in the whole set, in the order of the columns of `rows`
    rows     (class, its amount in each split); empty where targets are no classes
    noun     what the amounts count
    notes    sentences on the images that runs were trained on, on sizes, and on what was counted
    samples  training images as the net sees them, and `sample_nouns` what they are
    single   whether each of these has one picture, which can be small: there is no writing in it
    reason   why there is nothing of all that, "" where there is
    """

    name: str
    splits: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()
    noun: str = ""
    notes: tuple[str, ...] = ()
    samples: tuple[GalleryImage, ...] = ()
    sample_nouns: str = "images"
    single: bool = True
    reason: str = ""


def data_sections(records: Sequence[RunRecord], *, allow_code: bool = False) -> list[DataSection]:
    """A section for each data set of the runs, by the first run on it; its reason where it cannot be read."""
    of_set: dict[tuple[str, str, int], list[RunRecord]] = {}
    for record in records:
        of_set.setdefault((record.task_name, *data_of(record)), []).append(record)
    return [_section(group, allow_code=allow_code) for group in of_set.values()]


def _section(records: Sequence[RunRecord], *, allow_code: bool) -> DataSection:
    record = records[0]
    kind, name = record.kind, str(record.setting("data.name"))
    try:
        splits = open_data(record, allow_code=allow_code)
        with references.own_code(name, error=DataError):
            readers = splits.readers
            counts = [_amounts(reader, kind) for reader in readers]
            sizes = [size for reader in readers for size in _sizes(reader)] if _are_images(kind) else []
            exhibits = _training_exhibits(record, splits, allow_code=allow_code)
    except (ResVisionError, ModuleNotFoundError, MemoryError) as error:
        return DataSection(name=data_of(record)[0], reason=f"The data are left out: {error}")
    samples = tuple(shown_exhibits(exhibits, small=True))
    return DataSection(
        name=data_of(record)[0],
        splits=tuple(f"{reader.split}, {len(reader):,} {plural(kind.sample_noun)}" for reader in readers),
        rows=_rows(readers[0].classes, counts),
        noun=kind.amount_noun,
        notes=(
            *_trained_words(records, len(splits.train), kind),
            *_size_words(sizes),
            *_counted_words(readers, kind),
        ),
        samples=samples,
        sample_nouns=plural(kind.sample_noun),
        single=not any(len(exhibit.panels) > 1 or exhibit.panels[0].lettered for exhibit in exhibits),
    )


def _amounts(reader: Reader[Any], kind: Kind[Any, Any, Any]) -> NDArray[np.int64] | None:
    """The amount of each class in a split, (K,), of as many targets as the kind counts."""
    total = np.zeros(len(reader.classes), dtype=np.int64)
    for index in _spread(len(reader), kind.counted_targets):
        amounts = kind.amounts(reader.target(index), len(total)) if len(total) else None
        if amounts is None:
            return None
        total += amounts
    return total


def _rows(
    classes: Sequence[str], counts: Sequence[NDArray[np.int64] | None]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return ()
    return tuple((name, tuple(whole(float(count[k])) for count in known)) for k, name in enumerate(classes))


def _sizes(reader: Reader[Any]) -> list[tuple[int, int]]:
    """Heights and widths of some images, spread over the split evenly."""
    shapes = (reader[index].image.shape for index in _spread(len(reader), MEASURED))
    return [(shape[0], shape[1]) for shape in shapes]


def _are_images(kind: Kind[Any, Any, Any]) -> bool:
    """Whether samples have sizes of their own, as images have."""
    return kind.sample_noun == Kind.sample_noun


def _trained_words(records: Sequence[RunRecord], whole: int, kind: Kind[Any, Any, Any]) -> list[str]:
    """`Trained on 300 of the 1,400 training images.`; none where all runs were trained on the whole split.

    A run is trained on fewer where they were cut to a number, or some held out for validation. Folds are no part of
    the split as it is shown.
    """
    numbers = {int(record.setting("data.train_images")) for record in records if record.setting("data.fold") is None}
    if numbers <= {whole}:
        return []
    listed = " or ".join(f"{number:,}" for number in sorted(numbers))
    by_run = ", by run" if len(numbers) > 1 else ""
    return [f"Trained on {listed} of the {whole:,} training {plural(kind.sample_noun)}{by_run}."]


def _size_words(sizes: Sequence[tuple[int, int]]) -> list[str]:
    """`All of 48 images that were looked at are 480 x 360 pixels.`; none where none was looked at."""
    if not sizes:
        return []
    ordered = sorted(sizes, key=lambda size: size[0] * size[1])
    least, middle, most = (
        f"{width:,} x {height:,}" for height, width in (ordered[i] for i in (0, len(sizes) // 2, -1))
    )
    if len({*sizes}) == 1:
        return [f"All of {len(sizes)} images that were looked at, spread over the set, are {least} pixels."]
    return [f"{len(sizes)} images that were looked at are {least} to {most} pixels, {middle} in the middle."]


def _counted_words(readers: Sequence[Reader[Any]], kind: Kind[Any, Any, Any]) -> list[str]:
    if all(len(reader) <= kind.counted_targets for reader in readers):
        return []
    return [f"Counts are of at most {kind.counted_targets:,} targets of each split, spread over it evenly."]


def _training_exhibits(record: RunRecord, splits: Splits, *, allow_code: bool) -> list[Exhibit]:
    """Some training images after crop and augmentation, by the settings of the run."""
    from resvision.run import read_run
    from resvision.tasks import task_of

    run, task = read_run(record.folder, allow_code=allow_code), task_of(record.task_name)
    reader = splits.seen_as(view=run.data.view).train if run.data.view is not None else splits.train
    indices = np.array([*_spread(len(reader), SAMPLES)], dtype=np.int64)
    some = subset(reader, reader.split, indices)
    batches = task.train_batches(
        some,
        batch_size=len(indices),
        seed=run.training.seed,
        augment=run.augment,
        loss=run.loss,
        rank=0,
        world=1,
    )
    return task.training_exhibits(batches[0], reader.classes)


def _spread(length: int, most: int) -> list[int]:
    """Up to `most` indices of `length`, spread evenly."""
    return [*map(int, np.unique(np.linspace(0, length - 1, min(most, length)).round()))]
