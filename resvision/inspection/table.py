"""The table of probes by which `resvision inspect RUN --probe NAME` looks at finished runs. Reaches no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A probe: what it shows, the images that it usually looks at, and who answers.

    function  "module:function" from the inspected runs and the images asked for to an `Inspection`
    runs      the most runs that it takes
    """

    says: str
    function: str
    images: int
    split: Split = "test"
    runs: int = 1


PROBES: Mapping[str, Probe] = {
    "lesion": Probe(
        says="the error without each residual block in turn",
        function="resvision.inspection.blocks:lesion",
        images=500,
    ),
    "paths": Probe(
        says="the gradient along paths of each length through residual blocks",
        function="resvision.inspection.blocks:paths",
        images=64,
        split="train",
    ),
    "cka": Probe(
        says="linear CKA between the layers of a run, or of two",
        function="resvision.inspection.layers:cka",
        images=256,
        runs=2,
    ),
    "filters": Probe(says="the first filters", function="resvision.inspection.layers:filters", images=1),
    "feature-maps": Probe(
        says="the maps that each layer gives for an image",
        function="resvision.inspection.layers:feature_maps",
        images=1,
    ),
    "surface": Probe(
        says="the training loss around the weights, along filter-normalized directions",
        function="resvision.inspection.losses:surface",
        images=128,
        split="train",
    ),
    "saliency": Probe(
        says="how fast the score changes with each pixel",
        function="resvision.inspection.images:saliency",
        images=4,
    ),
    "grad-cam": Probe(
        says="the parts of the deepest map on which the score rests",
        function="resvision.inspection.images:grad_cam",
        images=4,
    ),
}
"""The probes by name."""
