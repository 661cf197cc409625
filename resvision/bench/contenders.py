"""What is measured side by side: ways to compute one net, each by its name. Reaches no torch until one asks for it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.core.views import View
from resvision.kinds.seen_samples import Seen


class Subject(NamedTuple):
    """A net that is measured.

    title    as a person named it
    net      its name in the catalog
    folder   of its bundle
    view     how images are shown to it
    trained  the run, or the net with drawn weights, as torch has it; None where there is a bundle alone
    drawn    whether its weights were drawn
    scratch  a folder for what is made on the way
    """

    title: str
    net: str
    folder: Path
    view: View
    trained: Any
    drawn: bool
    scratch: Path


class Contender(Protocol):
    """One way to compute a net."""

    @property
    def described(self) -> str:
        """The library with its version, and the number format, in words."""
        ...

    @property
    def precision(self) -> str:
        """The format of the numbers that it multiplies: fp32, bf16 or int8."""
        ...

    def on_views(self, views: Sequence[Seen]) -> Callable[[], object]:
        """The work of the net alone: each call computes the results for these views of one size, from their pixels."""
        ...

    def on_files(self, files: Sequence[Path]) -> Callable[[], int] | None:
        """The work from files to results: each call does all, and gives their number; None where it has none."""
        ...


class WayThere(NamedTuple):
    """The function of a Subject that gives the contender of a path, as text, and whether it takes nets of torch alone.

    It raises a ResVisionError where the contender cannot be had.
    """

    function: str
    needs_net: bool = False


PATHS: Mapping[str, WayThere] = {
    "torchvision": WayThere("resvision.bench.usual_contenders:torchvision", needs_net=True),
    "timm": WayThere("resvision.bench.usual_contenders:timm", needs_net=True),
    "torch": WayThere("resvision.bench.torch_contenders:eager", needs_net=True),
    "torch-compiled": WayThere("resvision.bench.torch_contenders:compiled", needs_net=True),
    "openvino-by-hand": WayThere("resvision.bench.engine_by_hand:openvino_by_hand"),
    "onnxruntime": WayThere("resvision.bench.engine_contenders:onnxruntime"),
    "openvino-fp32": WayThere("resvision.bench.engine_contenders:openvino_fp32"),
    "openvino-bf16": WayThere("resvision.bench.engine_contenders:openvino_bf16"),
    "openvino-int8": WayThere("resvision.bench.engine_contenders:openvino_int8"),
}
"""All paths by their names: first those that others are compared with."""


def contender_of(path: str, subject: Subject) -> Contender:
    """The contender of a path; a ResVisionError where it cannot be had for this net, or here."""
    way = PATHS[path]
    if way.needs_net and subject.trained is None:
        raise SettingsError("a bundle has no net of torch; name its run")
    contender: Contender = references.load(way.function, noun="path")(subject)
    return contender
