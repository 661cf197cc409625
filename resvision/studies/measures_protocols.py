"""Errors of a classifier by test protocol, and of ensembles of its seeds: measures of `augmentation_views`.

Glossary
    S  members, which differ in their seeds
    N  test images, K classes
"""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from resvision.classification.protocols import Protocol, apply
from resvision.classification.task import averaged, predicted_together
from resvision.inference.evaluate import evaluate, open_images
from resvision.studies.results import Findings
from resvision.studies.subject import Subject
from resvision.tasks import How
from resvision.training.machine import at_work


def protocol_errors(subject: Subject, protocols: Sequence[str]) -> Findings:
    """The test error by each protocol, and as series the error over the cost of each: `cost`, `error`."""
    errors = {name: float(evaluate(subject.trained, protocol=name).top1_error) for name in protocols}
    costs = [cost(apply(name, subject.trained)) for name in protocols]
    return Findings(errors, {"cost": costs, "error": [*errors.values()]})


def cost(protocol: Protocol) -> float:
    """The pixels that the net sees of a square image by a protocol, in multiples of one crop."""
    if protocol.preset.crops:
        return float(protocol.views)
    sides = sum((scale / protocol.view.crop_px) ** 2 for scale in protocol.scales)
    return sides * protocol.preset.views * (2 if protocol.preset.mirrored else 1)


def ensemble_errors(subjects: Sequence[Subject], sizes: Sequence[int]) -> list[Findings]:
    """For each member the error of ensembles that begin with it and take the seeds after it, in a circle.

    The figure `of-k` is that of k members; their class probabilities are averaged (Krizhevsky et al. 2012, section 6).
    Sizes beyond the number of members are left out. Ensembles that share members do not vary independently.
    """
    outputs, targets = probabilities(subjects)
    possible = [size for size in sizes if size <= len(subjects)]
    findings = []
    for first in range(len(subjects)):
        circle = [outputs[(first + step) % len(subjects)] for step in range(len(subjects))]
        errors = [float(np.mean(averaged(circle[:size]).argmax(axis=1) != targets)) for size in possible]
        figures = {f"of-{size}": error for size, error in zip(possible, errors, strict=True)}
        findings.append(Findings(figures, {"size": [float(size) for size in possible], "error": errors}))
    return findings


def probabilities(subjects: Sequence[Subject]) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """The class probabilities of each member for its test images by the usual protocol, S times (N, K), and classes."""
    models = [subject.trained for subject in subjects]
    reader = open_images(models[0], None, root=None, columns=None).reader
    parts: list[list[NDArray[np.float32]]] = [[] for _ in models]
    targets: list[NDArray[np.int64]] = []
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(at_work(model.system, model.machine))
        for _, outputs, classes in predicted_together(models, reader, How(grey=True)):
            targets.append(classes)
            for kept, output in zip(parts, outputs, strict=True):
                kept.append(output)
    return [np.concatenate(kept) for kept in parts], np.concatenate(targets)
