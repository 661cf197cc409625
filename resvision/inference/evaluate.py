"""Evaluation of a trained run on a data set, its own or another with the same classes.

Of its own set, which may have grown or moved since, a run is tested on its own test images, and of every set it is told
how many images the run was trained on.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from resvision import catalog
from resvision.core.plurals import counted
from resvision.core.samples import Reader
from resvision.data import identities
from resvision.data.folds import open_whole
from resvision.data.identities import Overlap, RunImages, ScoredImages
from resvision.data.listed_images import known_columns
from resvision.data.sets import Cutting, full_name, open_splits, require_place
from resvision.data.splits import Splits
from resvision.inference.load import Trained, load
from resvision.kinds.kind import Kind, Scores
from resvision.kinds.prediction_options import PredictionOptions
from resvision.papers.results import Published, PublishedBoxes, published
from resvision.preparation import in_folds, require_same_proposals
from resvision.relocation import has_names_of, run_at
from resvision.tasks import How
from resvision.training.machine import at_work


class TrainedOnWarning(UserWarning):
    """Scores are of images among which are some that the run was trained on."""


class Evaluation(NamedTuple):
    """The scores of a run, and what it knew of the images before.

    images   those that were scored, and how their set has changed since the run began
    overlap  None where the run kept no list of its images, as older runs and published weights
    """

    scores: Scores
    images: ScoredImages
    overlap: Overlap | None


def evaluate(
    run: Trained | str | Path,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int | None = None,
    grey: bool = False,
    compiled: bool | None = None,
    protocol: str | None = None,
    scales: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    score: float | None = None,
    iou: float | None = None,
    suppress: str | None = None,
    most: int | None = None,
    proposals: str | None = None,
) -> Any:
    """Score a run on the test split of `data`, by default of the data it was trained on.

    The result is of the run's task: ClassificationScores, SegmentationScores, DetectionScores, or the scores of a task
    of one's own. Of its own set, also where that has grown or moved, the run's own test images are scored; of another
    folder without splits, all images.

    root        where a named data set lies
    batch_size  images, or views of them, at a time; left to the task when left out
    grey        turn colour into grey for a net that takes grey; its own data is turned as in training
    compiled    compile the net first; decided by the work there is to do when left out
    protocol    one of `resvision evaluate --protocols`, the task's usual one when left out
    scales      shorter sides of the resized images in pixels, in place of the protocol's
    columns     of a table of images that `data` names, as ("path=file", "label=breed"); those of the run, or found by
                their contents, when left out

    Five are for tasks that find things in images, `resvision.predict` explains them; those of the system when left out:
    score, iou, suppress, most, proposals. The file of proposals that a run was trained with is that of its own data.

    Images go through the run's own view. Classes are matched by name: `data` may lack some of the run's classes or have
    them in another order. Raises DataError for a class that the run does not know, UnknownNameError for a protocol that
    its task does not have, SettingsError for options that its task does not take. TrainedOnWarning where the run was
    trained on some of the images.
    """
    trained = run if isinstance(run, Trained) else load(run)
    how = How(batch_size, grey or data is None, compiled, protocol, None if scales is None else tuple(scales))
    how = how._replace(prediction=PredictionOptions(score, iou, suppress, most, proposals))
    evaluation = evaluate_with_overlap(trained, data, root=root, columns=columns, how=how)
    if evaluation.overlap is not None and (count := int(evaluation.overlap.trained.sum())):
        scored = counted(len(evaluation.images.reader), trained.kind.sample_noun)
        text = f"{trained.title}: was trained on {count:,} of the {scored} scored"
        warnings.warn(text, TrainedOnWarning, stacklevel=2)
    return evaluation.scores


def evaluate_with_overlap(
    trained: Trained,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    columns: Sequence[str] | None = None,
    how: How,
) -> Evaluation:
    """Score a run as `evaluate` does, and tell which of the images it knew."""
    require_how(trained.kind, how)
    images = open_images(trained, data, root=root, columns=columns)
    how = how._replace(grey=how.grey or images.moved)  # its own data is turned as in training
    if data is None or images.moved:
        how = how._replace(prediction=with_own_proposals(trained, how.prediction))
    with at_work(trained.system, trained.machine):
        scores = trained.task.evaluate(trained.task.configured(trained, how.prediction), images.reader, how)
    return Evaluation(scores, images, overlap_of(trained, images.reader))


def with_own_proposals(trained: Trained, options: PredictionOptions) -> PredictionOptions:
    """The options for the run's own data: the file of proposals that it was trained with, unless another is named.

    Raises RunError where that file has gone or changed.
    """
    is_needed = trained.run.data.proposals is not None and trained.task.looks_at_source(trained.net)
    if options.proposals is not None or not is_needed:
        return options
    require_same_proposals(trained.run.data)
    return options._replace(proposals=trained.run.data.proposals)


def require_how(kind: Kind[Any, Any, Any], how: How) -> None:
    """Raise SettingsError for an option that the task does not take."""
    given = {"scales": how.scales is not None, "compile": bool(how.compiled)}
    kind.require_options({**given, **how.prediction.given()})


def open_images(
    trained: Trained,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    columns: Sequence[str] | None = None,
) -> ScoredImages:
    """Open the images that `evaluate` scores: the run's own test images, the test split of `data`, or all of it."""
    settings, task = trained.run.data, trained.run.model.task
    cutting: Cutting = {"timing": settings.timing, "drawing": settings.drawing}
    known = known_images(trained)
    name = settings.name if data is None else full_name(data)
    if data is None:
        require_place(name, trained.title)
        root = settings.root if root is None else root
    if name == settings.name and columns is None:
        home = Path(root) if root else None
        splits = open_splits(name, root=home, task=task, columns=settings.columns, allow=settings.allow, **cutting)
        splits = in_folds(trained.run, splits)
        return ScoredImages(splits.test) if known is None else known.own_test(splits)
    columns = known_columns(name, settings.columns) if columns is None else columns
    whole = open_whole(name, task, columns, settings.allow, **cutting)
    if whole is not None and known is not None:
        if not known.is_set_of([whole.reader]):
            return ScoredImages(whole.reader, altered=known.names_in([whole.reader]), notes=whole.notes)
        # the run's own images are found by name, so that a set with some missing need not be parted anew
        own_images = known.own_test(Splits(whole.reader, whole.reader, ""))
        return own_images._replace(moved=True, notes=whole.notes)
    home = Path(root) if root else None
    splits = open_splits(name, root=home, task=task, columns=columns, allow=settings.allow, **cutting)
    if known is None:
        own = trained.folder.is_dir() and has_names_of(trained.run, name, root)
        reader = splits.test if whole is None or own else whole.reader
        return ScoredImages(reader, moved=own, notes=splits.notes)
    if not known.is_set_of(splits.readers):
        return ScoredImages(splits.test, altered=known.names_in(splits.readers), notes=splits.notes)
    splits = in_folds(run_at(trained.run, data, root), splits)
    return known.own_test(splits)._replace(moved=True, notes=splits.notes)


def overlap_of(trained: Trained, reader: Reader[Any]) -> Overlap | None:
    """The images of a reader that the run knew; None where it kept no list of them."""
    known = known_images(trained)
    return None if known is None else known.overlap_with(reader)


def known_images(trained: Trained) -> RunImages | None:
    """The images of the run's own set; None for older runs and published weights, which kept no list of them."""
    return identities.read(trained.folder) if trained.folder.is_dir() else None


def open_data(
    data: str | Path, task: str | None, *, root: str | Path | None = None, columns: Sequence[str] = ()
) -> Reader[Any]:
    """Open the test split of a data set or folder; all images of a folder that has no splits of its own."""
    name = full_name(data)
    whole = open_whole(name, task, columns)
    if whole is not None:
        return whole.reader
    return open_splits(name, root=Path(root) if root else None, task=task, columns=columns).test


def comparable(trained: Trained, data: str, how: How) -> list[Published | PublishedBoxes]:
    """The published results of the run's net on this data and by this protocol.

    There are none for a net with options of the user's own, for images of another size than the paper's, and for other
    scales.
    """
    model, row = trained.run.model, catalog.find(trained.run.model.name)
    usual = catalog.options(model.name, model.options) | {"in_channels": row.input[0], "input_size": row.input[1]}
    if any(value != usual.get(key) for key, value in model.options.items()):
        return []
    tested_as = trained.task.published_as(trained, how, input_px=row.input[1])
    return [] if tested_as is None else published(model.name, data=data, protocol=tested_as[0], scales=tested_as[1])
