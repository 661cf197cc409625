"""Several runs over the same images, each alone and all together by averaged softmax.

Krizhevsky et al. 2012, section 6, average the predictions of five nets; the later papers do the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError
from resvision.core.results import ClassificationScores
from resvision.inference.evaluate import class_index, open_reader, probabilities, scored
from resvision.inference.load import Trained, load
from resvision.inference.presets import CENTER_CROP, PAPER_CROPS
from resvision.inference.protocols import Protocol, apply, comparable
from resvision.papers.results import Published, PublishedEnsemble, published_ensembles


class Member(NamedTuple):
    """One run by a protocol, and what is published for its net by the same."""

    trained: Trained
    protocol: Protocol
    scores: ClassificationScores
    published: list[Published]


class Ensemble(NamedTuple):
    """Scores of each run, and of the mean of their probabilities.

    data       the name of what they were tested on
    published  ensembles that the papers tested on it by the same protocol
    """

    data: str
    members: list[Member]
    together: ClassificationScores
    published: list[PublishedEnsemble]


def evaluate_ensemble(
    runs: Sequence[Trained | str | Path],
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int = 64,
    grey: bool = False,
    compiled: bool | None = None,
    protocol: str = CENTER_CROP,
    scales: Sequence[int] | None = None,
) -> Ensemble:
    """Scores of several runs and of their ensemble over the same images; arguments as of `evaluate`.

    Raises SettingsError for no runs, for runs with different classes, and for runs that were trained on different data
    where `data` does not say which to take.
    """
    members = [run if isinstance(run, Trained) else load(run) for run in runs]
    _require_common_ground(members, data)
    protocols = [apply(protocol, member, scales=scales) for member in members]
    reader = open_reader(members[0], data, root=root)
    classes = members[0].classes
    targets = class_index(members[0], reader)[[reader.target(i) for i in range(len(reader))]]
    grey = grey or data is None
    outputs: list[NDArray[np.float32]] = []
    for member, rule in zip(members, protocols, strict=True):
        found = probabilities(member, reader, rule, batch_size=batch_size, grey=grey, compiled=compiled)
        outputs.append(found.outputs[:, [member.classes.index(each) for each in classes]])
    as_in_papers = all(rule.is_usual and rule.rule.crop_px in PAPER_CROPS for rule in protocols)
    return Ensemble(
        reader.name,
        [
            Member(member, rule, scored(each, targets, reader, classes=classes), comparable(member, reader.name, rule))
            for member, rule, each in zip(members, protocols, outputs, strict=True)
        ],
        scored(averaged(outputs), targets, reader, classes=classes),
        published_ensembles(data=reader.name, protocol=protocol) if as_in_papers else [],
    )


def averaged(members: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of the class probabilities (N, K) of several nets, to the bit the same in any order of them."""
    stacked = np.stack(members)
    stacked.sort(axis=0)  # a sum of floats depends on its order
    mean: NDArray[np.float32] = stacked.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _require_common_ground(members: list[Trained], data: str | Path | None) -> None:
    if not members:
        raise SettingsError("an ensemble needs one run or more")
    first = members[0]
    for member in members[1:]:
        other = sorted({*member.classes} ^ {*first.classes})
        if other:
            raise SettingsError(
                f"{member.folder}: has other classes than {first.folder}: {len(member.classes)} against"
                f" {len(first.classes)}, not in both: {', '.join(other[:5])}; name runs with the same classes"
            )
        if data is None and member.run.data.name != first.run.data.name:
            raise SettingsError(
                f"{member.folder}: was trained on {member.run.data.name}, {first.folder} on {first.run.data.name};"
                " say with --data which to evaluate on"
            )
