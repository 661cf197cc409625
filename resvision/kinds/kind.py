"""The torch-free half of a task, and the forms in which it shows results: columns, curves, tables, pictures.

A kind gives plain data to show; the terminal and the page draw it. Nothing else knows the task.

Glossary
    S    the scores of a task over a data set
    R    its result for one image
    T    the target of a sample
    E    evaluations that a run has made
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import SettingsError
from resvision.core.images import Pixels
from resvision.core.views import Geometry

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Scores(Protocol):
    """Scores over a data set, whatever the task."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of their indices; empty where targets are no classes."""
        ...

    @property
    def images(self) -> int:
        """The number of images that were scored."""
        ...

    def figures(self) -> dict[str, float]:
        """The figures that a line of the history keeps."""
        ...

    def summary(self) -> str:
        """The line that a person reads at the end of a training."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        ...


class Result(Protocol):
    """A net's answer for one image, whatever the task."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, which holds `source`."""
        ...


S = TypeVar("S", bound=Scores)
R = TypeVar("R", bound=Result)
T = TypeVar("T")
F = TypeVar("F")

Written = Literal["percent", "figure", "whole"]
"""The form of a number in text: a share 0..1 in percent, four significant digits, or a whole number with commas."""


class Column(NamedTuple):
    """A column of the table of runs.

    source   training: the mean of a metric over the last epoch
             validation: a figure of the best validation
             test: a figure of the final scores; of the latest evaluation, before there are any
             result: an attribute of the final scores
    figure   the name of the metric, the figure or the attribute
    better   the better end
    classes  the least number of classes for which it is shown
    """

    heading: str
    source: Literal["training", "validation", "test", "result"]
    figure: str
    better: Literal["lower", "higher"]
    written: Written = "percent"
    classes: int = 0


class Curve(NamedTuple):
    """A plot of all runs over epochs.

    name       of the quantity, as titles and the axis say it
    axis       rising: from 0 to a little above the highest point; falling: from 0, cut above the ends of the curves;
               logarithmic: for losses
    evaluated  the values (E,) at the evaluations, from their figures by name; None where they are not drawn
    trained    the metric of the training steps that is drawn beside them, or alone
    unit       of the axis: in "%", shares 0..1 are drawn a hundredfold; in any other, values are drawn as they are
    averaged   whether the training curve is the mean over an epoch of steps; a setting is drawn as it was
    """

    name: str
    axis: Literal["rising", "falling", "logarithmic"]
    evaluated: Callable[[Mapping[str, Floats]], Floats] | None = None
    trained: str | None = None
    unit: str = "%"
    averaged: bool = True


class Table(NamedTuple):
    """A table for a terminal: columns in `numbers` stand to the right, a narrow one does without those in `least`."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    title: str | None = None
    least: tuple[str, ...] = ()


class ClassRow(NamedTuple):
    """One class: its number of images or pixels, its two shares (NaN where there is none), and its colour, if any."""

    name: str
    amount: int
    shares: tuple[float, float]
    colour: str = ""


class ClassTable(NamedTuple):
    """The classes of a run: headings of the amount and the two shares, and the means of these, if there are any."""

    headings: tuple[str, str, str]
    rows: list[ClassRow]
    means: tuple[float, float] | None = None


class Matrix(NamedTuple):
    """A confusion matrix.

    counts      (K, K), true classes in rows
    percent     whether cells say percents of their row in place of counts
    numbers_to  the largest number of classes whose cells hold numbers
    caption     the meaning of the numbers
    """

    classes: tuple[str, ...]
    counts: Ints
    percent: bool
    numbers_to: int
    caption: str

    @property
    def numbered(self) -> bool:
        """Whether numbers stand in the cells."""
        return len(self.classes) <= self.numbers_to


class Example(NamedTuple):
    """A test image that is shown on the page: its index in the data set, and its source when it was scored."""

    image: int
    source: str


class Panel(NamedTuple):
    """One picture of an example, with its name where there are several; `heated` where colours lie over it."""

    name: str
    picture: Image.Image
    heated: bool = False


class Asked(NamedTuple):
    """A class that the net is asked about for an example: why this one, at these points of the image, or everywhere.

    points  (M, 2), x and y in pixels, (0.5, 0.5) being the centre of the first
    words   the name of the picture that answers, such as `for cat, the true class`
    """

    label: str
    words: str
    points: Floats | None = None


class Exhibit(NamedTuple):
    """An example on the page: its pictures, and a caption of `lead`, `title` in bold, and `text`.

    asked  the classes whose grounds are shown beside its pictures
    """

    source: str
    title: str
    text: str
    panels: tuple[Panel, ...]
    lead: str = ""
    asked: tuple[Asked, ...] = ()


class ListedProtocol(NamedTuple):
    """A test protocol in the list of protocols."""

    name: str
    summary: str
    source: str
    scales: str = ""


class Kind(ABC, Generic[S, R, T]):
    """The torch-free half of a task. Abstract.

    name        the task's name in the catalog and in the table of data sets
    layouts     "module:LAYOUT" of `data.layouts`, by which folders and tables are read, the usual one first; none where
                only named sets are known
    judged_by   figures that choose the best weights, the first before the others: the lower the better, the higher
                where a minus stands before the name
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
    options     options of `evaluate` and `predict` that the task takes, of scales, compile, ensemble, out, csv, top
    refused     the reason and the remedy for an option that it does not take, where there is more to say
    compared    figures, with headings, by which several runs are put beside each other
    protocols   test protocols, the usual one first
    """

    name: ClassVar[str]
    layouts: ClassVar[tuple[str, ...]] = ()
    judged_by: ClassVar[tuple[str, ...]]
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
    def decode(self, raw: NDArray[Any], geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> R:
        """The result for one image from the raw prediction of its view, without the batch."""

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
