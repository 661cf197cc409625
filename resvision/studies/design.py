"""The design of a study: conditions that differ in one thing, what is measured of them, and the claims to be held.

A study is a file with a `Design`, or with a function that gives one. It reaches no torch, so that studies are listed
quickly; what is measured is named as text.

Glossary
    condition  a model with settings; it is trained once for each seed
    member     one training: a condition under a seed
    figure     a number of a member: `loss`, the mean training loss of the last epoch; `trained`, the mean of the task's
               first training metric over it; `tested`, the main figure on the test images; `parameters`; `seconds`, in
               training steps; every figure of the evaluation by its name; those of a measure as `measure.figure`
    series     numbers of a member that belong together, such as an error for each deleted block: `measure.series`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Form = Literal["share", "number", "count", "ms", "seconds"]
"""How a figure is written: a share 0..1 in percent, four digits, a whole number, milliseconds, a duration."""


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """A training before that of a condition, whose weights the encoder of the condition's net starts with.

    name         of its phase; `--set NAME.KEY=VALUE` changes it
    quick        settings that `--quick` puts over the others
    quick_model  another net for `--quick`; "" for the same
    """

    name: str
    model: str
    data: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    quick_model: str = ""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One of the conditions: a name that a folder may have, and what a run under it has of its own.

    quick        settings that `--quick` puts over the others
    published    the paper's figure for it with its data, such as `6.61 % (ResNet-110, CIFAR-10)`; "" for none
    data         its data set, where it is not that of the study, as where conditions are of several tasks
    pretraining  the training before it, under the same seed; None for one from scratch
    """

    name: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    published: str = ""
    data: str = ""
    pretraining: Pretraining | None = None


class Value(NamedTuple):
    """A figure under a condition, or by how much it is larger there than under the condition `above`."""

    condition: str
    figure: str = "tested"
    above: str = ""


class Claim(NamedTuple):
    """A claim: `smaller` is below `larger`, seed by seed; a number stands for itself.

    Lower is better in every figure of classification; where a higher figure is better, `smaller` is the worse one.
    """

    text: str
    smaller: Value | float
    larger: Value | float


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measurement of trained members, whose findings are kept in the folder of the study.

    name      by which its figures and series are named
    function  "module:function" from a Subject and the options to Findings; where it is `joint`, from all subjects of
              a study, in the order of members, to a list of as many Findings
    options   of the function, and `quick` those that `--quick` puts over them
    """

    name: str
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    joint: bool = False


class Column(NamedTuple):
    """A column of the page's table: a figure, its heading and how it is written."""

    figure: str
    heading: str
    form: Form = "number"


class Lines(NamedTuple):
    """A plot of one series against another, a line for each member, the members of a condition in one colour.

    style    lines, or points alone
    log      whether both axes are linear, or which is logarithmic
    """

    title: str
    x: str
    y: str
    x_label: str
    y_label: str
    style: Literal["lines", "points"] = "lines"
    log: Literal["", "x", "y", "xy"] = ""


class Drawing(NamedTuple):
    """A picture of a study's own: "module:function" from its Results and a name for ids to an <svg>, or to HTML."""

    title: str
    function: str


@dataclass(frozen=True, kw_only=True)
class Design:
    """A study before it is carried out.

    name      of the command
    question  in one line, which ends in a question mark
    paper     where the claim comes from, with its link
    title     of its page, and `lead` its first sentences: what is compared, and what to look at
    data      the usual data set
    common    settings of all conditions, and `quick` those that `--quick` puts over them
    seeds     the usual number of them
    columns   of the table, beside those of every study
    shares    figures of measures that no column shows, and that are written in percent where claims compare them
    minutes   the time that `--quick` took on two cores, two members beside each other, as it was measured; and that of
              the usual length, None where it was not
    """

    name: str
    question: str
    paper: str
    title: str
    lead: str
    conditions: Sequence[Condition]
    claims: Sequence[Claim]
    common: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    data: str = "digits"
    seeds: int = 3
    measures: Sequence[Measure] = ()
    columns: Sequence[Column] = ()
    shares: frozenset[str] = frozenset()
    plots: Sequence[Lines | Drawing] = ()
    minutes: tuple[float, float | None] | None = None
