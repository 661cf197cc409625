"""Folders of images with label maps: `images/` and `masks/`, partners by the stem of their names.

Either train/{images,masks} with val/{images,masks} (or valid/, validation/, test/; where test/ is beside one of the
others, that one judges on the way and test/ the result), or images/ and masks/ alone, from which a fifth is split off.
IMAGES and MASKS are the names that such folders may have. `classes.txt` in the folder names the classes; see
`data.class_list`. Without it every value below 255 is a class, up to the largest that occurs, and 255 is void.
Structure, names and headers of images are checked and masks are decoded when a folder is opened first, and one error
sums up all faults; that holds while the files stay as they are. `resvision data check` decodes the images as well and
lists each fault.

Glossary
    stored values   the numbers in a mask file, 0..255
    labels          the classes that a net is trained on, 0..K-1, and VOID
"""

from collections.abc import Sequence
from dataclasses import replace

from resvision.core.draws import shuffled
from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.data.class_list import ClassList, Labels, labels_of, listed_classes
from resvision.data.deep_images import sampled_note
from resvision.data.faults import Fault, all_entries, fault, listing, summary
from resvision.data.layouts import Layout, Whole
from resvision.data.listed_images import SPLIT_TABLE, VAL, has_split_table, missing_lines, parted, read_listed
from resvision.data.litter import is_litter, note_of
from resvision.data.mask_headers import FileFacts, look
from resvision.data.mask_pairs import MaskFolderReader, PairFolders, Pairs, folder_reader, partners, whole
from resvision.data.mask_scan import MaskScan, all_value_faults, scanned, settle
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place
from resvision.data.split_folders import TRAIN, beside, has_split_folders, split_folders, without_partner
from resvision.data.splits import Splits

IMAGES = "images", "image", "imgs", "img"
MASKS = "masks", "mask", "labels", "label", "annotations"

DESCRIPTIONS = ".json", ".yaml", ".yml"
"""The endings of files that describe a whole set of images with boxes."""
TEXTS = ".xml", ".txt", *DESCRIPTIONS
"""The endings of files that hold boxes."""

CROP_PX = 512
"""The side of training crops, where images are not usually smaller."""


def is_mask_folder(folder: Place) -> bool:
    """Whether a folder holds a folder of images and one of masks, itself or in train/; texts alone are no masks.

    Beside a description such as `data.yaml` an empty folder is none of masks either.
    """
    masks = [part / names[1] for part in (folder, folder / TRAIN) if (names := _pair_of_folders(part)) is not None]
    is_described = _holds_texts(folder, DESCRIPTIONS, depth=0)
    return any(not _holds_texts(place) and not (is_described and _is_empty(place)) for place in masks)


def is_half_a_mask_folder(folder: Place) -> bool:
    """Whether images/ or masks/ stands without the other as the only folder in a folder, or in its train."""
    return any(
        part.is_dir()
        and {name for name, is_folder in listing(part, []) if is_folder} in ({"images"}, {"masks"})
        and not _holds_texts(part, DESCRIPTIONS)
        for part in (folder, folder / TRAIN)
    )


def open_splits(folder: Place, columns: Sequence[str] = (), *, name: str | None = None) -> Splits:
    """Open the folder's splits. Raises one DataError for all faults of structure, names, headers and masks."""
    return opened(scan(folder, columns, name=name))


def opened(scanned_folder: MaskScan) -> Splits:
    """Look at all files of a scan for its splits, and note what is odd. Raises one DataError for all faults."""
    facts = facts_of(scanned_folder)
    scanned_folder.notes += sampled_note(facts.dark)
    crop_px = facts.crop_px(CROP_PX)
    if padded := sum(side < crop_px for side in facts.shorter_px):
        noun = "image is" if padded == 1 else "images are"
        scanned_folder.notes.append(f"{padded:,} {noun} thinner than the crops of {crop_px} pixels and will be padded")
    return scanned_folder.splits


def open_whole(folder: Place, columns: Sequence[str] = ()) -> Whole | None:
    """Open all images of a folder of images and masks as one split; None where the folder has splits of its own.

    Raises one DataError for all faults, as `open_splits` does, but for listed classes that occur in no mask.
    """
    if has_split_folders(folder) or has_split_table(folder):
        return None
    faults: list[Fault] = []
    litter: list[str] = []
    listed = listed_classes(folder, faults)
    part = _part(folder, faults, litter)
    reader = mask_reader(str(folder), "all", part, listed, CROP_PX)
    no_pairs = replace(reader, image_names=PackedNames([]), mask_names=PackedNames([]))
    scanned_folder = with_list(scanned(folder, reader, no_pairs, rule="", faults=faults, parted=False), listed)
    # Without a list every value up to the largest is a class, and one that never occurs says that values are no classes
    facts_of(scanned_folder, absent_allowed=listed is not None)
    return Whole(reader, tuple(note_of(litter)))


def facts_of(scan: MaskScan, *, absent_allowed: bool = False) -> FileFacts:
    """Look at all files of a scan and settle classes, views and crops. Raises one DataError for all faults."""
    facts, faults = look(*scan.readers, decoded=True)
    if not scan.faults + faults:
        settle(scan, facts.present_values)
        faults += all_value_faults(scan, facts.present_values, facts.soft, absent_allowed=absent_allowed)
    if faults := scan.faults + faults:
        raise DataError(summary(scan.folder, faults))
    for reader in scan.readers:
        reader.view, reader.crop_px = whole(channels=3 if facts.colour else 1), facts.crop_px(CROP_PX)
    return facts


def scan(folder: Place, columns: Sequence[str] = (), *, name: str | None = None) -> MaskScan:
    """The folder's splits and the faults of its structure, names and class list.

    Without a class list the readers have no classes yet; `settle` gives them.
    """
    faults: list[Fault] = []
    listed = listed_classes(folder, faults)
    scanned_folder = _scan(folder, name or str(folder), listed, CROP_PX, published=False, columns=columns)
    scanned_folder.faults = faults + scanned_folder.faults
    return scanned_folder


def paired(folder: Place, *, name: str, classes: tuple[str, ...], labels: Labels, crop_px: int) -> MaskScan:
    """Scan a named set, whose folders train and val hold images/ and masks/, for splits and faults of names.

    Where test is there with masks, val judges on the way.
    """
    return _scan(folder, name, ClassList(classes, labels, states_void=False), crop_px, published=True)


def _scan(
    folder: Place,
    name: str,
    listed: ClassList | None,
    crop_px: int,
    *,
    published: bool,
    columns: Sequence[str] = (),
) -> MaskScan:
    """Scan images and masks in a folder, or in those of its splits; a `published` set is no person's own folder."""
    faults: list[Fault] = []
    litter: list[str] = []
    notes: list[str] = []
    by_table = not published and has_split_table(folder)
    parts = None if by_table else split_folders(folder, faults, is_labelled=_holds_pairs)
    if by_table:
        halves, rule = _parted_by_table(folder, columns, faults, litter)
    elif parts:
        notes = [] if published else beside(folder, parts, litter)
        halves = {split: _part(folder / split, faults, litter) for split in parts.names}
        rule = parts.rule
    elif (folder / TRAIN).is_dir():
        faults.append(fault(folder, without_partner(folder / TRAIN)))
        halves, rule = dict.fromkeys((TRAIN, "val"), PairFolders(folder, folder, [])), ""
    else:
        whole_part = _part(folder, faults, litter)
        train, test = _split_off(whole_part.pairs)
        halves = {TRAIN: whole_part._replace(pairs=train), "val": whole_part._replace(pairs=test)}
        rule = "a fifth is val, after a shuffle with seed 0"
        if len(whole_part.pairs) == 1:
            faults.append(fault(whole_part.images, "one image only; two are needed to split one off"))
    readers = [mask_reader(name, split, half, listed, crop_px) for split, half in halves.items()]
    parted = by_table or (folder / TRAIN).is_dir()
    scanned_folder = scanned(folder, *readers, rule=rule, faults=faults, parted=parted, notes=note_of(litter) + notes)
    return with_list(scanned_folder, listed)


def _parted_by_table(
    folder: Place, columns: Sequence[str], faults: list[Fault], litter: list[str]
) -> tuple[dict[str, PairFolders], str]:
    """The pairs of each split by the table in the folder, and the sentence on how they were parted."""
    part = _part(folder, faults, litter)
    listed = read_listed(folder / SPLIT_TABLE, [folder, part.images], columns, faults, outside=False)
    if listed is None:
        return dict.fromkeys((TRAIN, VAL), part._replace(pairs=[])), ""
    if listed.roles.split is None:
        faults.append(fault(folder / SPLIT_TABLE, "no column of splits, whose cells are train, val or test"))
        return dict.fromkeys((TRAIN, VAL), part._replace(pairs=[])), ""
    within = "" if listed.home is part.images else f"{part.images.name}/"
    pair_of = {f"{within}{pair[0]}": pair for pair in part.pairs}
    known = {image.path for image in listed.images}
    for image in listed.images:
        if image.path not in pair_of:
            faults.append(fault(listed.where(image), f"{image.path} is no image with a mask"))
    if others := [path for path in pair_of if path not in known]:
        faults.append(fault(listed.table.path, missing_lines(others)))
    images, rule = parted(listed, faults)
    pairs = {split: [pair_of[i.path] for i in members if i.path in pair_of] for split, members in images.items()}
    return {split: part._replace(pairs=members) for split, members in pairs.items()}, rule


def with_list(scan: MaskScan, listed: ClassList | None) -> MaskScan:
    """The scan, with its facts about the list of classes set."""
    scan.listed, scan.states_void = listed is not None, listed is not None and listed.states_void
    return scan


def mask_reader(name: str, split: str, part: PairFolders, listed: ClassList | None, crop_px: int) -> MaskFolderReader:
    """The reader of the pairs of a split, which has no classes yet where there is no list of them."""
    classes, labels = ((), labels_of(range(VOID))) if listed is None else listed[:2]
    return folder_reader(name, split, *part, classes=classes, labels=labels, crop_px=crop_px)


def _holds_pairs(folder: Place) -> bool:
    """Whether a folder holds a folder of images and one of masks."""
    return _pair_of_folders(folder) is not None


def _holds_texts(folder: Place, endings: tuple[str, ...] = TEXTS, *, depth: int = 1) -> bool:
    """Whether the files in a folder, or in those in it where it has none, are texts of these endings and litter."""
    entries = all_entries(folder, [])
    files = [name for name, is_folder in entries if not is_folder]
    if not files and depth:
        return any(_holds_texts(folder / name, endings, depth=depth - 1) for name, is_folder in entries if is_folder)
    texts = [name for name in files if name.casefold().endswith(endings)]
    return bool(texts) and all(is_litter(name, is_folder=False) for name in files)


def _is_empty(folder: Place, *, depth: int = 1) -> bool:
    """Whether there is no file in a folder, nor in those in it."""
    return all(
        is_folder and depth > 0 and _is_empty(folder / name, depth=depth - 1)
        for name, is_folder in all_entries(folder, [])
    )


def _pair_of_folders(folder: Place) -> tuple[str, str] | None:
    """The names of the folders of images and of masks in a folder; None where one is missing."""
    pairs = ((images, masks) for masks in MASKS for images in IMAGES)
    return next((pair for pair in pairs if all((folder / name).is_dir() for name in pair)), None)


def _part(folder: Place, faults: list[Fault], litter: list[str]) -> PairFolders:
    """Pair the images and masks of a folder; a missing folder of them adds to `faults`."""
    names = _pair_of_folders(folder) or (IMAGES[0], MASKS[0])
    folders = folder / names[0], folder / names[1]
    missing = [path for path in folders if not path.is_dir()]
    faults += [fault(path, "no such folder") for path in missing]
    return PairFolders(*folders, [] if missing else partners(*folders, faults, litter=litter))


def _split_off(pairs: Pairs) -> tuple[Pairs, Pairs]:
    """Split pairs into training and validation: a fifth, at least one, is validation."""
    held_out = set(shuffled(len(pairs), seed=0)[: max(1, len(pairs) // 5)].tolist())
    train = [pair for index, pair in enumerate(pairs) if index not in held_out]
    return train, [pair for index, pair in enumerate(pairs) if index in held_out]


LAYOUT = Layout(
    recognises=lambda place, columns: is_mask_folder(place) or is_half_a_mask_folder(place),
    scan=scan,
    open=open_splits,
    open_whole=open_whole,
    hint="images/ and masks/ with label maps of the same names, or both in train and in val",
)
