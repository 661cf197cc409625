"""The decision on a claim of the notes: its word, what it rests on, and the numbers, in words of both languages.

A check computes its figures now and holds what the note says against them; a study's verdict comes from its results.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from resvision.studies.claims import phrases
from resvision.studies.claims.entries import Check, Entry, Language, Relation
from resvision.studies.claims.evidence import Evidence, Finding, evidence, word_of
from resvision.studies.claims.figures import FIGURES, figure_named
from resvision.studies.claims.sources import SOURCES
from resvision.studies.design import Design, Value
from resvision.studies.results import Results, is_share
from resvision.studies.spreads import mean_and_spread

By = Literal["study", "arithmetic", "table", "text"]

_HOLDS: Mapping[Relation, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "=": lambda one, other: bool(np.isclose(one, other, rtol=1e-12)),
    ">": operator.gt,
}
_SIGNS = {"supported": "<", "contradicted": ">", "undecided": "≈"}


class Decision(NamedTuple):
    """The decision on an entry.

    word     of `phrases.WORDS`
    by       what decides it
    parts    of the evidence, where a study decides it
    """

    entry: Entry
    word: str
    by: By
    parts: tuple[Evidence, ...] = ()

    def shown(self, language: Language) -> str:
        """The numbers that decide it, the paper that does, or that it has not been measured."""
        entry = self.entry
        if entry.check is not None:
            filled = entry.words(language).shown.format(**figures_of(entry.check))
            return (phrases.COMPUTED if self.by == "arithmetic" else phrases.PRINTED)(language, shown=filled)
        if entry.paper is not None:
            section = phrases.SECTION(language, section=entry.paper.section) if entry.paper.section else ""
            return phrases.TEXT_DECIDES(language, where=f"{SOURCES[entry.paper.source].name}{section}")
        if not self.parts:
            return phrases.NOT_RUN(language)
        return phrases.MEASURED(language, shown=" ".join(in_words(part, language) for part in self.parts))


def decide(entry: Entry, results: Sequence[Results]) -> Decision:
    """The decision on an entry; on one that a study decides from these results."""
    if entry.check is not None:
        return Decision(entry, word_of_check(entry.check), entry.check.by)
    if entry.paper is not None:
        return Decision(entry, entry.paper.word, "text")
    assert entry.study is not None, "entries have one of three"
    parts = tuple(evidence(entry.study, results))
    return Decision(entry, word_of(parts), "study", parts)


def figures_of(check: Check) -> Mapping[str, Any]:
    """The figures of a check, computed now."""
    return FIGURES[check.figures]() if isinstance(check.figures, str) else check.figures


def word_of_check(check: Check) -> str:
    """Whether all that the note says holds of the figures, some of it, or nothing."""
    figures = figures_of(check)

    def number(side: str | float) -> float:
        return figure_named(figures, side) if isinstance(side, str) else side

    holding = [_HOLDS[relation](number(one), number(other)) for one, relation, other in check.says]
    return "right" if all(holding) else "partly right" if any(holding) else "wrong"


def in_words(part: Evidence, language: Language) -> str:
    """What was found on one set of data: seeds, date, and both sides of each claim with mean and spread."""
    results = part.results
    found = "; ".join(_finding(part.design, results, finding, language) for finding in part.findings)
    diverged = sum(bool(member.diverged) for member in results.members)
    if diverged:
        found = f"{found}; {phrases.LEFT_OUT(language, count=diverged)}"
    if part.unmeasured:
        found = f"{found}; {phrases.UNMEASURED(language, count=part.unmeasured)}"
    quick = phrases.QUICK(language) if results.quick else ""
    names = {side.condition for finding in part.findings for side in finding.values}
    grounds = dict.fromkeys(one.data for one in results.by_task() if names & {*one.conditions})
    seeds, data = len(results.seeds), ", ".join(grounds)
    on_data = phrases.ON_DATA(language, data=data, seeds=seeds, date=results.date, quick=quick, findings=found)
    return f"{on_data}."


def _finding(design: Design, results: Results, finding: Finding, language: Language) -> str:
    """Both sides of a claim of a study, with the sign that its verdict gives, and what an undecided one needs."""
    sides, verdict = (finding.claim.smaller, finding.claim.larger), finding.verdict
    values = finding.values
    results = next(one for one in results.by_task() if values[0].condition in one.conditions)
    are_shares = any(is_share(value.figure, design, results.kind) for value in values)
    names = [_figure_name(side, results, language) if isinstance(side, Value) else "" for side in sides]
    left, right = (_side(side, results, language, are_shares=are_shares) for side in sides)
    if len({value.figure for value in values}) == 1:
        shown = f"{''.join(dict.fromkeys(names))} {left} {_SIGNS[verdict.word]} {right}"
    else:
        shown = f"{names[0]} {left} {_SIGNS[verdict.word]} {names[1]} {right}"
    if verdict.word != "undecided":
        return shown
    needed = phrases.NEEDED(language, pairs=verdict.needed) if verdict.needed else phrases.UNDECIDED(language)
    return f"{shown} ({needed})"


def _side(side: Value | float, results: Results, language: Language, *, are_shares: bool) -> str:
    if not isinstance(side, Value):
        return f"{100 * side:.4g} %" if are_shares else f"{side:.4g}"
    values = results.figure(side.condition, side.figure)
    if side.above:
        values = values - results.figure(side.above, side.figure)
    known = values[np.isfinite(values)].tolist()
    text = mean_and_spread(known, _percent if are_shares else "{:.4g}".format) if known else "—"
    if side.above:
        return phrases.DIFFERENCE(language, condition=side.condition, above=side.above, value=text)
    return f"`{side.condition}` {text}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _figure_name(side: Value, results: Results, language: Language) -> str:
    """The figure of a side in words; that of a measure by its heading's name."""
    kind = results.kind
    if side.figure == "tested":
        return phrases.TESTED[kind.main_name](language)
    if side.figure == "trained":
        return phrases.TRAINED[kind.noun(kind.metrics[0])](language)
    return phrases.FIGURES[side.figure](language) if side.figure in phrases.FIGURES else f"`{side.figure}`"
