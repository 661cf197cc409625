"""The table of probes by which `resvision inspect RUN --probe NAME` looks at finished runs. Reaches no torch."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Split = Literal["train", "test"]


class Probe(NamedTuple):
    """A probe, a row of the table.

    asks    "module:function" of this package, from the inspected runs to an `Inspection`
    images  that it usually looks at, of this `split`
    runs    the most runs that it takes
    shows   what it shows, as `docs/probes.md` says it
    """

    name: str
    asks: str
    images: int
    split: Split
    runs: int
    shows: str

    @property
    def function(self) -> str:
        """The full reference of the function."""
        return f"resvision.inspection.{self.asks}"


ROWS = (
    Probe("gradients", "gradients:gradients", 128, "train", 1, "the norm of the loss's gradient at each layer"),
    Probe("responses", "gradients:responses", 256, "test", 1, "the spread of each convolution's normalized answer"),
    Probe("lesion", "blocks:lesion", 500, "test", 1, "the error without each residual block in turn"),
    Probe("paths", "blocks:paths", 64, "train", 1, "the gradient along paths of each length through residual blocks"),
    Probe("cka", "layers:cka", 256, "test", 2, "linear CKA between the layers of a run, or of two"),
    Probe("filters", "layers:filters", 1, "test", 1, "the first filters"),
    Probe("feature-maps", "layers:feature_maps", 1, "test", 1, "the maps that each layer gives for an image"),
    Probe("surface", "losses:surface", 128, "train", 1, "the training loss along filter-normalized directions"),
    Probe("saliency", "images:saliency", 4, "test", 1, "how fast the score changes with each pixel"),
    Probe("grad-cam", "images:grad_cam", 4, "test", 1, "the parts of the deepest map on which the score rests"),
)

PROBES: Mapping[str, Probe] = {row.name: row for row in ROWS}
"""The probes by name."""
