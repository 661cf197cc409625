"""The forms in which a kind gives its results to be shown: columns, curves, tables, confusions, pictures.

They are plain data. Which task gave them is nothing that the terminal and the page need to know.

Glossary
    E    evaluations that a run has made
    K    classes
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Written = Literal["percent", "figure", "hundredths", "whole"]
"""The form of a number in text: a share 0..1 in percent, four significant digits, two decimals, or a whole number with
commas."""


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
    """One class: its number of images or pixels, its shares (NaN where there is none), and its colour, if any.

    The amount is None where it is not known; shares are 0..1 but in columns that are written otherwise.
    """

    name: str
    amount: int | None
    shares: tuple[float, ...]
    colour: str = ""


class ClassTable(NamedTuple):
    """The classes of a run: headings of the amount and of each share, and the means of these, if there are any.

    title, noun  of the table and of its rows; others than classes stand in such tables too
    written      the form of each column of shares; percent of all where there are none
    """

    headings: tuple[str, ...]
    rows: list[ClassRow]
    means: tuple[float, ...] | None = None
    title: str = "Classes"
    noun: str = "class"
    written: tuple[Written, ...] = ()


class Line(NamedTuple):
    """A line of a plot: x and y of its points, (N,) each, and its colour #rrggbb, "" for the next one."""

    name: str
    x: Floats
    y: Floats
    colour: str = ""
    bold: bool = False


class Plot(NamedTuple):
    """A plot of lines, such as precision over recall.

    title    of the plot, such as `Precision over recall by class`
    axes     the nouns of x and y
    caption  a sentence below it
    units    of x and y: in "%", values are shares 0..1 and the axis goes from 0 to 100 %; in any other, they are drawn
             as they are, from 0 on
    ticks    names of the values 0, 1, 2 ... of x, where these are groups and no amounts: lines are drawn as bars
    """

    title: str
    axes: tuple[str, str]
    lines: tuple[Line, ...]
    caption: str = ""
    units: tuple[str, str] = ("%", "%")
    ticks: tuple[str, ...] = ()


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
    """One picture of an example, with its name where there are several.

    heated    whether colours lie over it
    lettered  whether it holds writing, which could not be read if it were shrunk
    """

    name: str
    picture: Image.Image
    heated: bool = False
    lettered: bool = False


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


class Showing(NamedTuple):
    """Facts about a net, or samples, that a task shows in a form of its own.

    tables    for a terminal, and `lines` below them
    pictures  by the names of their files, without endings
    document  the same facts as plain data
    files     others than pictures, by their names with endings
    """

    tables: tuple[Table, ...]
    lines: tuple[str, ...]
    pictures: Mapping[str, Image.Image]
    document: Any
    files: Mapping[str, bytes] = MappingProxyType({})


class ListedProtocol(NamedTuple):
    """A test protocol in the list of protocols."""

    name: str
    summary: str
    source: str
    scales: str = ""
