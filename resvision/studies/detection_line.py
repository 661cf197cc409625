"""Where does a detector spend its time? The line from R-CNN to RefineDet, walked on one set of images.

Each system is trained by a short recipe at a small size, over one backbone as far as its paper allows, and then looks
at the same test images, one at a time. The claims:

1. along R-CNN, SPP-net (Girshick et al. 2014, arXiv:1311.2524; He et al. 2014, arXiv:1406.4729), Fast R-CNN (Girshick
   2015, arXiv:1504.08083) and Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) an image takes less and less time;
2. a system of one stage takes less time than one of two, which looks at regions first;
3. a system of two stages has the higher AP.

Times are compared image by image, AP seed by seed.

Glossary
    S  seeds of a system
    I  images whose times are measured
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from resvision.core.data_names import short_name
from resvision.core.errors import RunError, SettingsError
from resvision.core.progress import Bar
from resvision.core.samples import Reader
from resvision.detection.detector import Detector
from resvision.detection.stage_times import STAGES, ImageTimes, image_times, looks_at_regions, search_seconds, searches
from resvision.inference.evaluate import open_images, with_own_proposals
from resvision.inference.load import Trained, load
from resvision.kinds.detection.kind import KIND
from resvision.kinds.prediction_options import PredictionOptions
from resvision.studies.detector_sizes import SIZES, trial_of
from resvision.studies.jobs import carry_out_beside
from resvision.studies.trials import Outcome, Trial, carry_out, outcome_in
from resvision.studies.verdicts import Verdict, judge
from resvision.tasks import Seen

DATA = "digit-boxes-composed"

TWO_STAGES = ("rcnn", "sppnet", "fast_rcnn", "faster_rcnn")
"""Systems that look at regions, each of which is to take less time than the one before."""

LINE = tuple(model for model in (*TWO_STAGES, "ssd", "retinanet", "yolov3", "refinedet") if model in SIZES)
"""The systems of the line, in its order."""

ROUNDS = 3
"""The times that each system looks at an image; the fastest counts."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one system.

    two_stages  whether it looks at regions first
    ap, ap50    (S,), 0..1
    seconds     (S,) of training, fits included
    times       (I,) under the first seed
    """

    model: str
    two_stages: bool
    ap: Sequence[float]
    ap50: Sequence[float]
    seconds: Sequence[float]
    times: Sequence[ImageTimes]
    outcomes: Sequence[Outcome]

    @cached_property
    def stage_ms(self) -> dict[str, float]:
        """Milliseconds an image by stage: the mean over the images."""
        stages = [stage for stage in STAGES if stage in self.times[0].seconds]
        return {stage: 1000 * float(np.mean([each.seconds[stage] for each in self.times])) for stage in stages}

    @property
    def image_ms(self) -> NDArray[np.float64]:
        """Milliseconds of each image, the search included, (I,)."""
        return np.array([1000 * sum(each.seconds.values()) for each in self.times])

    @property
    def ms(self) -> float:
        """Milliseconds an image, the search included."""
        return float(self.image_ms.mean())

    @property
    def net_ms(self) -> float:
        """Milliseconds an image from the pixels and their regions on, without the search."""
        return sum(ms for stage, ms in self.stage_ms.items() if stage != "search")

    @property
    def proposals(self) -> float | None:
        """The number of regions that are looked at in an image; None of a system that looks at none."""
        counts = [each.proposals for each in self.times if each.proposals is not None]
        return float(np.mean(counts)) if counts else None


@dataclass(frozen=True, kw_only=True)
class DetectionLine:
    """The finished study: a row for each system along the line, and a verdict on each claim.

    threads  with which images were timed
    """

    data: str
    rows: Sequence[Row]
    verdicts: Sequence[Verdict]
    threads: int


def plan(
    data: str,
    systems: Sequence[str],
    seeds: int,
    *,
    epochs: int | None = None,
    quick: bool = False,
    settings: Sequence[str] = (),
) -> list[Trial]:
    """The trials: each system under seeds 0, 1, ...; UnknownNameError for one that is not of the line."""
    if not systems or len(set(systems)) != len(systems):
        raise SettingsError(f"--systems {','.join(systems)}: name each system once, such as ssd,faster_rcnn")
    return [
        trial_of(system, data, seed, epochs=epochs, quick=quick, settings=settings)
        for seed in range(seeds)
        for system in systems
    ]


def study_detection_line(
    folder: Path, trials: Sequence[Trial], images: int, console: Console, *, jobs: int = 1
) -> DetectionLine:
    """Carry out the trials of a plan in `folder`, going on with those begun, and time so many test images.

    jobs  trials that are trained beside each other; times are taken afterwards, one system at a time
    """
    outcomes = carry_out(folder, trials, console) if jobs == 1 else carry_out_beside(folder, trials, console, jobs=jobs)
    return _study(outcomes, images, console)


def study_runs(folders: Sequence[Path], images: int, console: Console) -> DetectionLine:
    """Time finished trainings of detectors; those of one net are its seeds.

    Raises RunError for one that is not finished, or of other images.
    """
    outcomes = [outcome_in(folder) for folder in folders]
    for outcome in outcomes:
        if outcome.record.kind is not KIND:
            raise RunError(f"{outcome.record.folder}: is no detector; leave it out")
    names = {short_name(outcome.trial.run.data.name) for outcome in outcomes}
    if len(names) > 1:
        raise RunError(f"--runs: of several sets of images, {', '.join(sorted(names))}; name runs of one")
    return _study(outcomes, images, console)


def _study(outcomes: Sequence[Outcome], images: int, console: Console) -> DetectionLine:
    of_model: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: _place(outcome.trial.model)):
        of_model.setdefault(outcome.trial.model, []).append(outcome)
    trained = {model: on_own_data(group[0]) for model, group in of_model.items()}
    times = image_times_of(trained, images, console)
    rows = [row_of(model, group, trained[model], times[model]) for model, group in of_model.items()]
    return DetectionLine(
        data=short_name(outcomes[0].trial.run.data.name),
        rows=rows,
        verdicts=claims(rows),
        threads=torch.get_num_threads(),
    )


def _place(model: str) -> tuple[int, str]:
    """The place of a system along the line; nets that are not of it come last."""
    return LINE.index(model) if model in LINE else len(LINE), model


def image_times_of(trained: Mapping[str, Trained], images: int, console: Console) -> dict[str, list[ImageTimes]]:
    """The times of so many test images under each system, which take turns so that a busy moment meets all."""
    readers = {model: open_images(one).reader for model, one in trained.items()}
    count = len(next(iter(readers.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(images, count)).round().astype(int)).tolist()
    times: dict[str, list[ImageTimes]] = {model: [] for model in trained}
    console.rule("time an image")
    with Bar(console, "timing", total=len(chosen) + 1) as bar:
        for index in [chosen[0], *chosen]:  # the first one twice, since a net is slow at first
            searched: dict[str, float] = {}
            for model, one in trained.items():
                system, seen = detector_of(one), _seen(one, readers[model], index)
                if searches(system) and not searched:  # in the stored image, so that one search serves all
                    searched = {"search": search_seconds(seen)}
                measured = image_times(system, seen, one.machine, rounds=ROUNDS)
                search = searched if searches(system) else {}
                times[model].append(measured._replace(seconds={**search, **measured.seconds}))
            bar.advance()
    return {model: rows[1:] for model, rows in times.items()}


def _seen(trained: Trained, reader: Reader[Any], index: int) -> Seen:
    """An image as a net sees it."""
    image, name = reader[index].image, reader.source(index)
    return Seen(*trained.view.show(image, name=name, grey=True), name, image)


def on_own_data(outcome: Outcome) -> Trained:
    """The detector of a finished training, looking at the regions of a file where it was trained on these."""
    trained = load(outcome.record.folder, allow_code=True)
    return trained.task.configured(trained, with_own_proposals(trained, PredictionOptions()))


def detector_of(trained: Trained) -> Detector:
    """The system of a trained detector."""
    assert isinstance(trained.system, Detector), "runs of other tasks were refused"
    return trained.system


def row_of(model: str, outcomes: Sequence[Outcome], trained: Trained, times: Sequence[ImageTimes]) -> Row:
    """The row of a system from its finished trainings, the first of which is loaded and was timed."""
    figures = [outcome.record.scores.figures() for outcome in outcomes]
    return Row(
        model=model,
        two_stages=looks_at_regions(detector_of(trained)),
        ap=[each["ap"] for each in figures],
        ap50=[each["ap50"] for each in figures],
        seconds=[outcome.seconds for outcome in outcomes],
        times=times,
        outcomes=outcomes,
    )


def claims(rows: Sequence[Row]) -> list[Verdict]:
    """The verdicts on the claims about these systems, which are in the order of the line."""
    of_model = {row.model: row for row in rows}
    line = [of_model[model] for model in TWO_STAGES if model in of_model]
    verdicts = [_faster(later, earlier) for earlier, later in pairwise(line)]
    one, two = [row for row in rows if not row.two_stages], [row for row in rows if row.two_stages]
    if not one or not two:
        return verdicts
    fastest, best = min(two, key=lambda row: row.ms), max(two, key=lambda row: float(np.mean(row.ap)))
    verdicts += [_faster(row, fastest, ", the fastest of two stages" if len(two) > 1 else "") for row in one]
    verdicts += [_better(best, row, ", the best of two stages," if len(two) > 1 else "") for row in one]
    return verdicts


def _faster(fast: Row, slow: Row, of_all: str = "") -> Verdict:
    return judge(
        f"{fast.model} takes less time an image than {slow.model}{of_all}",
        smaller=fast.image_ms.tolist(),
        larger=slow.image_ms.tolist(),
        pair="image",
        unit="ms",
    )


def _better(better: Row, worse: Row, of_all: str) -> Verdict:
    seeds = min(len(better.ap), len(worse.ap))
    return judge(
        f"{better.model}{of_all} has a higher AP than {worse.model}",
        smaller=[100 * ap for ap in worse.ap[:seeds]],
        larger=[100 * ap for ap in better.ap[:seeds]],
        unit="points",
    )
