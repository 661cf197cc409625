"""Scores of a trained run over a data set, its own or another with the same classes."""

from pathlib import Path

import numpy as np

from resvision.classification.scoring import score
from resvision.contracts import Reader
from resvision.core.errors import DataError
from resvision.core.images import printable
from resvision.core.results import ClassificationScores
from resvision.data.folder import FolderReader, at, open_labelled
from resvision.data.loader import EvalBatches, batches
from resvision.data.sets import open_splits
from resvision.inference.load import Trained, load
from resvision.probes.count import count
from resvision.training.evaluation import COMPILE_PAYS_FROM, predict_all
from resvision.training.machine import compiler_found, decoding_workers, keep_freed_memory


def evaluate(
    run: Trained | str | Path,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int = 64,
    grey: bool = False,
    compiled: bool | None = None,
) -> ClassificationScores:
    """Scores of a run over the test split of `data`, by default of the data it was trained on.

    A folder of class folders alone is scored whole, unless the run was trained on a part of it.

    root      where a named data set lies
    grey      turn colour into grey for a net that takes grey; its own data is turned as in training
    compiled  compile the net first; decided by the work there is to do when left out

    Images go through the run's own preprocessing. Classes are matched by name: `data` may lack some of the run's
    classes or have them in another order, but a class that the run does not know is a DataError.
    """
    trained = run if isinstance(run, Trained) else load(run)
    settings = trained.run.data
    name = settings.name if data is None else str(data)
    if Path(name).exists():
        name = str(Path(name).resolve())
    place = root if root is not None else (settings.root if data is None else None)
    reader = _labelled(name) if data is not None and name != settings.name else None
    if reader is None:
        reader = open_splits(name, root=Path(place) if place else None).test
    foreign = [each for each in reader.classes if each not in trained.classes]
    if foreign:
        raise DataError(
            f"{name}: has classes that the run was not trained on: {', '.join(foreign[:5])};"
            f" the run knows {', '.join(trained.classes[:10])}"
        )
    rule, machine = trained.preprocess, trained.run.machine
    share = EvalBatches(reader, batch_size=batch_size, preprocess=rule, grey=grey or data is None, in_memory=False)
    if compiled is None:
        macs = count(trained.system.net, (rule.channels, rule.crop_px, rule.crop_px)).macs
        compiled = macs * len(reader) > COMPILE_PAYS_FROM and compiler_found(machine.device)
    keep_freed_memory()
    found = predict_all(
        trained.system,
        batches(share, 0, len(share), workers=decoding_workers() if isinstance(reader, FolderReader) else 0),
        machine=machine,
        compiled_for=batch_size if compiled else None,
    )
    index = np.array([trained.classes.index(each) for each in reader.classes])
    return score(
        found.outputs,
        index[found.targets],
        classes=trained.classes,
        source=lambda index: printable(reader.source(index)),
    )


def _labelled(name: str) -> Reader | None:
    return open_labelled(at(Path(name))) if Path(name).exists() else None
