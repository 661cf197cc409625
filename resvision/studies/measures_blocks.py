"""Measures of the residual blocks of trained classifiers: lesions, and paths.

Glossary
    chance   the error of a guess, 1 - 1 / K of K classes
    place    of a block in its net, 0..1: the middle of its own part of all blocks
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.progress import Bar
from resvision.core.terminal import Terminal
from resvision.probes.lesion import Deletions, Removal, Shuffle, delete_each, delete_some, swap_some
from resvision.probes.paths import (
    decades_per_block,
    effective_lengths,
    mean_effective_length,
    mean_length,
    path_gradients,
)
from resvision.studies.results import Findings
from resvision.studies.subject import Subject, mean_losses

BATCH = 200
"""Images that are shown to a net at a time."""


def lesions_of(
    subject: Subject, *, images: int, deletions: Sequence[int], swaps: Sequence[int], draws: int
) -> Findings:
    """The test error after deleting each block, some blocks at random, and after swaps of blocks.

    Figures of one block deleted, as means over blocks: `one`, the error; `rise` over that of the whole net, and
    `entering` and `within` of blocks that enter a stage and of those that do not; `to_chance`, the share of the way
    from the error of the whole net to chance; `worst`, the largest error. Of several: `few` and `many`, the mean error
    at the least and the largest number of deletions, `swapped_few` and `swapped_many` at those of swaps.

    Series: `place` and `error` for each block, `count` and `removed` for each number of deletions, `swaps` and
    `swapped` for each number of swaps, `tau` and `shuffled` for each order of blocks.

    deletions  numbers of blocks; those above half of the net's are left out
    """
    with Bar(Terminal(stderr=True), "deleting blocks", noun="net") as bar:
        error = bar.counting(_error(subject, images))
        single = delete_each(subject.net, error)
        counts = [count for count in deletions if count <= len(single.single) // 2]
        passes = (len(counts) + len(swaps)) * draws + 2  # each of the two looks for the blocks first
        bar.advance(0, total=len(single.single) + 2 + passes)
        removals = delete_some(subject.net, error, counts, draws=draws)
        shuffles = swap_some(subject.net, error, swaps, draws=draws)
    removed, swapped = _means(removals), _means(shuffles)
    figures = _of_single(single, chance=1 - 1 / len(subject.trained.classes))
    figures |= {"few": removed[min(removed)], "many": removed[max(removed)]}
    figures |= {"swapped_few": swapped[min(swapped)], "swapped_many": swapped[max(swapped)]}
    blocks = len(single.single)
    return Findings(
        figures,
        {
            "place": [(number + 0.5) / blocks for number in range(blocks)],
            "error": [each.error for each in single.single],
            "count": [*removed],
            "removed": [*removed.values()],
            "swaps": [*swapped],
            "swapped": [*swapped.values()],
            "tau": [each.tau for each in shuffles],
            "shuffled": [each.error for each in shuffles],
        },
    )


def paths_of(subject: Subject, *, images: int, draws: int) -> Findings:
    """The gradient at training images along paths of each length.

    Figures: `decades`, the powers of ten by which it changes with each further branch; `mean`, the mean length of paths
    by gradient, and `relative` to that of all paths; `first` and `last` of the effective lengths, which hold 95 % of
    the gradient, and `effective`, their share of all paths.

    Series, by `length`: `norm`, `paths` and `gradient`, the shares of all paths and of the gradient.
    """
    batches = subject.batches("train", images, size=BATCH)
    labels = torch.cat([batch.targets for batch in batches])

    def loss(net: nn.Module, shown: Tensor) -> Tensor:
        return F.cross_entropy(net(shown), labels, reduction="sum")

    gradients = path_gradients(subject.net, loss, subject.images("train", images), draws=draws)
    effective, mean = effective_lengths(gradients), mean_effective_length(gradients)
    return Findings(
        {
            "decades": decades_per_block(gradients),
            "mean": mean,
            "relative": mean / mean_length(len(gradients) - 1),
            "first": float(effective.first),
            "last": float(effective.last),
            "effective": effective.paths,
        },
        {
            "length": [each.length for each in gradients],
            "norm": [each.norm for each in gradients],
            "paths": [each.paths for each in gradients],
            "gradient": [each.gradient for each in gradients],
        },
    )


def _error(subject: Subject, images: int) -> Callable[[nn.Module], float]:
    """The share of wrong test images; the net that is asked about is the subject's."""
    batches = subject.batches("test", images, size=BATCH)
    return lambda net: mean_losses(subject.system, batches)["error"]


def _of_single(found: Deletions, *, chance: float) -> dict[str, float]:
    """The figures of one block deleted."""
    errors = [each.error for each in found.single]
    one = fmean(errors)
    figures = {"intact": found.intact, "one": one, "rise": one - found.intact, "worst": max(errors)}
    figures["to_chance"] = (one - found.intact) / (chance - found.intact) if found.intact < chance else 1.0
    for name, enters in (("entering", True), ("within", False)):
        rises = [each.error - found.intact for each in found.single if each.enters_stage == enters]
        figures[name] = fmean(rises) if rises else float("nan")
    return figures


def _means(cases: Sequence[Removal | Shuffle]) -> dict[int, float]:
    """The mean error of each number of deletions or swaps."""
    return {
        count: fmean(case.error for case in of_count) for count, of_count in groupby(cases, lambda case: case.number)
    }
