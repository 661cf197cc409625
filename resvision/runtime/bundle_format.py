"""The folder of a bundle, and what stands in its `bundle.json`.

bundle.json   everything but the net: task, classes, the way from an image to pixels, scores, sums of the other files
run.json      the Run that the net comes from
graph.onnx    the net, from uint8 pixels to results; `graph.xml` with `graph.bin` where it is in OpenVINO's own form

A bundle names no code. It may come from anyone: its files are read whole and held against their sums before any of
them is used, and `bundle.json` against its own, which tells a change by mistake and not one by design.
"""

import hashlib
import json
import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from resvision.core import files, rundir
from resvision.core.class_names import is_class_name
from resvision.core.errors import RunError, SettingsError, printable
from resvision.core.samples import Timing
from resvision.core.settings import Scalar, from_json, to_json
from resvision.core.views import View
from resvision.kinds.graph import PIXELS
from resvision.kinds.table import TASKS

BUNDLE = "bundle.json"
FORMAT = 1
SUM = "sum"
"""The name of the manifest's own sum among its members."""
ONNX, OPENVINO = "graph.onnx", "graph.xml"
GRAPHS = {ONNX: (), OPENVINO: ("graph.bin",)}
"""Names that the file of a graph may have, with the files that belong to it."""
_ELSEWHERE = b"\x0a\x08location\x12"
"""The bytes by which an ONNX file says that weights stand in another file."""

USUAL_PX = 256
"""The side of an image of any size, where nothing says which is usual."""

Count = Annotated[int, Meta(ge=1, le=2**31)]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The scores of a net before and after its export, on the same images.

    data    the set, with its split
    images  the number of them
    figure  the figure that was compared, of those that the task's evaluation gives
    before  its value by the run
    after   its value by the graph
    bound   the most by which it was allowed to become worse
    engine  what ran the graph, and in which precision
    """

    data: str
    images: Count
    figure: str
    before: float
    after: float
    bound: Annotated[float, Meta(ge=0)]
    engine: str


@dataclass(frozen=True)
class Calibration:
    """The images that the ranges of an int8 graph were measured on: their set, how many were drawn, by which seed."""

    data: str
    images: Count
    seed: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of `bundle.json`; `kinds.model_card` explains what describes the model.

    net       the net's name in the catalog
    task      one of the tasks of this package
    weights   the number format of the weights: fp32, fp16 or int8
    graph     the graph's file
    batch     the views that the graph takes at a time; None for any number
    inputs    of the graph, by name, with their shapes apart from the batch; None for a side that may be any
    outputs   the names of its outputs
    options   what was fixed when the bundle was made, such as the overlap above which boxes suppress each other
    calibration  of a graph in int8
    measured  the scores of the net before and after; None where they were not asked for
    sums      SHA-256 of every other file, by name
    """

    format: int
    net: str
    task: str
    data: str
    classes: tuple[str, ...]
    view: View
    side_px: Count | None
    timing: dict[str, float | None]
    columns: tuple[str, ...]
    weights: Literal["fp32", "fp16", "int8"]
    graph: str
    batch: Count | None
    inputs: dict[str, tuple[Count | None, ...]]
    outputs: tuple[str, ...]
    options: dict[str, Scalar] = field(default_factory=dict)
    calibration: Calibration | None = None
    measured: Measured | None = None
    sums: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"bundle format {self.format}, this version reads {FORMAT}")
        if self.task not in TASKS:
            raise ValueError(f"task {self.task!r}: bundles are for {', '.join(TASKS)}, and name no code")
        if wrong := [name for name in self.classes if not is_class_name(name)]:
            raise ValueError(
                f"classes: {printable(wrong[0][:40])!r} is no name: empty, long, or with control characters"
            )
        if self.graph not in GRAPHS or self.graph not in self.sums:
            raise ValueError(f"graph {self.graph!r}: must be one of {', '.join(GRAPHS)}, with its sum")
        if missing := [name for name in GRAPHS[self.graph] if name not in self.sums]:
            raise ValueError(f"graph {self.graph!r}: {', '.join(missing)} belongs to it, and has no sum")
        for name in self.sums:
            if Path(name).name != name or name in ("", ".", "..", BUNDLE) or "\\" in name:
                raise ValueError(f"sums: {name!r} is no name of a file in the bundle")

    @property
    def window_px(self) -> int | None:
        """The side of the windows in which the graph sees images of any size; None where it sees them whole."""
        side_px, *_ = self.inputs.get(PIXELS) or (None,)
        return side_px if self.view.side_px is None else None

    @property
    def usual_inputs(self) -> dict[str, tuple[int, ...]]:
        """The inputs with a usual side in the place of those that may be any, as for a trial."""
        usual = int(self.options.get("usual_px") or USUAL_PX)
        return {name: tuple(side or usual for side in shape) for name, shape in self.inputs.items()}

    @property
    def timed(self) -> Timing:
        """How samples were cut out of recordings."""
        return Timing(**self.timing)


def is_bundle(path: Path) -> bool:
    """Whether a folder holds a bundle."""
    try:
        return (path / BUNDLE).is_file()
    except (OSError, ValueError):  # of a name that no file can have
        return False


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write what a bundle says of itself, with its own sum."""
    data = to_json(manifest)
    rundir.write_json(folder / BUNDLE, {**data, SUM: _sum_of_data(data)})


def read_manifest(folder: Path) -> Manifest:
    """Read what a bundle says of itself, and hold every file against its sum.

    Raises RunError where it is missing, damaged, of another format, or changed.
    """
    manifest = stated_manifest(folder)
    require_unchanged(manifest, folder)
    return manifest


def stated_manifest(folder: Path) -> Manifest:
    """Read what a bundle says of itself, its other files unseen.

    Raises RunError where that is missing, damaged, of another format, or changed.
    """
    path = folder / BUNDLE
    data = rundir.read_json(path, limit=files.SETTINGS)
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise RunError(f"{printable(path)}: bundle format {data.get('format')!r}, this version reads {FORMAT}")
    stated = data.pop(SUM, None) if isinstance(data, dict) else None
    try:
        manifest = from_json(Manifest, data)
    except SettingsError as error:
        raise RunError(f"{printable(path)}: {error}; export the run again") from None
    if stated != _sum_of_data(data):
        raise _changed(path)
    return manifest


def require_unchanged(manifest: Manifest, folder: Path) -> None:
    """Hold every file of a bundle against its sum; RunError where one is missing, changed, a link, or names others."""
    for name, digest in manifest.sums.items():
        if sum_of(folder / name) != digest:
            raise _changed(folder / name)
    if manifest.graph == ONNX:
        _require_weights_inside(folder / ONNX)


def sum_of(file: Path) -> str:
    """The SHA-256 of a file of a bundle, in hexadecimal; RunError where it cannot be read, or is a link."""
    if file.is_symlink():
        raise RunError(f"{printable(file)}: a link, which is not followed; put the file in its place")
    try:
        with files.open_regular(file) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{printable(file)}: cannot be read ({error.strerror}); export the run again") from None


def identity(manifest: Manifest) -> str:
    """The sum by which a bundle is told from others: of all that it says, the sums of its files among it."""
    return _sum_of_data(to_json(manifest))


def graph_identity(manifest: Manifest) -> str:
    """The sum by which its graph is told from others, whatever else the bundle says."""
    return "".join(manifest.sums[name] for name in (manifest.graph, *GRAPHS[manifest.graph]))


def _sum_of_data(data: Any) -> str:
    """The SHA-256 of plain data, however they are laid out in a file."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _changed(file: Path) -> RunError:
    return RunError(f"{printable(file)}: was changed since the bundle was made; export the run again")


def _require_weights_inside(file: Path) -> None:
    """Raise RunError for an ONNX graph that names other files for its weights, which nothing holds against a sum."""
    with files.open_regular(file) as opened:
        if file.stat().st_size == 0:
            raise RunError(f"{printable(file)}: an empty file; export the run again")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(_ELSEWHERE) >= 0:
                raise RunError(f"{printable(file)}: names other files for its weights; export the run again")
