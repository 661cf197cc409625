"""Mutated files of run folders into their readers: settings, phases, history, scores, state.

    python benchmarks/fuzz_runs.py --seconds 120 --save found

Expected: nothing crashed, nothing hung.
"""

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzzing import Target, main
from mutations import mutated_json, mutated_lines

from resvision.core import rundir
from resvision.core.errors import ResVisionError
from resvision.core.settings import leaves, to_json, with_leaf
from resvision.kinds.classification.scores import score
from resvision.kinds.segmentation.scores import SegmentationScores, WorstImage
from resvision.recipes import compose, compose_phases
from resvision.report.read import read_record
from resvision.report.record import RunRecord
from resvision.run import Run, read_run, run_from_json
from resvision.training.checkpoints import Checkpoints
from resvision.training.history import History
from resvision.training_graph import FitPhase, RunPhase, graph_from_json, graph_to_json

OLDER = Path(__file__).parents[1] / "tests" / "older"


def document(data: Any) -> bytes:
    return json.dumps(data).encode()


def each_of(*readers: Callable[[], object]) -> None:
    """Call all readers of a file; what those say that refuse it is raised as one error after the last."""
    refusals: list[str] = []
    for read in readers:
        try:
            read()
        except ResVisionError as error:
            refusals.append(str(error))
    if refusals:
        raise ResVisionError("\n".join(refusals))


@cache
def older_run(name: str) -> Run:
    return run_from_json(json.loads((OLDER / name).read_text()))


CLASSIFICATION, SEGMENTATION = "first_run.json", "segmentation_run.json"


# ---------------------------------------------------------------------------------------------- settings


def runs() -> list[bytes]:
    """Runs of this version and of older ones."""
    written = [(OLDER / name).read_bytes() for name in (CLASSIFICATION, SEGMENTATION)]
    return [*written, *(document(to_json(older_run(name))) for name in (CLASSIFICATION, SEGMENTATION))]


def read_settings(data: bytes, folder: Path) -> None:
    (folder / rundir.RUN).write_bytes(data)
    each_of(lambda: read_run(folder), lambda: read_record(folder))


def graphs() -> list[bytes]:
    """Graphs of runs and fits, of this format and of the first."""
    phases = compose_phases("fcn8s", "camvid", recipe_name="fcn-2015")
    net = RunPhase(name="net", run=compose("resnet20", "digits"))
    fit = FitPhase(
        name="svm", fit="resvision.fits.features:linear_svm", parents={"features": "net"}, options={"c": 1.0}
    )
    graphs = [graph_to_json(phases), graph_to_json([net, fit])]
    return [(OLDER / "phases.json").read_bytes(), *map(document, graphs)]


def read_graph(data: bytes, folder: Path) -> None:
    (folder / rundir.PHASES).write_bytes(data)
    graph_from_json(rundir.read_json(folder / rundir.PHASES))


def assignments() -> list[bytes]:
    """Words of `--set`: every setting of a run with its own value."""
    texts = {path: ",".join(map(str, value)) if isinstance(value, tuple) else str(value) for path, value in pairs()}
    return [f"{path}={text}".encode() for path, text in texts.items() if text]


def pairs() -> list[tuple[str, Any]]:
    return list(leaves(older_run(SEGMENTATION)))


def read_assignment(data: bytes, folder: Path) -> None:
    path, _, text = data.decode(errors="surrogateescape").partition("=")
    with_leaf(older_run(SEGMENTATION), path, text, text=True)


# ---------------------------------------------------------------------------------------------- results


def with_run(folder: Path, name: str = CLASSIFICATION) -> Path:
    """The folder, with a run in it."""
    if not (folder / rundir.RUN).exists():
        folder.mkdir(exist_ok=True)
        (folder / rundir.RUN).write_text(json.dumps(to_json(older_run(name))))
    return folder


def histories() -> list[bytes]:
    """Histories of steps, and of steps with evaluations of either split."""
    step = {"epoch": 0, "lr": 0.1, "loss": 1.5, "cross_entropy": 1.5, "error": 0.5, "images": 4, "seconds": 0.25}
    lines: list[dict[str, Any]] = [{"step": number, **step} for number in range(1, 6)]
    figures = {"loss": 1.0, "top1_error": 0.25, "top5_error": 0.0}
    scored = [{"step": 5, "epoch": 0, "split": split, "evaluation": figures} for split in ("test", "validation")]
    whole = [lines, [*lines, scored[0]], [*lines, scored[1], {"step": 6, **step}, {**scored[1], "step": 6}]]
    return [b"".join(document(line) + b"\n" for line in history) for history in whole]


def read_history(data: bytes, folder: Path) -> None:
    path = with_run(folder) / rundir.HISTORY
    path.write_bytes(data)
    each_of(lambda: looked_through(read_record(folder)), lambda: History(folder, step=5).close())


def evaluations() -> list[bytes]:
    """Scores of either task, for two classes."""
    classes = ("cat", "dog")
    draws = np.random.default_rng(0)
    sure = draws.random(6).astype(np.float32)
    probabilities, targets = np.stack([sure, 1 - sure], axis=1), draws.integers(0, 2, 6)
    pixels = SegmentationScores(
        classes=classes,
        images=2,
        loss=0.5,
        confusion=np.array([[90, 10], [5, 20]]),
        worst=(WorstImage(index=1, source="b.png", pixel_error=0.25),),
    )
    images = score(probabilities, targets, classes=classes, source=lambda index: f"{index}.png")
    return [document(images.to_json()), document(pixels.to_json())]


def read_scores(data: bytes, folder: Path) -> None:
    """Both tasks read the scores; those of one are refused by the other."""
    refusals = []
    for name in (CLASSIFICATION, SEGMENTATION):
        place = with_run(folder / name.partition(".")[0], name)
        (place / rundir.EVALUATION).write_bytes(data)
        try:
            looked_through(read_record(place))
        except ResVisionError as error:
            refusals.append(error)
    if len(refusals) == 2:
        raise refusals[0]


def looked_through(record: RunRecord) -> None:
    """All that the page and the terminal ask of a run."""
    assert record.images_per_s
    assert record.seconds >= 0
    assert record.finished in {True, False}
    assert record.tested is None or record.tested.figures
    if (scores := record.scores) is not None:
        kind = record.kind
        kind.sentence(scores, ""), kind.lines(scores), kind.tables(scores), kind.class_table(scores)
        kind.matrix(scores), kind.worst(scores), kind.none_wrong(scores), scores.summary(), scores.to_json()


def small_net() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    net = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return net, optimizer


def states() -> list[bytes]:
    """The state beside a checkpoint after one step."""
    return [document({"format": 1, "step": 1, "optimizer": {}})]


def read_state(data: bytes, folder: Path) -> None:
    checkpoints, (net, optimizer) = Checkpoints(folder), small_net()
    if checkpoints.last() is None:
        checkpoints.save(1, net=net, optimizer=optimizer, average=None)
    (checkpoints.place(1) / rundir.STATE).write_bytes(data)
    checkpoints.restore(net=net, optimizer=optimizer, average=None)


TARGETS = [
    Target(name="run.json", seeds=cache(runs), read=read_settings, mutate=mutated_json, long=True),
    Target(name="phases.json", seeds=cache(graphs), read=read_graph, mutate=mutated_json),
    Target(name="settings", seeds=cache(assignments), read=read_assignment, mutate=mutated_lines),
    Target(name="history", seeds=histories, read=read_history, mutate=mutated_lines),
    Target(name="evaluation", seeds=evaluations, read=read_scores, mutate=mutated_json),
    Target(name="state of a checkpoint", seeds=states, read=read_state, mutate=mutated_json),
]

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
