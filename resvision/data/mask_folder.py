"""Folders of images with label maps: `images/` and `masks/`, partners by the stem of their names.

Either train/{images,masks} with val/{images,masks} (or test/), or images/ and masks/ alone, from which a fifth is split
off. `classes.txt` in the folder names the classes; see `data.class_list`. Without it every value below 255 is a class,
up to the largest that occurs, and 255 is void. Structure, names and headers of images are checked and masks are decoded
when a folder is opened first, and one error sums up all faults; that holds while the files stay as they are.
`resvision data check` decodes the images as well and lists each fault.

Glossary
    stored values   the numbers in a mask file, 0..255
    labels          the classes that a net is trained on, 0..K-1, and VOID
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import shuffled
from resvision.core.errors import DataError, printable
from resvision.core.images import VOID, Header, Pixels, decode, header
from resvision.core.masks import mask_header, read_mask
from resvision.core.samples import Reader
from resvision.core.views import View, Whole
from resvision.data import cache, contents
from resvision.data.class_list import CLASS_LIST, UNKNOWN, Labels, labels_of, listed_classes, unknown_values
from resvision.data.faults import Fault, Place, attempt, fault, listing, summary
from resvision.data.folder import PHOTOS
from resvision.data.layouts import Layout, Scan
from resvision.data.mask_headers import MaskFiles, look, other_sides, present
from resvision.data.splits import Splits
from resvision.data.tars import PackedNames

CROP_PX = 512
"""The side of training crops, where no image of the folder is smaller."""

T = TypeVar("T")


@dataclass(kw_only=True)
class MaskFolderReader(MaskFiles):
    """One split of images and label maps in files, which are read when they are asked for.

    images, masks  the folders, on disk or inside a tar
    image_names    of the files in their folder, of which `mask_names` are the partners in order
    labels         of every stored value
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None
    images: Place
    masks: Place
    image_names: PackedNames
    mask_names: PackedNames
    labels: Labels

    def __len__(self) -> int:
        return len(self.image_names)

    def target(self, index: int) -> Pixels:
        """The mask of sample `index`, (H, W) of 0..K-1 and VOID. Raises DataError for values that are neither."""
        stored = self.stored(index)
        labels = self.labels.take(stored)
        if labels.min() == UNKNOWN:
            fault_text = unknown_values(np.unique(stored), self.labels)
            raise DataError(f"{printable(self.target_source(index))}: {fault_text}")
        return labels.astype(np.uint8)

    def source(self, index: int) -> str:
        """The path of the image."""
        return str(self.image_path(index))

    def target_source(self, index: int) -> str:
        """The path of the mask."""
        return str(self.mask_path(index))

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return _read(header, self.image_path(index))

    def mask_header(self, index: int) -> Header:
        """The header of the mask file."""
        return _read(mask_header, self.mask_path(index))

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return _read(decode, self.image_path(index))

    def stored(self, index: int) -> Pixels:
        """The stored values of the mask, (H, W)."""
        return _read(read_mask, self.mask_path(index))

    def image_path(self, index: int) -> Place:
        """The path of the image."""
        return self.images / self.image_names[index]

    def mask_path(self, index: int) -> Place:
        """The path of the mask."""
        return self.masks / self.mask_names[index]

    def content(self, index: int) -> bytes | None:
        """The stored image, or pieces of it."""
        return contents.content_of(self.image_path(index))

    def stamp(self, index: int) -> tuple[int, ...]:
        """The sizes and times of change in ns of image and mask, or of the tar they are in; -1 for what is missing."""
        return *cache.stamp(self.image_path(index)), *cache.stamp(self.mask_path(index))


@dataclass
class MaskScan(Scan):
    """The two splits of a set with label maps, and their faults, by structure and names.

    parted  whether the set itself says which images are for testing; else they were split off here
    """

    folder: Place
    train: MaskFiles
    test: MaskFiles
    split_rule: str
    faults: list[Fault]
    parted: bool = True
    present_values: list[NDArray[np.bool_]] = field(default_factory=list)
    """The values in each mask that `look` has decoded, (256,); none for a mask that could not be read."""

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """The fingerprint of all files and of the labels of their values."""
        return cache.fingerprint(self.train, self.test, also=f"{self.train.classes}{self.train.labels.tolist()}")

    def look(self, reader: Reader[Any], index: int, faults: list[Fault]) -> Pixels | None:
        """Decode image and mask, which must have equal sides, and note the values that the mask holds."""
        assert isinstance(reader, MaskFiles), "the readers of this scan"
        mask_source = reader.target_source(index)
        stored = attempt(reader.stored, index, mask_source, faults)
        self.present_values.append(np.zeros(256, dtype=bool) if stored is None else present(stored))
        image = attempt(reader.image, index, reader.source(index), faults)
        if image is not None and stored is not None and image.shape[:2] != stored.shape:
            faults.append(fault(mask_source, other_sides(image.shape, stored.shape)))
        return image

    def faults_of_targets(self) -> list[Fault]:
        """The faults of values and classes in all masks."""
        present_values = np.array(self.present_values, dtype=bool).reshape(-1, 256)
        settle(self, present_values)
        return value_faults(self, present_values)


def is_mask_folder(folder: Place) -> bool:
    """Whether a folder holds images/ and masks/, itself or in train/."""
    return any((part / "images").is_dir() and (part / "masks").is_dir() for part in (folder, folder / "train"))


def is_half_a_mask_folder(folder: Place) -> bool:
    """Whether images/ or masks/ stands without the other as the only folder in a folder, or in its train."""
    return any(
        part.is_dir() and {name for name, is_folder in listing(part, []) if is_folder} in ({"images"}, {"masks"})
        for part in (folder, folder / "train")
    )


def open_splits(folder: Place, *, name: str | None = None) -> Splits:
    """Open the folder's splits. Raises one DataError for all faults of structure, names, headers and masks."""
    scanned_folder = scan(folder, name=name)
    facts, faults = look(scanned_folder.train, scanned_folder.test, decoded=True)
    if not scanned_folder.faults + faults:
        settle(scanned_folder, facts.present_values)
        faults += value_faults(scanned_folder, facts.present_values)
    if faults := scanned_folder.faults + faults:
        raise DataError(summary(folder, faults))
    scanned_folder.train.view = scanned_folder.test.view = whole(channels=3 if facts.colour else 1)
    scanned_folder.train.crop_px = scanned_folder.test.crop_px = min(CROP_PX, facts.shortest_px)
    return scanned_folder.splits


def opened(scan: MaskScan) -> Splits:
    """Check the files of a named set for its splits. Raises DataError for faults of structure, names and headers."""
    _, faults = look(scan.train, scan.test, decoded=False)
    if faults := scan.faults + faults:
        raise DataError(summary(scan.folder, faults))
    return scan.splits


def scan(folder: Place, *, name: str | None = None) -> MaskScan:
    """The folder's splits and the faults of its structure, names and class list.

    Without a class list the readers have no classes yet; `settle` gives them.
    """
    faults: list[Fault] = []
    classes, labels = listed_classes(folder, faults) or ((), labels_of(range(VOID)))
    scanned_folder = paired(folder, name=name or str(folder), classes=classes, labels=labels, crop_px=CROP_PX)
    scanned_folder.faults = faults + scanned_folder.faults
    return scanned_folder


def paired(folder: Place, *, name: str, classes: tuple[str, ...], labels: Labels, crop_px: int) -> MaskScan:
    """Scan images/ and masks/ in a folder, or in its train and val, for splits and for faults of names."""
    faults: list[Fault] = []
    held_out = next((split for split in ("val", "test") if (folder / split).is_dir()), None)
    parted = (folder / "train").is_dir()
    if parted and held_out:
        train, test = (_pairs_in(folder / split, faults) for split in ("train", held_out))
        rule = f"from the folders train and {held_out}"
        if held_out == "val" and (folder / "test").is_dir():
            rule += "; the folder test is left untouched"
    elif parted:
        fault_text = f"no folder val or test beside train; add one, or name {folder / 'train'} to have it split"
        faults.append(fault(folder, fault_text))
        train, test, rule = [], [], ""
    else:
        train, test = _split_off(_pairs_in(folder, faults))
        rule = "a fifth is val, after a shuffle with seed 0"
        if len(train) + len(test) == 1:
            faults.append(fault(folder / "images", "one image only; two are needed to split one off"))
    readers = [
        folder_reader(
            name,
            split,
            (folder / split if parted else folder) / "images",
            (folder / split if parted else folder) / "masks",
            pairs,
            classes=classes,
            labels=labels,
            crop_px=crop_px,
        )
        for split, pairs in (("train", train), (held_out if parted and held_out else "val", test))
    ]
    return scanned(folder, *readers, rule=rule, faults=faults, parted=parted)


Pairs = Sequence[tuple[str, str]]
"""Names of images and of their masks, each in its folder."""


def folder_reader(
    name: str,
    split: str,
    images: Place,
    masks: Place,
    pairs: Pairs,
    *,
    classes: tuple[str, ...],
    labels: Labels,
    crop_px: int,
    channels: int = 3,
) -> MaskFolderReader:
    """The reader of the pairs of images and masks in two folders."""
    return MaskFolderReader(
        name=name,
        split=split,
        classes=classes,
        view=whole(channels=channels),
        crop_px=crop_px,
        images=images,
        masks=masks,
        image_names=PackedNames(image for image, _ in pairs),
        mask_names=PackedNames(mask for _, mask in pairs),
        labels=labels,
    )


def scanned(
    folder: Place,
    train: MaskFiles,
    test: MaskFiles,
    *,
    rule: str,
    faults: list[Fault],
    parted: bool = True,
) -> MaskScan:
    """The scan of two readers, whose split rule gives their counts."""
    counts = f"{len(train):,} train / {len(test):,} {test.split} images"
    return MaskScan(folder, train, test, f"{counts}, {rule}", faults, parted)


def whole(*, channels: int = 3) -> Whole:
    """The view of whole images at their own size, with ImageNet's normalization."""
    photos = PHOTOS.coloured(channels)
    return Whole(channels=channels, mean=photos.mean, std=photos.std)


Names = dict[str, str]
"""Key -> name of a file in its folder; an image and its mask share the key."""


def by_stem(folder: Place, faults: list[Fault]) -> Names:
    """Every file in a folder by its stem; folders in it and a second file of one stem add to `faults`."""
    files: Names = {}
    for name, is_folder in listing(folder, faults):
        stem = PurePath(name).stem
        if is_folder:
            faults.append(fault(folder / name, f"a folder inside {folder.name}"))
        elif stem in files:
            faults.append(fault(folder / name, f"its name differs from {files[stem]} in the ending only"))
        else:
            files[stem] = name
    return files


def partners(
    images: Place,
    masks: Place,
    faults: list[Fault],
    names_in: Callable[[Place, list[Fault]], Names] = by_stem,
) -> list[tuple[str, str]]:
    """Pair the images and masks of two folders by key, in order of key; files without a partner add to `faults`."""
    image_of, mask_of = names_in(images, faults), names_in(masks, faults)
    if not image_of:
        faults.append(fault(images, "no images"))
    without_partner = [
        (images / image_of[key], f"no mask of that name in {masks}") for key in image_of.keys() - mask_of
    ]
    without_partner += [
        (masks / mask_of[key], f"no image of that name in {images}") for key in mask_of.keys() - image_of
    ]
    faults += sorted(fault(path, printable(text)) for path, text in without_partner)
    return [(image_of[key], mask_of[key]) for key in sorted(image_of.keys() & mask_of.keys())]


def settle(scan: MaskScan, present_values: NDArray[np.bool_]) -> None:
    """Name the classes of readers that have no class list: every value up to the largest present below VOID."""
    if not scan.train.classes:
        values = np.flatnonzero(present_values[:, :VOID].any(axis=0))
        count = int(values[-1]) + 1 if len(values) else 0
        for reader in (scan.train, scan.test):
            reader.classes, reader.labels = tuple(f"class {label}" for label in range(count)), labels_of(range(count))


def value_faults(scan: MaskScan, present_values: NDArray[np.bool_]) -> list[Fault]:
    """The faults of the values in masks, `present_values` (M, 256), those of training first."""
    readers = scan.train, scan.test
    labels, classes = scan.train.labels, scan.train.classes
    sources = [reader.target_source(index) for reader in readers for index in range(len(reader))]
    faults: list[Fault] = []
    one_is_255 = np.array([0, VOID]) if len(classes) == 2 and labels[VOID] == VOID else None
    for source, present_row in zip(sources, present_values, strict=True):
        values = np.flatnonzero(present_row)
        if (labels[values] == UNKNOWN).any():
            faults.append(fault(source, unknown_values(values, labels)))
        elif one_is_255 is not None and np.array_equal(values, one_is_255):
            what = f"values 0 and {VOID} only: {VOID} is void, and 1 is meant for {classes[1]}"
            faults.append(fault(source, f"{what}; {_STATE_IT}"))
        elif len(values) and (labels[values] == VOID).all():
            faults.append(fault(source, "all void: nothing in it can be learnt or judged; leave the pair out"))
    if len(present_values):
        judged = present_values[: len(scan.train)] if scan.parted else present_values
        faults += _class_faults(scan, np.asarray(judged.any(axis=0)))
    return faults


def _class_faults(scan: MaskScan, occurring: NDArray[np.bool_]) -> list[Fault]:
    """The faults of classes: too few of them, or some that are not among `occurring` values, (256,)."""
    labels, classes = scan.train.labels, scan.train.classes
    if len(classes) < 2:
        text = f"one class only, {classes[0]}" if classes else "no class, since every mask is all void"
        hint = f"; {VOID} is void: {_STATE_IT}" if occurring[VOID] else ""
        return [fault(scan.folder, f"{text}; two are needed{hint}")]
    masks = "training mask" if scan.parted else "mask"
    never = [name for label, name in enumerate(classes) if not (occurring & (labels == label)).any()]
    return [fault(scan.folder, f"{name} never occurs in a {masks}") for name in never]


_STATE_IT = f"store 1 in its place, or write `0 background` and `{VOID} object` into {CLASS_LIST}"


def _pairs_in(folder: Place, faults: list[Fault]) -> Pairs:
    """Pair images/ and masks/ in a folder; a missing one adds to `faults`."""
    folders = folder / "images", folder / "masks"
    missing = [path for path in folders if not path.is_dir()]
    faults += [fault(path, "no such folder") for path in missing]
    if missing:
        return []
    return partners(*folders, faults)


def _split_off(pairs: Pairs) -> tuple[Pairs, Pairs]:
    """Split pairs into training and validation: a fifth, at least one, is validation."""
    held_out = set(shuffled(len(pairs), seed=0)[: max(1, len(pairs) // 5)].tolist())
    train = [pair for index, pair in enumerate(pairs) if index not in held_out]
    return train, [pair for index, pair in enumerate(pairs) if index in held_out]


def _read(decoder: Callable[..., T], path: Place) -> T:
    """Read a file by `decoder`, from its path, or from its content where it lies inside a tar."""
    return decoder(path) if isinstance(path, Path) else decoder(path.read_bytes(), name=str(path))


LAYOUT = Layout(
    recognises=lambda place: is_mask_folder(place) or is_half_a_mask_folder(place),
    scan=scan,
    open=open_splits,
    open_whole=lambda place: None,
    hint="images/ and masks/ with label maps of the same names, or both in train and in val",
)
