"""The torch-free half of a task.

A kind gives plain data to show (`kinds.forms`); the terminal and the page draw it. Nothing else knows the task.

Glossary
    S    the scores of a task over a data set
    R    its result for one image
    T    the target of a sample
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.core.images import Pixels
from resvision.core.samples import Reader
from resvision.core.view_geometry import Geometry
from resvision.kinds.exported_kind import Exam as Exam
from resvision.kinds.exported_kind import ExportedKind
from resvision.kinds.forms import (
    Asked,
    ClassRow,
    ClassTable,
    Column,
    Curve,
    Example,
    Exhibit,
    Line,
    ListedProtocol,
    Matrix,
    Panel,
    Plot,
    Showing,
    Table,
    Written,
)
from resvision.kinds.graph import Graph as Graph
from resvision.kinds.model_card import ModelCard as ModelCard
from resvision.kinds.scored import LabelForm as LabelForm
from resvision.kinds.scored import Result as Result
from resvision.kinds.scored import Scores as Scores
from resvision.kinds.seen_samples import SampleSource as SampleSource
from resvision.kinds.seen_samples import Seen as Seen

__all__ = [  # a task of a user's own finds here whatever its kind gives
    "Exam", "Graph", "Kind", "LabelForm", "ModelCard", "Result", "SampleSource", "Scores", "Seen", "percent",
    "Asked", "ClassRow", "ClassTable", "Column", "Curve", "Example", "Exhibit", "Line", "ListedProtocol", "Matrix",
    "Panel", "Plot", "Showing", "Table", "Written",
]  # fmt: skip

Ints = NDArray[np.int64]


S = TypeVar("S", bound=Scores)
R = TypeVar("R", bound=Result)
T = TypeVar("T")
F = TypeVar("F")


class Kind(ExportedKind[S, T], ABC, Generic[S, R, T]):
    """The torch-free half of a task. Abstract. Of exported nets, `ExportedKind` tells.

    name        the task's name in the catalog and in the table of data sets
    layouts     "module:LAYOUT" of `data.layouts`, by which folders and tables are read, the usual one first; none where
                only named sets are known
    judged_by   figures that choose the best weights, the first before the others: the lower the better, the higher
                where a minus stands before the name
    sample_noun the noun of a sample, where it is not an image
    file_endings  endings of the files that predictions are asked for, such as `.xml`, where these are no images
    main_name   the noun of the first of `judged_by`, as in "test error"
    figures     all figures of an evaluation
    metrics     metrics of a training step that are shown while a run is trained
    shares      figures and metrics that are shares 0..1
    nouns       names of figures and metrics in text, where they are not their own with spaces
    told_from   the least number of classes from which a figure says anything, where there is one
    columns     of the table of runs, besides those that all runs have
    curves      of the page, in order
    footnote    a sentence below the table of runs
    worst_title the heading above the worst examples, and `worst_note` the sentence below them
    options     options of `evaluate` and `predict` that the task takes, of scales, compile, ensemble, out, csv, top,
                only, score, iou, suppress, most, proposals
    refused     the reason and the remedy for an option that it does not take, where there is more to say
    label_forms "module:class" of each `LabelForm` that `predict --labels` takes, by its name; made from the classes
    compared    figures, with headings, by which several runs are put beside each other
    protocols   test protocols, the usual one first
    """

    name: ClassVar[str]
    layouts: ClassVar[tuple[str, ...]] = ()
    judged_by: ClassVar[tuple[str, ...]]
    sample_noun: ClassVar[str] = "image"
    file_endings: ClassVar[frozenset[str]] = frozenset()
    main_name: ClassVar[str] = "error"
    figures: ClassVar[tuple[str, ...]]
    metrics: ClassVar[tuple[str, ...]] = ("error",)
    shares: ClassVar[frozenset[str]] = frozenset()
    nouns: ClassVar[Mapping[str, str]] = {}
    told_from: ClassVar[Mapping[str, int]] = {}
    columns: ClassVar[tuple[Column, ...]]
    curves: ClassVar[tuple[Curve, ...]]
    footnote: ClassVar[str] = ""
    worst_title: ClassVar[str] = "Worst images"
    worst_note: ClassVar[str] = ""
    options: ClassVar[frozenset[str]] = frozenset()
    refused: ClassVar[Mapping[str, str]] = {}
    label_forms: ClassVar[Mapping[str, str]] = {}
    compared: ClassVar[Mapping[str, str]]
    protocols: ClassVar[tuple[ListedProtocol, ...]]

    @property
    def main(self) -> str:
        """The figure that runs are compared by."""
        return self.judged_by[0].removeprefix("-")

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher main figure is better."""
        return self.judged_by[0].startswith("-")

    def require_options(self, given: Mapping[str, bool]) -> None:
        """Raise SettingsError for an option that is given and that the task does not take."""
        for option, is_given in given.items():
            if is_given and option not in self.options:
                reason = self.refused.get(option, f"runs of {self.name} have no use for it; leave it out")
                raise SettingsError(f"--{option}: {reason}")

    def label_form(self, name: str, classes: tuple[str, ...]) -> LabelForm:
        """The form of labels of this name, for a run with these classes; SettingsError where the task has none such."""
        if name not in self.label_forms:
            forms = f"labels as {', '.join(self.label_forms)}" if self.label_forms else "no labels; leave it out"
            raise SettingsError(f"--labels {name}: runs of {self.name} write {forms}")
        form: LabelForm = references.find(self.label_forms[name], noun="form of labels")(classes)
        return form

    def write(self, name: str, value: float) -> str:
        """A figure or metric as text: shares in percent, others with four decimals."""
        return f"{value:.2%}" if name in self.shares else f"{value:.4f}"

    def noun(self, name: str) -> str:
        """The name of a figure or metric in text, the same wherever it is shown."""
        return self.nouns.get(name, name.replace("_", " "))

    def telling(self, figures: Mapping[str, F], classes: int) -> dict[str, F]:
        """The figures, by their names, that say anything with so many classes."""
        return {name: value for name, value in figures.items() if classes >= self.told_from.get(name, 0)}

    @abstractmethod
    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        """The fault of a target of a user's own reader, in words; "" where there is none."""

    @abstractmethod
    def decode(self, raw: Any, geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> R:
        """The result for one image from the raw prediction of its view, as the other half's `raw` gives it."""

    def pooled(self, scores: Sequence[S]) -> S | None:
        """The scores of several sets of images taken together, each scored by a run of its own; None if not known."""
        return None

    @abstractmethod
    def read_scores(self, data: Any) -> S:
        """The scores in `evaluation.json`; ValueError, KeyError or TypeError for anything else."""

    # The data set on the page ----------------------------------------------------------------------------------------

    amount_noun: ClassVar[str] = "images"
    """The pieces that `amounts` counts."""
    counted_targets: ClassVar[int] = 100_000
    """The number of targets of a split that are counted at most, spread over it evenly."""

    def amounts(self, target: T, classes: int) -> Ints | None:
        """The amount of each class in a target, (K,); None where targets are no classes."""
        return None

    def samples_shown(
        self, reader: Reader[T], indices: Sequence[int], results: Sequence[R] | None, *, pictures: bool
    ) -> Showing:
        """Show samples as they are drawn for a net, beside pictures of them for people.

        results   the predictions of a net for them, where there is one
        pictures  whether pictures are wanted, or tables and lines alone

        Raises SettingsError for a task whose nets see images as they are.
        """
        raise SettingsError(f"--raster: nets for {self.name} see images, and nothing is drawn for them")

    # Scores in words and tables ---------------------------------------------------------------------------------------

    @abstractmethod
    def sentence(self, scores: S, data: str) -> str:
        """The scores as the end of a sentence, after "it": `gets 3 of 397 test images{data} wrong (...)`."""

    @abstractmethod
    def lines(self, scores: S) -> list[tuple[str, str]]:
        """Names and values of the figures, for a terminal."""

    @abstractmethod
    def tables(self, scores: S) -> list[Table]:
        """Tables for a terminal: of the classes, and of their confusion where it is small enough."""

    def class_table(self, scores: S) -> ClassTable | None:
        """The classes with their scores, for the page."""
        return None

    def matrix(self, scores: S) -> Matrix | None:
        """The confusion of the classes, for the page."""
        return None

    def page_tables(self, scores: S) -> list[ClassTable]:
        """Small tables for the page besides that of the classes, such as of sizes; their rows have shares, or none."""
        return []

    def plots(self, scores: S) -> list[Plot]:
        """Plots for the page that follow from the scores alone, such as precision over recall."""
        return []

    # The worst test images -------------------------------------------------------------------------------------------

    predicts_examples: ClassVar[bool] = False
    """Whether `exhibit` needs the net's result for the example, which the run directory does not hold."""

    def worst(self, scores: S) -> list[Example]:
        """The test images for the page, the worst first."""
        return []

    def none_wrong(self, scores: S) -> str:
        """The sentence in place of examples where there are none; "" leaves their section out."""
        return ""

    def exhibit(self, scores: S, rank: int, image: Pixels, target: T, result: R | None) -> Exhibit:
        """The exhibit of example number `rank` of `worst`; DataError where its target differs from the scored one.

        Exhibits of one picture stand in a grid, of several in a row each. A kind whose `worst` is empty needs none.
        """
        raise NotImplementedError(f"{type(self).__name__}.worst names examples, and nothing shows them")

    def legend(self, scores: S, shown: Sequence[tuple[T, R | None]]) -> list[tuple[str, str]]:
        """Names and colours (#rrggbb) that the pictures use."""
        return []

    # Results of single images ----------------------------------------------------------------------------------------

    usual_top: ClassVar[int | None] = None
    """The number of ranked classes that the command line shows by default."""

    usual_score: ClassVar[float | None] = None
    """The score above which `predict` shows what was found, where a person names none."""

    def limited(self, result: R, top: int | None) -> R:
        """The result with its `top` first classes, where it ranks classes."""
        return result

    @abstractmethod
    def line(self, result: R) -> str:
        """The result in a line."""

    csv_header: ClassVar[tuple[str, ...]] = ()

    def csv_rows(self, result: R) -> list[tuple[Any, ...]]:
        """Rows below `csv_header`."""
        return []

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The paths of the files that hold the result of an image in the folder `out`; none for no files."""
        return ()

    def contents(self, result: R, image: Pixels) -> Iterator[bytes]:
        """Yield the content of each path that `files` gives: the result as pictures; `image` is the decoded image."""
        yield from ()


def percent(share: float) -> str:
    """A share 0..1 for a terminal, a dash for NaN."""
    return "-" if isnan(share) else f"{share:.2%}"
