"""A file of proposals for images with boxes, made by selective search, and how many of their boxes it covers."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resvision.core.errors import SettingsError, printable
from resvision.core.samples import Reader
from resvision.data.identities import name_in_set
from resvision.data.sets import full_name, open_splits
from resvision.detection.proposal_files import write
from resvision.detection.proposing import SearchedRegions
from resvision.detection.recall import Recall
from resvision.detection.region_search import searched, usable_cpus
from resvision.kinds.detection.boxes import BoxTargets, Floats


class Written(NamedTuple):
    """A file of proposals that was written.

    counts     regions of each image, in the order of the file
    searched   images that were searched now; those of the others were kept from before
    seconds    of a search, on average; 0 where none was searched
    elapsed_s  seconds that all took together, on several CPUs
    without    names of the images that have no region
    """

    name: str
    counts: tuple[int, ...]
    searched: int
    seconds: float
    elapsed_s: float
    without: tuple[str, ...]
    recall: Recall

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "data": self.name,
            "images": len(self.counts),
            "regions": sum(self.counts),
            "regions_of_an_image": {
                "least": min(self.counts),
                "median": float(np.median(self.counts)),
                "most": max(self.counts),
            },
            "searched": self.searched,
            "seconds_an_image": self.seconds,
            "seconds": self.elapsed_s,
            "without_regions": [*self.without],
            **self.recall.to_json(),
        }


def write_proposals(
    name_or_folder: str | Path,
    path: Path,
    *,
    root: Path | None = None,
    split: str | None = None,
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    most: int | None = None,
    watch: Callable[[int, int], None] = lambda done, images: None,
) -> Written:
    """Search the images of a set for regions, and write them into a safetensors file under the images' names.

    root           folder in which a named set lies
    split          the images that are searched, all of the set when left out
    columns, allow as those of `train`
    most           regions of an image, those of highest rank; all when left out
    watch          told of the number of images that are done, and of all

    Raises DataError for data that cannot be read or a file that cannot be written, SettingsError for a split that the
    set does not have, MissingExtraError without OpenCV.
    """
    name = full_name(name_or_folder)
    readers = open_splits(name, root=root, task="detection", columns=columns, allow=allow).readers
    if split is not None:
        chosen = [reader for reader in readers if reader.split == split]
        if not chosen:
            raise SettingsError(f"--split {split}: {name} has {', '.join(reader.split for reader in readers)}")
        readers = chosen
    times: list[float] = []
    begun, source = time.monotonic(), SearchedRegions(times)
    recall, regions, images = Recall(readers[0].classes), dict[str, Floats](), sum(map(len, readers))
    for reader in readers:
        names = _names(reader)
        of_reader: dict[int, Floats] = {}
        for index, boxes in searched(reader, source, range(len(reader)), threads=usable_cpus()):
            of_reader[index] = boxes[:most]
            watch(len(regions) + len(of_reader), images)
        for index, boxes in sorted(of_reader.items()):
            recall.add(reader.target(index), boxes)
            regions[names[index]] = boxes
    write(path, regions)
    return Written(
        name,
        tuple(map(len, regions.values())),
        len(times),
        sum(times) / len(times) if times else 0.0,
        time.monotonic() - begun,
        tuple(printable(name) for name, boxes in regions.items() if not len(boxes)),
        recall,
    )


def _names(reader: Reader[BoxTargets]) -> list[str]:
    """The names of a reader's images in its set; those that two would share are their whole paths."""
    names = [name_in_set(reader, index) for index in range(len(reader))]
    shared = {name for name in names if names.count(name) > 1} if len({*names}) < len(names) else set()
    return [reader.source(index) if name in shared else name for index, name in enumerate(names)]
