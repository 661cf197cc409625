"""Scores of a trained run over a data set, its own or another with the same classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resvision.classification.scoring import score
from resvision.contracts import Reader, System
from resvision.core.errors import SettingsError, printable
from resvision.core.results import ClassificationScores
from resvision.data.faults import at
from resvision.data.folder import FolderReader, open_labelled
from resvision.data.sets import open_splits
from resvision.inference.load import Trained, load
from resvision.inference.presets import CENTER_CROP
from resvision.inference.protocols import MeanOverViews, Protocol, ViewBatches, apply
from resvision.loading.loader import EvalBatches, batches
from resvision.probes.count import count
from resvision.training.evaluation import COMPILE_PAYS_FROM, Predictions, predict_all
from resvision.training.machine import compiler_found, decoding_workers, keep_freed_memory


def evaluate(
    run: Trained | str | Path,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int = 64,
    grey: bool = False,
    compiled: bool | None = None,
    protocol: str = CENTER_CROP,
    scales: Sequence[int] | None = None,
) -> ClassificationScores:
    """Scores of a run over the test split of `data`, by default of the data it was trained on.

    A folder of class folders alone is scored whole, unless the run was trained on a part of it.

    root      where a named data set lies
    grey      turn colour into grey for a net that takes grey; its own data is turned as in training
    compiled  compile the net first; decided by the work there is to do when left out
    protocol  a preset of `inference.protocols`: which views of an image the net sees
    scales    shorter sides of the resized images in pixels, in place of the preset's

    Images go through the run's own preprocessing. Classes are matched by name: `data` may lack some of the run's
    classes or have them in another order, but a class that the run does not know is a DataError.
    """
    trained = run if isinstance(run, Trained) else load(run)
    rule = apply(protocol, trained, scales=scales)
    reader = open_reader(trained, data, root=root)
    index = class_index(trained, reader)
    grey = grey or data is None
    found = probabilities(trained, reader, rule, batch_size=batch_size, grey=grey, compiled=compiled)
    return scored(found.outputs, index[found.targets], reader, classes=trained.classes)


def open_reader(trained: Trained, data: str | Path | None = None, *, root: str | Path | None = None) -> Reader:
    """What `evaluate` scores: the test split of `data`, or all of it."""
    settings = trained.run.data
    if data is None:
        return open_data(settings.name, root=root if root is not None else settings.root, whole=False)
    return open_data(data, root=root, whole=_resolved(data) != settings.name)


def open_data(data: str | Path, *, root: str | Path | None = None, whole: bool = True) -> Reader:
    """The test split of a data set or of a folder; `whole` takes all of a folder of class folders alone."""
    name = _resolved(data)
    reader = open_labelled(at(Path(name))) if whole and Path(name).exists() else None
    return open_splits(name, root=Path(root) if root else None).test if reader is None else reader


def class_index(trained: Trained, reader: Reader) -> NDArray[np.int64]:
    """The run's index of each of the reader's classes; DataError for one that the run does not know."""
    return np.array(trained.indices_of(reader.classes, data=reader.name))


def probabilities(
    trained: Trained,
    reader: Reader,
    protocol: Protocol,
    *,
    batch_size: int = 64,
    grey: bool = False,
    compiled: bool | None = None,
) -> Predictions:
    """Class probabilities of every image by a protocol, (N, K), beside the reader's own class indices, (N,).

    Raises SettingsError where compiling is asked for and the protocol is not the single view.
    """
    rule, machine = trained.preprocess, trained.run.machine
    system: System = trained.system
    share: EvalBatches | ViewBatches
    if protocol.preset.name == CENTER_CROP:
        share = EvalBatches(reader, batch_size=batch_size, preprocess=rule, grey=grey, in_memory=False)
        if compiled is None:
            macs = count(system.net, (rule.channels, rule.crop_px, rule.crop_px)).macs
            compiled = macs * len(reader) > COMPILE_PAYS_FROM and compiler_found(machine.device)
    elif compiled:
        raise SettingsError(f"{protocol.preset.name}: --compile is for {CENTER_CROP}; leave it out")
    else:
        share = ViewBatches(reader, protocol, batch_size=batch_size, grey=grey)
        system = MeanOverViews(system, protocol, batch_size=batch_size)
    keep_freed_memory()
    return predict_all(
        system,
        batches(share, 0, len(share), workers=decoding_workers() if isinstance(reader, FolderReader) else 0),
        machine=machine,
        compiled_for=batch_size if compiled else None,
    )


def scored(
    found: NDArray[np.float32], targets: NDArray[np.int64], reader: Reader, *, classes: tuple[str, ...]
) -> ClassificationScores:
    """Scores of class probabilities (N, K) of a reader's images against class indices (N,)."""
    return score(found, targets, classes=classes, source=lambda index: printable(reader.source(index)))


def _resolved(data: str | Path) -> str:
    return str(Path(data).resolve()) if Path(data).exists() else str(data)
