"""Results of studies as evidence on the claims of the notes: figures, verdicts, and the word that follows.

A claim that rests on several claims of a study is held on some data when all of them are, and falls when one does. Of
several sets of data those that decide it must agree. Quick studies count where there is no other of their name.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from resvision.core.errors import RunError
from resvision.studies.claims.entries import Bound, Measured, StudyClaims
from resvision.studies.design import Claim, Design, Value
from resvision.studies.results import Results, read_results
from resvision.studies.table import STUDIES, design_of
from resvision.studies.verdicts import Verdict


class Finding(NamedTuple):
    """A claim of a study with the verdict on it, and the word that this gives the note's claim."""

    claim: Claim
    verdict: Verdict
    word: Measured

    @property
    def values(self) -> list[Value]:
        """The sides of the claim that are figures, and no mere numbers."""
        return values_of(self.claim)


class Evidence(NamedTuple):
    """What a study found on one set of data, and the word for the note's claim there.

    unmeasured  claims of the study on which the note's rests, but of which a condition is not in the results
    """

    design: Design
    results: Results
    findings: tuple[Finding, ...]
    word: Measured
    unmeasured: int = 0


def read_folder(folder: Path) -> list[Results]:
    """All results in a folder, `*.json`, by file name; RunError for a file of that name that holds none."""
    paths = sorted(folder.glob("*.json"))
    found = [read_results(path) for path in paths]
    for path, results in zip(paths, found, strict=True):
        if results.study not in STUDIES:
            raise RunError(f"{path}: holds results of {results.study!r}, which is no study of ours; take it away")
    return found


def evidence(tested: StudyClaims, results: Sequence[Results]) -> list[Evidence]:
    """What the results say of a claim, a part for each set of data; none where its study was not carried out.

    Results that lack a condition of the study, such as those of other depths, tell of the claims about the others.
    """
    of_study = [one for one in results if one.study == tested.name]
    parts = [_evidence(design_of(STUDIES[tested.name]), one, tested) for one in of_study]
    return [part for part in parts if part.findings]


def word_of(parts: Sequence[Evidence]) -> Measured:
    """The word for a claim from all its evidence."""
    if not parts:
        return "not measured"
    counting = [part for part in parts if not part.results.quick] or parts
    decided = {part.word for part in counting} - {"undecided"}
    return decided.pop() if len(decided) == 1 else "undecided"


def _evidence(design: Design, results: Results, tested: StudyClaims) -> Evidence:
    bounds = {bound.text: bound for bound in tested.claims or (Bound(claim.text) for claim in design.claims)}
    measured = {*results.conditions}
    claims = [claim for claim in design.claims if claim.text in bounds and _conditions(claim) <= measured]
    findings = tuple(
        Finding(claim, verdict, _word(verdict, bounds[claim.text]))
        for claim, verdict in zip(claims, results.verdicts(replace(design, claims=claims)), strict=True)
    )
    words = {finding.word for finding in findings}
    unmeasured = len(bounds) - len(findings)
    if "contradicted" in words:
        word: Measured = "contradicted"
    else:
        word = "supported" if words == {"supported"} and not unmeasured else "undecided"
    return Evidence(design, results, findings, word, unmeasured)


def values_of(claim: Claim) -> list[Value]:
    """The sides of a claim that are figures of conditions."""
    return [side for side in (claim.smaller, claim.larger) if isinstance(side, Value)]


def _conditions(claim: Claim) -> set[str]:
    """The conditions whose figures a claim compares."""
    return {name for value in values_of(claim) for name in (value.condition, value.above) if name}


def _word(verdict: Verdict, bound: Bound) -> Measured:
    """The word for the note's claim that the verdict on a claim of the study gives."""
    decided: dict[str, Measured] = {"supported": bound.when_supported, "contradicted": bound.when_contradicted}
    return decided.get(verdict.word, "undecided")
