"""Inspection of residual blocks: what a run loses without them, and how far the gradient goes through them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import Batch
from resvision.core.errors import SettingsError
from resvision.core.progress import Bar
from resvision.core.terminal import Terminal
from resvision.inspection.inspected import Inspected, Inspection
from resvision.kinds.forms import Table
from resvision.probes.blocks import find_blocks
from resvision.probes.lesion import delete_each
from resvision.probes.paths import effective_lengths, mean_effective_length, path_gradients
from resvision.report.line_plots import Line, line_plot
from resvision.studies.subject import mean_losses

BATCH = 200
"""Images that are shown at a time to a net that lost a block."""

DRAWS = 10
"""Random paths of each length."""


def lesion(runs: Sequence[Inspected]) -> Inspection:
    """The share of wrong answers of a run without each of its blocks in turn.

    Raises SettingsError for a net without blocks, and for a task that counts no wrong answers.
    """
    (run,) = runs
    error, blocks = _error(run), _block_count(run, run.asked_batches(size=BATCH)[0])
    with Bar(Terminal(stderr=True), "deleting blocks", total=blocks + 2, noun="net") as bar:
        found = delete_each(run.net, bar.counting(error))  # that of the whole net, and a pass that finds the blocks
    rows = [
        (each.block, f"{each.error:.2%}", f"{each.error - found.intact:+.2%}", "yes" if each.enters_stage else "")
        for each in found.single
    ]
    worst = max(found.single, key=lambda each: each.error)
    title = f"Error of {run.name} without one block"
    line = (
        f"with all blocks {found.intact:.2%}; worst without {worst.block}, {worst.error:.2%}; in the mean"
        f" {np.mean([each.error for each in found.single]):.2%}"
    )
    names = [each.block for each in found.single]
    places = np.arange(len(names), dtype=np.float64)
    return Inspection(
        (Table(("block deleted", "error", "rise", "changes the shape"), rows, ("error", "rise"), title),),
        (line,),
        ("block", "changes_shape", "error"),
        [("", 0, found.intact), *((each.block, int(each.enters_stage), each.error) for each in found.single)],
        {
            "": line_plot(
                title,
                [
                    Line("without the block", places, np.array([each.error for each in found.single])),
                    Line("with all blocks", places[[0, -1]], np.array([found.intact, found.intact])),
                ],
                x_label="block",
                y_label=f"error over {run.split} images",
                words=f"{title}: {line}",
                ticks=names,
            )
        },
    )


def paths(runs: Sequence[Inspected]) -> Inspection:
    """The gradient that reaches the images along paths of each length.

    Raises SettingsError for a net without residual blocks, and for a run that classifies no images.
    """
    (run,) = runs
    loss, blocks = _summed_loss(run), _block_count(run, run.asked_batches()[0])
    passes = 3 + (blocks - 1) * DRAWS  # there is one shortest path and one longest, and a pass finds the blocks
    with Bar(Terminal(stderr=True), "following paths", total=passes, noun="path") as bar:
        found = path_gradients(run.net, bar.counting(loss), run.asked_images(), draws=DRAWS)
    effective, mean = effective_lengths(found), mean_effective_length(found)
    rows = [(str(each.length), f"{each.norm:.3g}", f"{each.paths:.2%}", f"{each.gradient:.2%}") for each in found]
    columns = ("branches on the path", "gradient of a path", "share of paths", "share of gradient")
    title = f"Gradient of {run.name} by length of path"
    line = (
        f"mean length {mean:.3g} by gradient, {(len(found) - 1) / 2:g} by number; {effective.gradient:.0%} of the"
        f" gradient is on lengths {effective.first} to {effective.last}, which are {effective.paths:.2%} of all paths"
    )
    lengths = np.array([each.length for each in found], dtype=np.float64)
    return Inspection(
        (Table(columns, rows, columns, title),),
        (line,),
        ("length", "norm", "paths", "gradient"),
        [tuple(each) for each in found],
        {
            "": line_plot(
                title,
                [
                    Line("share of all paths", lengths, np.array([each.paths for each in found])),
                    Line("share of the gradient", lengths, np.array([each.gradient for each in found])),
                ],
                x_label="branches on the path",
                y_label="share",
                words=f"{title}: {line}",
            )
        },
    )


def _block_count(run: Inspected, batch: Batch) -> int:
    """The number of the net's blocks, which a batch goes through; SettingsError where there is none."""
    return len(find_blocks(run.net, lambda _: mean_losses(run.system, [batch])))


def _error(run: Inspected) -> Callable[[nn.Module], float]:
    """The share of wrong answers over the asked images, by the system around the net."""
    batches = run.asked_batches(size=BATCH)
    if "error" not in mean_losses(run.system, batches[:1]):
        raise SettingsError(
            f"{run.trained.title}: {run.trained.kind.name} counts no wrong answers, by which a lesion is judged; name a"
            " run of classification or segmentation"
        )
    return lambda net: mean_losses(run.system, batches)["error"]


def _summed_loss(run: Inspected) -> Callable[[nn.Module, Tensor], Tensor]:
    """The sum of the cross-entropy of the asked images; SettingsError for another task than classification."""
    targets = [batch.targets for batch in run.asked_batches()]
    if not all(isinstance(labels, Tensor) and labels.ndim == 1 for labels in targets):
        kind = run.trained.kind.name
        raise SettingsError(f"{run.trained.title}: paths start at a loss of classes, not of {kind}; name another run")
    labels = torch.cat(targets)
    return lambda net, images: F.cross_entropy(net(images), labels, reduction="sum")
