"""Bundles in int8, by NNCF: https://github.com/openvinotoolkit/nncf.

Weights and maps become whole numbers of 8 bits, whose ranges are measured on the run's own training images, shown as in
evaluation. What follows the layers, such as the decoding of boxes, stays in floats.

The range of a map is the one whose rounding errors over all these images are the smallest. NNCF's own choice, the mean
of each image's least and largest value, cuts off what half of the images hold, which cost up to 0.6 points on CIFAR.
"""

import logging
import shutil
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core import rundir
from resvision.core.draws import shuffled
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.export.bundles import Check, draft_of, measured_by, write_bundle
from resvision.inference.load import Trained
from resvision.kinds.graph import Feed
from resvision.prediction.predictions import seen_sample
from resvision.preparation import open_data
from resvision.runtime.bundle import Bundle, open_bundle
from resvision.runtime.bundle_format import GRAPHS, OPENVINO, Calibration, Manifest, sum_of, write_manifest
from resvision.runtime.engines import EngineSettings
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

BOUND = 0.003
"""The most by which a figure that is a share may become worse, where a person names none: 0.3 points."""
IMAGES = 300
"""The training images that ranges are measured on."""
SEED = 0
"""Of the choice of these images."""
LAYERS = {"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"}
"""Operators that are layers where their second input follows from weights alone."""
MAP_RANK = 4
"""The dimensions of maps, (N, C, h, w)."""


def write_int8_bundle(
    trained: Trained,
    out: Path,
    *,
    reader: Reader[Any],
    calibration: Reader[Any] | None = None,
    images: int = IMAGES,
    bound: float = BOUND,
    settings: EngineSettings | None = None,
    size_px: int | None = None,
) -> Bundle:
    """Export a run in int8 into the folder `out`, and open the bundle.

    reader       the samples that the run and the graph are both scored on
    calibration  the samples that ranges are measured on; the run's own training images where None
    images       the number of them that are drawn, all where there are fewer
    bound        the most by which the main figure may become worse
    size_px      as of `write_bundle`

    Raises MissingExtraError without NNCF, and otherwise as `write_bundle`; where an error is raised, nothing is left.
    """
    engine("nncf")  # or its error, before anything is made
    calibration = training_images(trained) if calibration is None else calibration
    chosen = [int(index) for index in sorted(shuffled(len(calibration), seed=SEED)[:images])]
    with draft_of(out) as draft:
        floats = write_bundle(trained, draft / "floats", reader=None, settings=settings, size_px=size_px)
        source = Calibration(f"{calibration.name}/{calibration.split}", len(chosen), SEED)
        manifest = write_quantized(floats, draft, _feeds(floats, calibration, chosen), source)
        shutil.rmtree(floats.title)
        measured = measured_by(trained, open_bundle(draft, settings), Check(reader, bound, settings, may_gain=True))
        described = ", int8 and ".join(measured.engine.rsplit(", ", 1))
        write_manifest(replace(manifest, measured=replace(measured, engine=described)), draft)
        draft.rename(out)
    return open_bundle(out, settings)


def write_quantized(floats: Bundle, folder: Path, feeds: list[Feed], calibration: Calibration) -> Manifest:
    """Write a bundle in int8 of one in floats, without scores, into an empty folder; what it says of itself.

    feeds        on which the ranges are measured
    calibration  where they come from
    """
    files = Path(floats.title)
    model = _quantized(engine("nncf"), files / floats.manifest.graph, feeds)
    engine("openvino").save_model(model, folder / OPENVINO, compress_to_fp16=False)
    shutil.copyfile(files / rundir.RUN, folder / rundir.RUN)
    manifest = replace(
        floats.manifest,
        weights="int8",
        graph=OPENVINO,
        calibration=calibration,
        sums={name: sum_of(folder / name) for name in (rundir.RUN, OPENVINO, *GRAPHS[OPENVINO])},
    )
    write_manifest(manifest, folder)
    return manifest


def training_images(trained: Trained) -> Reader[Any]:
    """The images that a run was trained on; SettingsError for weights that come without a run."""
    if not trained.folder.is_dir():
        raise SettingsError(
            f"{trained.title}: int8 is measured on a run's training images; train or convert into a run"
        )
    return open_data(trained.run, channels=trained.run.data.channels).train


class _Recorded:
    """A graph that keeps what it is fed, a `Graph`."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self.inputs: Mapping[str, tuple[int | None, ...]] = graph.inputs
        self.feeds: list[Feed] = []

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        self.feeds.append({name: np.ascontiguousarray(values) for name, values in feed.items()})
        answers: dict[str, NDArray[Any]] = self._graph(feed)
        return answers


def _feeds(bundle: Bundle, reader: Reader[Any], indices: Iterable[int]) -> list[Feed]:
    """What the graph is fed for each sample, as the kind feeds it."""
    graph = _Recorded(bundle.graph)
    for index in indices:
        seen = seen_sample(bundle, reader[index], name=reader.source(index), grey=True)
        bundle.kind.answers(graph, [seen], bundle.manifest.options)
    return graph.feeds


def _quantized(nncf: Any, file: Path, feeds: list[Feed]) -> Any:
    """The graph of a file in int8; SettingsError where NNCF cannot bring it there."""
    model = openvino_core().read_model(file)
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    ranges = engine("nncf.quantization.range_estimator").RangeEstimatorParametersSet
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # of its bars
            return nncf.quantize(
                model,
                nncf.Dataset(feeds),
                subset_size=len(feeds),
                ignored_scope=nncf.IgnoredScope(names=kept_in_floats(model), validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    activations_range_estimator_params=ranges.HISTOGRAM
                ),
            )
    except (RuntimeError, nncf.ValidationError) as error:
        line = str(error).strip().splitlines()[-1]
        raise SettingsError(f"int8: NNCF cannot bring this graph into int8: {line}") from None
    finally:
        logger.setLevel(level)


def kept_in_floats(model: Any) -> list[str]:
    """The names of the operators that are no part of the layers: all behind the last of these, and what makes no maps.

    Between the two halves of a detector lie boxes, whose coordinates 8 bits do not tell apart.
    """
    operators = model.get_ordered_ops()
    layers = {op.get_friendly_name() for op in operators if _is_layer(op)}
    before_layers = set(layers)
    for op in reversed(operators):
        followers = (port.get_node() for output in op.outputs() for port in output.get_target_inputs())
        if any(follower.get_friendly_name() in before_layers for follower in followers):
            before_layers.add(op.get_friendly_name())
    return [
        op.get_friendly_name()
        for op in operators
        if op.get_type_name() not in {"Parameter", "Constant", "Result"}
        and op.get_friendly_name() not in layers
        and (op.get_friendly_name() not in before_layers or not _gives_maps(op))
    ]


def _is_layer(op: Any) -> bool:
    return op.get_type_name() in LAYERS and _is_constant(op.input_value(1).get_node())


def _is_constant(op: Any) -> bool:
    """Whether an operator gives weights: a constant, or one in another format or shape."""
    while op.get_type_name() in {"Convert", "Reshape", "Transpose"}:
        op = op.input_value(0).get_node()
    return bool(op.get_type_name() == "Constant")


def _gives_maps(op: Any) -> bool:
    rank = op.output(0).get_partial_shape().rank
    return bool(rank.is_static and rank.get_length() == MAP_RANK)
