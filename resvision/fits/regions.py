"""Fits on the regions of a detector's training images: R-CNN's linear SVMs and its regression of boxes.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524, sections 2.3 and 3.5, appendix C, and its code; SPP-net (He et
al. 2014, https://arxiv.org/abs/1406.4729) has the same fits with other numbers. Both stand on a phase `net`, a run of a
net that classifies regions and was fine-tuned. What they find are linear layers of that net.

Nothing is drawn but the regions by which features are scaled, and those by counted draws: so a fit that was stopped
goes on to the same bits, on the same machine with the same number of threads.

Glossary
    K     classes
    D, F  features by which classes are told, and by which boxes are moved
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import safetensors.numpy
import torch
from msgspec import Meta
from numpy.typing import NDArray
from safetensors import SafetensorError

from resvision.core import rundir
from resvision.core.draws import order
from resvision.core.errors import RunError, printable
from resvision.core.files import require_tensors
from resvision.core.tensor_files import tensor_bytes
from resvision.core.terminal import tell
from resvision.fits.region_examples import (
    GIB,
    BoxPairs,
    ExampleFiles,
    Examples,
    FileType,
    RegionExamples,
    RegionsOfRun,
)
from resvision.training.checkpoints import read_weights
from resvision.training.fits import HyperPlane, Linear, hinge_svm, whitened_ridge
from resvision.training.mining import mined_svm
from resvision.training_graph import FitInputs, Fitted

NET, SVM = "net", "svm"
"""The roles of the run whose regions are fitted, and of the fit of its SVMs."""

NORM = 20.0
"""The mean norm that features are scaled to, at which the paper's cost was chosen."""

NORM_IMAGES, NORM_REGIONS = 200, 200
"""The most images, and the most regions of each, over which that mean is taken."""

NEVER = -1e4
"""The margin that a class without an SVM has everywhere: its score is 0 in float32, above no threshold."""

TINY = 1e-12
"""The least norm that is divided by, of features that are all 0."""

Arrays = dict[str, NDArray[Any]]

Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class RegionSvmOptions:
    """The options of `region_svms`.

    cost              of an example on the wrong side, beside the norm of the weights
    bias_feature      of each example, whose weight is the bias: the larger, the less the bias is held small
    positive_weight   factor of the cost of true boxes
    negative_overlap  the overlap with every true box of the class below which a region is a negative
    features_gib      bound of the features on disk; those of images beyond it are computed anew for each class
    feature_type      of the features on disk
    """

    cost: Positive = 1e-3
    bias_feature: Positive = 10.0
    positive_weight: Positive = 2.0
    negative_overlap: Share = 0.3
    features_gib: Annotated[float, Meta(ge=0)] = 20.0
    feature_type: FileType = "float16"


@dataclass(frozen=True, kw_only=True)
class RegionBoxOptions:
    """The options of `region_boxes`.

    penalty       of the squared weights, beside a sum over all pairs; 4000 in SPP-net
    least_overlap the overlap with a true box above which a region is paired with it; 0.5 in SPP-net
    features_gib, feature_type  as for the SVMs
    """

    penalty: Positive = 1000.0
    least_overlap: Share = 0.6
    features_gib: Annotated[float, Meta(ge=0)] = 20.0
    feature_type: FileType = "float16"


def region_svms(inputs: FitInputs) -> Fitted:
    """Fit a linear SVM for each class, the layer `svms` of the net: `svms.weight` (K, D) and `svms.bias` (K,).

    Positives are the true boxes alone, negatives the regions that overlap none of their class much, of which the hard
    ones are held. A class without a true box has no SVM and is never found. Beside the layer stands `pooled_norm`, the
    mean norm of the features by which boxes are moved, for `region_boxes`.
    """
    options = inputs.read_options(RegionSvmOptions)
    regions = RegionsOfRun(inputs, NET)
    files = ExampleFiles(
        folder=inputs.scratch / "examples",
        count=len(regions),
        compute=regions.examples,
        examples=RegionExamples,
        feature_type=options.feature_type,
        limit_bytes=int(options.features_gib * GIB),
    )
    files.fill(inputs)
    _tell_bound(files, inputs, f"for the norm and for each of {len(regions.classes)} classes")
    norms = _kept(inputs.scratch / "norms.safetensors", lambda: _mean_norms(files, inputs))
    scale = NORM / max(float(norms["last"]), TINY)
    svms = [
        _kept(inputs.scratch / f"svm-{label}.safetensors", partial(_svm, label, files, scale, options, inputs))
        for label in range(len(regions.classes))
    ]
    for name, svm in zip(regions.classes, svms, strict=True):
        if not svm["fits"]:
            what = "a true box" if not svm["objects"] else "a background"
            tell(inputs.console, f"{printable(name)}: no training image has {what} of it: no SVM, it is never found")
    tensors = {
        # the net's features enter the layer as they are
        "svms.weight": np.stack([svm["weight"] * scale for svm in svms]).astype(np.float32),
        "svms.bias": np.stack([svm["bias"] for svm in svms]).astype(np.float32),
        "pooled_norm": norms["pooled"],
    }
    figures = {name: int(sum(svm[name] for svm in svms)) for name in ("objects", "objects_missed", "hard_negatives")}
    fitted = sum(bool(svm["fits"]) for svm in svms)
    return Fitted(tensors=tensors, evaluation={"svms": fitted, **figures, **_figures_of(files)})


def region_boxes(inputs: FitInputs) -> Fitted:
    """Fit the regression of boxes of each class, the layer `box_layer`; the tensors are the whole state of the net.

    It stands on the fit `svm` too, whose layer is among the tensors. A class without pairs moves no box.
    """
    options = inputs.read_options(RegionBoxOptions)
    svms = read_weights(inputs.weights(SVM))
    regions = RegionsOfRun(inputs, NET)
    files = ExampleFiles(
        folder=inputs.scratch / "pairs",
        count=len(regions),
        compute=lambda index: regions.pairs(index, options.least_overlap),
        examples=BoxPairs,
        feature_type=options.feature_type,
        limit_bytes=int(options.features_gib * GIB),
    )
    files.fill(inputs)
    _tell_bound(files, inputs, f"for each of {len(regions.classes)} classes")
    scale = NORM / max(float(svms["pooled_norm"]), TINY)
    layers = [
        _kept(
            inputs.scratch / f"boxes-{label}.safetensors",
            partial(_box_layer, label, files, scale, options, inputs),
        )
        for label in range(len(regions.classes))
    ]
    for name, layer in zip(regions.classes, layers, strict=True):
        if not layer["pairs"]:
            tell(inputs.console, f"{printable(name)}: no region overlaps a box of it enough: its boxes are not moved")
    state = dict(regions.system.net.state_dict())
    state["svms.weight"], state["svms.bias"] = svms["svms.weight"], svms["svms.bias"]
    state["box_layer.weight"] = torch.from_numpy(np.concatenate([layer["weight"] * scale for layer in layers])).float()
    state["box_layer.bias"] = torch.from_numpy(np.concatenate([layer["bias"] for layer in layers])).float()
    before, after = (float(sum(layer[name] for layer in layers)) for name in ("before", "after"))
    figures = {
        "pairs": int(sum(layer["pairs"] for layer in layers)),
        "offsets_explained": 1 - after / before if before else 0.0,
        **_figures_of(files),
    }
    return Fitted(tensors=state, evaluation=figures)


def _svm(
    label: int, files: ExampleFiles[RegionExamples], scale: float, options: RegionSvmOptions, inputs: FitInputs
) -> Arrays:
    """The SVM of one class over scaled features, with the numbers of its positives, and of those it misses."""
    positives = np.concatenate([examples.features[examples.labels == label] for examples in _watched(files, inputs)])
    positives = positives.astype(np.float32) * np.float32(scale)

    def negatives() -> Iterator[NDArray[np.float32]]:
        for examples in _watched(files, inputs):
            some = examples.features[examples.overlaps[:, label] < options.negative_overlap]
            yield some.astype(np.float32) * np.float32(scale)

    def fit(samples: NDArray[Any], positive: NDArray[np.bool_]) -> HyperPlane:
        return hinge_svm(
            samples,
            positive,
            cost=options.cost,
            bias_feature=options.bias_feature,
            positive_weight=options.positive_weight,
        )

    mined = mined_svm(positives, negatives(), fit=fit) if len(positives) else None
    plane = HyperPlane(np.zeros(positives.shape[1]), NEVER) if mined is None else mined.plane
    return {
        "weight": plane.weight,
        "bias": np.array(plane.bias),
        "objects": np.array(len(positives)),
        "objects_missed": np.array(int((plane.margins(positives) <= 0).sum())),
        "hard_negatives": np.array(0 if mined is None else mined.negatives),
        "fits": np.array(0 if mined is None else mined.fits),
    }


def _box_layer(
    label: int, files: ExampleFiles[BoxPairs], scale: float, options: RegionBoxOptions, inputs: FitInputs
) -> Arrays:
    """The regression of one class over scaled features, with the sums of squares of its offsets before and after."""
    chosen = [
        (pairs.features[pairs.labels == label], pairs.offsets[pairs.labels == label])
        for pairs in _watched(files, inputs)
    ]
    features, offsets = (np.concatenate(members).astype(np.float32) for members in zip(*chosen, strict=True))
    features *= np.float32(scale)
    if not len(features):
        layer = Linear(np.zeros((4, features.shape[1])), np.zeros(4))
    else:
        layer = whitened_ridge(features, offsets, penalty=options.penalty)
    return {
        "weight": layer.weight,
        "bias": layer.bias,
        "pairs": np.array(len(features)),
        "before": np.square(offsets.astype(np.float64)).sum(),
        "after": np.square(offsets - layer.scores(features)).sum(),
    }


def _mean_norms(files: ExampleFiles[RegionExamples], inputs: FitInputs) -> Arrays:
    """The mean norms of both kinds of features, over some regions of some images, by counted draws."""
    last, pooled = [], []
    for index in order(0, 0, files.count)[:NORM_IMAGES].tolist():
        inputs.leave_if_stopped()
        examples = files[index]
        some = order(1, index, len(examples.labels))[:NORM_REGIONS]
        last.append(np.linalg.norm(examples.features[some].astype(np.float64), axis=1))
        pooled.append(examples.norms[some].astype(np.float64))
    return {"last": np.concatenate(last).mean(), "pooled": np.concatenate(pooled).mean()}


def _watched(files: ExampleFiles[Examples], inputs: FitInputs) -> Iterator[Examples]:
    """Yield the examples of each image, and leave where a stop signal has come."""
    for examples in files:
        inputs.leave_if_stopped()
        yield examples


def _kept(path: Path, compute: Callable[[], Arrays]) -> Arrays:
    """The arrays in a file of `scratch`, computed and written where it is not there; RunError where it is damaged."""
    if not path.is_file():
        arrays = {name: np.asarray(array) for name, array in compute().items()}
        rundir.write_bytes(path, tensor_bytes(arrays))
    try:
        require_tensors(path)
        return safetensors.numpy.load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: cannot be read: {error}; delete it and go on") from None


def _tell_bound(files: ExampleFiles[Any], inputs: FitInputs, passes: str) -> None:
    """Say how much is kept, where that is not all."""
    if files.kept_images < files.count:
        tell(
            inputs.console,
            f"features of {files.kept_images} of {files.count} images fit into {files.limit_bytes / GIB:g} GiB"
            f" (features_gib); those of the others are computed anew {passes}",
        )


def _figures_of(files: ExampleFiles[Any]) -> dict[str, int]:
    """The images, those whose features were kept, and the bytes of these."""
    return {"images": files.count, "images_on_disk": files.kept_images, "feature_bytes": files.kept_bytes}
