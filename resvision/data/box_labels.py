"""Boxes that a net has found, written as labels of a data set: a way to label images beforehand.

Each class is a form of labels (`kinds.kind.LabelForm`). An image's labels have the name of the image, with another
ending; where a form holds all images in one document, each has a hidden record until that is written. Scores go into
COCO's document, the only one with a place for them.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from resvision.core import rundir
from resvision.core.drafts import draft_file
from resvision.core.errors import DataError, printable
from resvision.core.files import LIST, SMALL, read_whole
from resvision.core.images import Pixels
from resvision.core.results import Detections
from resvision.data.coco_writer import Record, decoded, encoded, record_of, write_document
from resvision.data.labelled_image import LabelledImage
from resvision.data.places import read_file
from resvision.data.voc_writer import annotation
from resvision.data.yolo_writer import lines
from resvision.kinds.detection.boxes import BoxTargets


class VocLabels:
    """NAME.xml for each image."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The annotation of an image."""
        return (out / f"{source.stem}.xml",)

    def contents(self, result: Detections, image: Pixels) -> Iterator[bytes]:
        """Yield the annotation."""
        yield annotation(_labelled(result, image), self._classes)

    def common_files(self, out: Path) -> tuple[Path, ...]:
        """None: classes go by name."""
        return ()

    def require_open(self, out: Path) -> None:
        """Nothing is written for all images."""

    def finish(self, sources: Iterable[Path], out: Path) -> None:
        """Nothing is left to write."""


class YoloLabels:
    """NAME.txt for each image, and classes.txt with the names of the classes, one a line."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The lines of an image."""
        return (out / f"{source.stem}.txt",)

    def contents(self, result: Detections, image: Pixels) -> Iterator[bytes]:
        """Yield the lines; an image in which nothing was found has none, which makes it background."""
        yield lines(_labelled(result, image))

    def common_files(self, out: Path) -> tuple[Path, ...]:
        """The names of the classes."""
        return (out / "classes.txt",)

    def require_open(self, out: Path) -> None:
        """Ask for the same names, if any, as ids would not mean the same by others."""
        (path,) = self.common_files(out)
        if path.exists() and read_file(path, SMALL) != self._names():
            what = "other names, or another order, than the run's; name a new folder by --out"
            raise DataError(f"{printable(path)}: {what}")

    def finish(self, sources: Iterable[Path], out: Path) -> None:
        """Write the names of the classes."""
        rundir.write_bytes(out / "classes.txt", self._names())

    def _names(self) -> bytes:
        return "".join(f"{name}\n" for name in self._classes).encode()


class CocoLabels:
    """annotations.json for all images; their order is that in which they were asked for."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The record of an image, which is there until the document is written."""
        return (out / f".{source.name}.boxes",)

    def contents(self, result: Detections, image: Pixels) -> Iterator[bytes]:
        """Yield the record."""
        yield encoded(record_of(_labelled(result, image)))

    def common_files(self, out: Path) -> tuple[Path, ...]:
        """The document."""
        return (out / "annotations.json",)

    def require_open(self, out: Path) -> None:
        """Ask for a folder without the document, which is written once all images are there."""
        (path,) = self.common_files(out)
        if path.exists() or path.is_symlink():
            raise DataError(f"{printable(path)}: there already, and whole; name a new folder by --out")

    def finish(self, sources: Iterable[Path], out: Path) -> None:
        """Write the document of all images that have a record, and remove the records."""
        path = out / "annotations.json"
        ids = tuple(range(1, len(self._classes) + 1))
        try:
            with draft_file(path) as file:
                write_document(file, lambda: self._records(sources, out), self._classes, ids)
        except OSError as error:
            raise rundir.unwritable(path, error) from None
        for source in sources:
            with suppress(OSError):  # a record that stays does no harm
                self.files(source, out)[0].unlink()

    def _records(self, sources: Iterable[Path], out: Path) -> Iterator[Record]:
        """Yield the records of the images that have one; an image that could not be read has none."""
        for source in sources:
            (path,) = self.files(source, out)
            if path.exists():
                yield decoded(read_whole(path, LIST))


def _labelled(result: Detections, image: Pixels) -> LabelledImage:
    """The image of a result with its boxes."""
    channels = image.shape[2] if image.ndim == 3 else 1
    targets = BoxTargets.of(result.boxes, result.labels)
    return LabelledImage(Path(result.source).name, result.width, result.height, channels, targets, result.scores)
