"""Faults of a design that would come to light only after its trainings, found before the first. Reaches no torch."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from resvision.core.errors import SettingsError, unknown_name
from resvision.studies.design import Claim, Design, Value

EVERY_MEMBERS = ("loss", "tested", "parameters", "seconds")
"""Figures of every member, beside those of its evaluation."""

NO_FILE_NAME = frozenset("/\\\0")


def require_sound(design: Design) -> None:
    """Raise SettingsError for a design without conditions, with a name twice, or with claims about unknown things."""
    if not design.conditions:
        raise SettingsError(f"study {design.name}: has no conditions; name two or more")
    names, measures = [condition.name for condition in design.conditions], [measure.name for measure in design.measures]
    for noun, given in (("condition", names), ("measure", measures)):
        for name in given:
            if not name or name.startswith(".") or NO_FILE_NAME & {*name}:
                raise SettingsError(f"study {design.name}: {noun} {name!r}: cannot be the name of a folder")
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise SettingsError(f"study {design.name}: two are the {noun} {twice[0]!r}; give each a name of its own")
    for claim in design.claims:
        for value in _values(claim):
            _require_known(design, claim, value, names, measures)


def require_figures(design: Design, figures: Mapping[str, Collection[str]]) -> None:
    """Raise SettingsError for a claim about a figure that its condition will not have.

    figures  those of the evaluation, and `trained` where the task has a metric of training, by condition
    """
    for claim in design.claims:
        for value in _values(claim):
            known = [*EVERY_MEMBERS, *figures[value.condition]]
            if "." not in value.figure and value.figure not in known:
                error = unknown_name("figure", value.figure, known)
                raise SettingsError(f"study {design.name}, claim {claim.text!r}: {error}")


def _values(claim: Claim) -> Iterator[Value]:
    yield from (value for value in (claim.smaller, claim.larger) if isinstance(value, Value))


def _require_known(
    design: Design, claim: Claim, value: Value, conditions: Sequence[str], measures: Sequence[str]
) -> None:
    for name in filter(None, (value.condition, value.above)):
        if name not in conditions:
            error = unknown_name("condition", name, conditions)
            raise SettingsError(f"study {design.name}, claim {claim.text!r}: {error}")
    measure, dot, _ = value.figure.partition(".")
    if dot and measure not in measures:
        raise SettingsError(f"study {design.name}, claim {claim.text!r}: {unknown_name('measure', measure, measures)}")
