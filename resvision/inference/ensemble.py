"""Evaluation of several runs on the same images, alone and, where their task averages predictions, together."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from resvision.core.errors import SettingsError
from resvision.data.identities import Overlap, ScoredImages
from resvision.inference.evaluate import comparable, open_images, overlap_of, require_how, with_own_proposals
from resvision.inference.load import Trained, load
from resvision.kinds.kind import Scores
from resvision.papers.results import Published, PublishedBoxes, PublishedEnsemble, published_ensembles
from resvision.tasks import Described, How
from resvision.training.machine import at_work

PAPER_PX = 224
"""The side of the images of published ensembles."""


class Member(NamedTuple):
    """One run tested by a protocol, the images it knew, and published results of its net by the same protocol."""

    trained: Trained
    protocol: Described | None
    scores: Scores
    published: list[Published | PublishedBoxes]
    overlap: Overlap | None


class Ensemble(NamedTuple):
    """The scores of each run, and of the mean of their predictions.

    data       the name of the set that they were tested on
    images     those that were scored: where no data are named, the first run's own test images
    together   None where the mean was not asked for
    published  ensembles that the papers tested on it by the same protocol
    """

    data: str
    images: ScoredImages
    members: list[Member]
    together: Scores | None
    published: list[PublishedEnsemble]

    @property
    def overlap(self) -> Overlap | None:
        """The images that one run or more knew; None where none kept a list."""
        kept = [member.overlap for member in self.members if member.overlap is not None]
        return reduce(Overlap.union, kept) if kept else None


def evaluate_ensemble(
    runs: Sequence[Trained | str | Path],
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    columns: Sequence[str] | None = None,
    how: How | None = None,
    together: bool = True,
) -> Ensemble:
    """Score several runs over the same images, and their ensemble if `together`.

    Raises SettingsError for no runs, for runs of different tasks or classes, for runs that were trained on different
    data where `data` names none, and where predictions of their task are not averaged.
    """
    members = [run if isinstance(run, Trained) else load(run) for run in runs]
    _require_common_ground(members, data)
    first = members[0]
    how = how or How()
    how = how._replace(grey=how.grey or data is None)
    require_how(first.kind, how)
    first.kind.require_options({"ensemble": together})
    images = open_images(first, data, root=root, columns=columns)
    reader, how = images.reader, how._replace(grey=how.grey or images.moved)
    is_own = data is None or images.moved
    members = [
        member.task.configured(member, with_own_proposals(member, how.prediction) if is_own else how.prediction)
        for member in members
    ]
    with ExitStack() as stack:
        for member in members:
            stack.enter_context(at_work(member.system, member.machine))
        if together:
            alone, together_scores = first.task.evaluate_together(members, reader, how)
        else:
            alone, together_scores = [member.task.evaluate(member, reader, how) for member in members], None
    applied = how._replace(protocol=how.protocol or first.kind.protocols[0].name)
    published = [comparable(member, reader.name, applied) for member in members]
    as_published = applied.scales is None and all(
        member.task.published_as(member, applied, input_px=PAPER_PX) for member in members
    )
    return Ensemble(
        reader.name,
        images,
        [
            Member(member, member.task.describe(member, applied), scores, results, overlap_of(member, reader))
            for member, scores, results in zip(members, alone, published, strict=True)
        ],
        together_scores,
        published_ensembles(data=reader.name, protocol=applied.protocol or "") if together and as_published else [],
    )


def _require_common_ground(members: list[Trained], data: str | Path | None) -> None:
    if not members:
        raise SettingsError("an ensemble needs one run or more")
    first = members[0]
    for member in members[1:]:
        if member.kind is not first.kind:
            raise SettingsError(
                f"{member.folder}: is for {member.kind.name}, {first.folder} for {first.kind.name}; evaluate them apart"
            )
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
