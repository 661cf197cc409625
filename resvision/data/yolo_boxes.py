"""Folders of images with boxes in YOLO's text (`data.yolo_text`), a file for each image.

images/{train,val,test} with labels/{train,val,test}; <split>/images with <split>/labels, as Roboflow writes it; images/
with labels/, or texts beside their images, from which a fifth is split off. `data.yaml` (`data.data_yaml`) in the
folder names classes and folders, or else `classes.txt` names the classes, a name a line. A person may name the
folder by its `data.yaml`, which may then lead to folders elsewhere. An empty text is that of a background image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.files import LIST
from resvision.core.plurals import counted
from resvision.data.box_columns import NO_LABEL, BoxColumns, Gathering, Row
from resvision.data.box_parts import BoxPart
from resvision.data.box_reader import LabelFiles
from resvision.data.box_scan import Found, layout
from resvision.data.class_list import CLASS_LIST
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import all_entries, fault, fault_in, fault_of
from resvision.data.litter import is_litter
from resvision.data.named_classes import listed_names
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, read_text
from resvision.data.table_files import clean, full_path, is_file, leads_out
from resvision.data.yolo_folders import DESCRIPTIONS, ENDING, Part, has_splits, home_of, labels_of, recognises
from resvision.data.yolo_text import read_labels

_DEEPEST = 16


def find(place: Place, ledger: Ledger, name: str | None = None) -> Found:
    """The parts of a folder, or of the description that a person names; `name` is that of a named set."""
    found = Found(folder=place, shown=name or str(place), ledger=ledger)
    home = home_of(place, ledger)
    keypoints = False
    if home.description is not None:
        found.listed, (found.classes, *_, keypoints) = home.description
    # Tools for labelling write the list beside the labels, where a description tells it from those of classes.jpg
    parts = [] if home.description else home.parts.values()
    beside = [part.base / labels_of(path) for part in parts for path in part.paths]
    for folder in dict.fromkeys([home.folder, *beside]):
        names = listed_names(folder, ledger)
        if names is not None and not found.classes:
            found.classes, found.listed = names, folder / CLASS_LIST
        elif names not in (None, found.classes):
            what = f"other names, or another order, than in {found.listed}, so ids do not mean the same"
            ledger.faults.append(fault(folder / CLASS_LIST, what))
    if not (found.classes or ledger.faults):  # what keeps a description from being read is named already
        what = f"no names of classes: write `names:` into {DESCRIPTIONS[0]}, or {CLASS_LIST}, a name a line"
        ledger.faults.append(fault(found.folder, what))
    found.parts = [_part(split, part, found, keypoints=keypoints) for split, part in home.parts.items()]
    paths = " and ".join(path for part in home.parts.values() for path in part.paths)
    found.rule = f"from {paths}" if home.description is None else f"from {paths} by {home.description[0].name}"
    return found


# Parts of a set ------------------------------------------------------------------------------------------------------


def _part(split: str, part: Part, found: Found, *, keypoints: bool) -> BoxPart:
    """The part of the images of a split, with their labels; images without a text are faults, or background."""
    ledger = found.ledger
    images = [image for path in part.paths for image in _images(part.base, path, ledger)]
    labels = {labels_of(path) for path in part.paths if not path.endswith(ENDING)}
    texts = {text for path in labels for text in _files(part.base, path) if text.endswith(ENDING)}
    gathering, kept, sources, polygons = Gathering(), list[str](), list[str](), 0
    for image in images:
        text = _text_of(image)
        rows: list[Row] = []
        if text in texts or (not labels and is_file(part.base, text)):
            try:
                rows, outlined = read_labels(part.base / text, keypoints=keypoints)
            except DataError as error:
                ledger.faults.append(fault_in(part.base / text, error))
                continue
            polygons += outlined
        else:
            ledger.add("unlabelled-images", part.base / image, f"no {text} in {part.base}")
        gathering.add(rows)
        kept.append(image)
        sources.append(text)
    known = {_text_of(image) for image in images}
    for text in sorted(texts - known):
        if not _is_note(PurePosixPath(text).name):
            ledger.add("missing-images", part.base / text, "no image of that name")
    if polygons:
        found.notes.append(f"the extent of polygons stands for {counted(polygons, 'box')} of {split}")
    columns = gathering.columns()
    if not found.classes:
        found.classes = tuple(f"class {label}" for label in range(int(columns.labels.max(initial=0)) + 1))
    files = LabelFiles(part.base, PackedNames(sources))
    return BoxPart(
        split=split,
        images=part.base,
        image_names=PackedNames(kept),
        sources=files,
        columns=_known(columns, files, len(found.classes), ledger),
        names=found.classes,
        ids=tuple(range(len(found.classes))),
        stated=np.zeros((len(kept), 2), dtype=np.int64),
        normalized=True,
        shown=_shown,
    )


def _text_of(image: str) -> str:
    """The path of the labels of an image."""
    return str(PurePosixPath(labels_of(image)).with_suffix(ENDING))


def _known(columns: BoxColumns, files: LabelFiles, count: int, ledger: Ledger) -> BoxColumns:
    """The columns with NO_LABEL in place of ids that no class has, which are faults or left out."""
    unknown = columns.labels >= count
    rows = np.flatnonzero(unknown)
    shifted = len(rows) and columns.labels.min() >= 1 and columns.labels.max() == count
    hint = "; no box has 0, so classes may be counted from 1, and are due from 0" if shifted else ""
    images = columns.images
    for row in rows.tolist():
        where = files.where(int(images[row]), int(columns.lines[row]))
        ledger.add("unknown-classes", where, f"class {columns.labels[row]}, not one of 0..{count - 1}{hint}")
    return replace(columns, labels=np.where(unknown, NO_LABEL, columns.labels))


def _images(base: Place, path: str, ledger: Ledger) -> Iterator[str]:
    """Yield the images in a folder and below, or those that a text lists, by their paths below the base."""
    if not path.endswith(ENDING):
        yield from (file for file in _files(base, path) if not is_litter(PurePosixPath(file).name, is_folder=False))
        return
    try:
        lines = read_text(base / path, LIST).splitlines()
    except DataError as error:
        ledger.faults.append(fault_of(str(base / path), error))
        return
    seen: dict[str, int] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        image = _listed_image(base, path, line)
        where = f"{base / path}:{number}"
        if image is not None and (earlier := seen.setdefault(image, number)) != number:
            ledger.faults.append(fault(where, f"{printable(line)} is in line {earlier}, too"))
        elif image is not None:
            yield image
        elif line:
            ledger.add("missing-images", where, f"no image {printable(line)} in {base}")


def _listed_image(base: Place, path: str, line: str) -> str | None:
    """The path below the base of an image in a line of the list at `path`; None where it is not there.

    Lines are paths below the folder of the list, or below the base, or in full, as Darknet writes them.
    """
    home = path.rpartition("/")[0]
    candidates = [clean(f"{home}/{line}" if home else line), clean(line, below=full_path(base))]
    inside = [image for image in candidates if not leads_out(image) and "\0" not in image]
    return next((image for image in inside if is_file(base, image)), None)


def _files(base: Place, path: str, *, above: tuple[Place, ...] = ()) -> Iterator[str]:
    """Yield the files in a folder and below, hidden ones left out, by their paths below the base.

    A link that leads back to one of the folders `above` is left out.
    """
    folder = base / path if path else base
    real = folder.resolve() if isinstance(folder, Path) else folder
    if real in above or len(above) > _DEEPEST:
        return
    for name, is_folder in all_entries(folder, []):
        below = f"{path}/{name}" if path else name
        if not is_folder and not name.startswith("."):
            yield below
        elif is_folder and not is_litter(name, is_folder=True):
            yield from _files(base, below, above=(*above, real))


def _is_note(name: str) -> bool:
    """Whether a text is none of labels by its name."""
    return name == CLASS_LIST or name.casefold().startswith(("readme", "notes", "license"))


def _shown(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"{(x1 + x2) / 2:g} {(y1 + y2) / 2:g} {x2 - x1:g} {y2 - y1:g}"


LAYOUT = layout(
    find,
    recognises=recognises,
    has_splits=has_splits,
    hint="images with YOLO's texts: data.yaml, images/{train,val} and labels/{train,val}, or <split>/images and labels",
)
