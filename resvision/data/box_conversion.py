"""Sets with boxes written anew in another form: Pascal VOC XML, COCO JSON or YOLO text.

Images are copied byte by byte, so that the new folder stands alone; an image that its EXIF orientation turns is saved
upright, as PNG, because forms do not all say in which frame its boxes lie. The folder is there whole at the end, or
not at all.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from resvision.core.drafts import draft_folder, sweep, sync_folder
from resvision.core.errors import DataError, SettingsError, printable, unknown_name
from resvision.core.files import open_regular
from resvision.core.images import Pixels
from resvision.core.orientation import UPRIGHT
from resvision.core.plurals import counted
from resvision.core.rundir import unwritable
from resvision.core.samples import Reader
from resvision.data.box_reader import BoxReader
from resvision.data.coco_columns import CocoPlaces
from resvision.data.coco_writer import CocoWriter
from resvision.data.image_names import ImageNames
from resvision.data.labelled_image import LabelledImage
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.voc_writer import VocWriter
from resvision.data.yolo_writer import YoloWriter
from resvision.kinds.detection.boxes import BoxTargets


class BoxWriter(Protocol):
    """Writes images with boxes into a folder, in one form.

    holds         the facts that the form has a place for, of `difficult`, `crowd`, `areas` and `ids`
    shares_names  whether the images of all splits lie in one folder
    """

    holds: frozenset[str]
    shares_names: bool

    def images(self, split: str) -> Path:
        """The folder for the images of a split."""
        ...

    def add(self, split: str, image: LabelledImage) -> None:
        """Take the labels of the next image."""
        ...

    def finish(self) -> None:
        """Write what stands for all images together."""
        ...


FORMS: dict[str, Callable[[Path, tuple[str, ...], tuple[int, ...]], BoxWriter]] = {
    "voc": VocWriter,
    "coco": CocoWriter,
    "yolo": YoloWriter,
}
"""Writers, from a folder, the classes, and the id of each class."""


@dataclass
class Conversion:
    """The outcome of a conversion.

    folder   that was written
    images   in each split
    boxes    in all of them
    classes  that were written
    lost     how often the form has no place for a fact: `difficult`, `crowd`, `areas`, `ids`
    renamed  images that have another name than before
    turned   images that were saved upright
    rule     how the set that was read is parted, and what was left out of it
    notes    on that set
    """

    form: str
    folder: Path
    rule: str
    images: Counter[str] = field(default_factory=Counter)
    boxes: int = 0
    classes: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    renamed: int = 0
    turned: int = 0
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The outcome in sentences."""
        splits = ", ".join(f"{counted(count, 'image')} of {split}" for split, count in self.images.items())
        summary = f"{splits}; {counted(self.boxes, 'box')} of {counted(self.classes, 'class')}"
        form = self.form.upper()
        held = [f"{form} does not hold {words(self.lost[fact])}" for fact, words in _LOST.items() if self.lost[fact]]
        if self.renamed:
            held.append(f"{counted(self.renamed, 'image')} got another name, since {form} cannot hold the old one")
        if self.turned:
            held.append(f"{counted(self.turned, 'image')} turned by EXIF: saved upright, as PNG")
        return [f"{printable(self.folder)}: {summary}", f"read: {self.rule}", *self.notes, *held]


_LOST: dict[str, Callable[[int], str]] = {
    "crowd": lambda count: f"regions of crowds: {count:,} left out, which as boxes would be wrong",
    "difficult": lambda count: f"that objects are difficult: {counted(count, 'box')} became ordinary",
    "areas": lambda count: f"areas of outlines: {counted(count, 'box')} have only their own area",
    "ids": lambda count: f"ids of classes: {count:,} go by name, in the same order",
}


def convert(
    name_or_folder: str,
    folder: Path,
    form: str,
    *,
    root: Path | None = None,
    allow: Sequence[str] = (),
    watch: Callable[[int, int], None] = lambda done, images: None,
) -> Conversion:
    """Write the set that a name or a folder means into a new folder, in the form `voc`, `coco` or `yolo`.

    allow  kinds of faults that are left out (`data.fault_kinds`)
    watch  takes the number of images written so far and the number of all

    Raises UnknownNameError, DataError for a set at fault, SettingsError for one without boxes and for a folder that is
    there already or lies in the set's, RunError where the folder cannot be written.
    """
    if form not in FORMS:
        raise unknown_name("form of boxes", form, FORMS)
    if folder.exists() or folder.is_symlink():
        raise SettingsError(f"{printable(folder)}: there already, and nothing is written over; name a new folder")
    source = Path(name_or_folder)
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        what = f"lies in {printable(source)}, which would hold other images then; name a folder elsewhere"
        raise SettingsError(f"{printable(folder)}: {what}")
    splits = open_splits(name_or_folder, root=root, task=None, allow=allow)
    _require_boxes(name_or_folder, splits)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent, ours=False)
        with draft_folder(folder) as draft:
            outcome = write(splits, draft, form, watch=watch)
            draft.rename(folder)
            outcome.folder = folder
        sync_folder(folder.parent)
    except OSError as error:
        raise unwritable(folder, error, option="FOLDER") from None
    return outcome


def write(
    splits: Splits, folder: Path, form: str, *, watch: Callable[[int, int], None] = lambda done, images: None
) -> Conversion:
    """Write the images and boxes of all splits into an empty folder."""
    classes = splits.train.classes
    writer = FORMS[form](folder, classes, ids_of(splits))
    outcome = Conversion(form, folder, splits.split_rule, classes=len(classes), notes=splits.notes)
    names = ImageNames(shared=writer.shares_names)
    images = sum(map(len, splits.readers))
    for reader in splits.readers:
        place = writer.images(reader.split)
        place.mkdir(parents=True, exist_ok=True)
        for index in range(len(reader)):
            labelled = _copied(reader, index, place, names, outcome)
            labelled = labelled._replace(targets=_held(labelled.targets, writer.holds, outcome.lost))
            writer.add(reader.split, labelled)
            outcome.images[reader.split] += 1
            outcome.boxes += len(labelled.targets.boxes)
            watch(outcome.images.total(), images)
    if "ids" not in writer.holds and _has_own_ids(splits):
        outcome.lost["ids"] = len(classes)
    writer.finish()
    outcome.renamed = names.renamed
    return outcome


def ids_of(splits: Splits) -> tuple[int, ...]:
    """The id of each class: that of documents of COCO's form, or numbers from 1."""
    reader = splits.train
    if isinstance(reader, BoxReader) and isinstance(reader.sources, CocoPlaces):
        return reader.category_ids
    return tuple(range(1, len(reader.classes) + 1))


def _copied(reader: Reader[Any], index: int, place: Path, names: ImageNames, outcome: Conversion) -> LabelledImage:
    """Copy an image into the folder of its split; its name there, its sides and its boxes."""
    if not isinstance(reader, BoxReader):
        sample = reader[index]
        name = names.name(reader.split, f"{reader.split}-{index:06d}.png", ".png")
        _save(sample.image, place / name)
        return _labelled(name, sample.image.shape, sample.target)
    path, head = reader.path(index), reader.header(index)
    old = reader.image_names[index]
    if head.orientation != UPRIGHT:
        outcome.turned += 1
        name = names.name(reader.split, old, ".png")
        _save(reader.image(index), place / name)
    else:
        name = names.name(reader.split, old, Path(old).suffix)
        with (place / name).open("xb") as copy:
            if isinstance(path, Path):
                with open_regular(path) as original:
                    shutil.copyfileobj(original, copy)
            else:
                copy.write(path.read_bytes())
    labelled = _labelled(name, (*head.upright, 3 if head.colour else 1), reader.target(index))
    number = int(reader.sources.image_ids[index]) if isinstance(reader.sources, CocoPlaces) else None
    return labelled._replace(number=number)


def _labelled(name: str, shape: Sequence[int], targets: BoxTargets) -> LabelledImage:
    height, width, *channels = shape
    return LabelledImage(name, width, height, channels[0] if channels else 1, targets)


def _save(image: Pixels, path: Path) -> None:
    content = BytesIO()
    Image.fromarray(image).save(content, "PNG")
    path.write_bytes(content.getvalue())


def _held(targets: BoxTargets, holds: frozenset[str], lost: Counter[str]) -> BoxTargets:
    """The boxes that a form can hold; what it cannot is counted in `lost`."""
    if "crowd" not in holds:
        lost["crowd"] += int(targets.crowd.sum())
        targets = targets.at(~targets.crowd)
    if "difficult" not in holds:
        lost["difficult"] += int(targets.difficult.sum())
    if "areas" not in holds:
        of_boxes = BoxTargets.of(targets.boxes, targets.labels).areas
        lost["areas"] += int((np.abs(targets.areas - of_boxes) > 1e-3 * of_boxes).sum())
    return targets


def _has_own_ids(splits: Splits) -> bool:
    """Whether the classes had ids that are no mere numbering from 0 or 1."""
    ids, count = ids_of(splits), len(splits.train.classes)
    return ids not in (tuple(range(count)), tuple(range(1, count + 1)))


def _require_boxes(name: str, splits: Splits) -> None:
    """Raise SettingsError for a set without boxes."""
    if len(splits.train) and not isinstance(splits.train.target(0), BoxTargets):
        raise SettingsError(f"{printable(name)}: its images have no boxes, which is what forms of boxes hold")
    if len(splits.train) == 0:
        raise DataError(f"{printable(name)}: no images")
