"""How far do a run's scores depend on the images that it is tested on? Cross-validation, Stone 1974.

K runs of one kind and one seed, each tested on another fold of the images (`data.folds`), so that every image is tested
exactly once. Mean and standard deviation over the folds say what to expect of a new run and how much chance there is in
it; the pooled scores are those of all images together.

The folder holds `folds.json`, what was asked for; a run directory for each fold; and, at the end, `evaluation.json` and
a page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from rich.console import Console

from resvision.core import files, rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.settings import to_json
from resvision.core.terminal import Terminal, tell
from resvision.kinds.kind import Kind, Scores
from resvision.launch import asked_run
from resvision.phases import with_full_paths
from resvision.recipes.flags import Flags
from resvision.relocation import relocate, run_at
from resvision.run import Run, run_from_json
from resvision.studies.trials import Outcome, Trial, carry_out
from resvision.training.stopping import GoingOn

FORMAT = 1

MOST_FOLDS = 1000
"""The most runs of one cross-validation."""


class Spread(NamedTuple):
    """A figure over the folds: its mean, the standard deviation of one run, and the value of each fold."""

    mean: float
    deviation: float
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """The finished runs of all folds, their figures over the folds, and the scores of all images together.

    pooled  None where the task's kind does not pool scores
    """

    folder: Path
    kind: Kind[Any, Any, Any]
    outcomes: list[Outcome]
    figures: dict[str, Spread]
    pooled: Scores | None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "folds": [outcome.trial.name for outcome in self.outcomes],
            "figures": {
                name: {"mean": spread.mean, "deviation": spread.deviation, "values": list(spread.values)}
                for name, spread in self.figures.items()
            },
            "pooled": None if self.pooled is None else self.pooled.to_json(),
        }


def cross_validate(
    model: str | Run,
    data: str | None = None,
    *,
    folds: int = 5,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    **flags: Unpack[Flags],
) -> CrossValidation:
    """Train a model once for each fold of the images and test it on that fold; arguments are those of `train`.

    Raises SettingsError for fewer than two folds, or fewer images than folds.
    """
    run = asked_run(model, data, recipe=recipe, settings=settings, flags=flags)
    console = Terminal(stderr=True, quiet=quiet)
    return begin(run, folds, out=None if out is None else Path(out), console=console)


def begin(run: Run, folds: int, *, out: Path | None, console: Console) -> CrossValidation:
    """Start a cross-validation in a new folder and carry it out."""
    if not 2 <= folds <= MOST_FOLDS:
        raise SettingsError(f"--folds: {folds}; from 2 to {MOST_FOLDS:,}")
    if run.data.folds is not None:
        raise SettingsError("data.folds: is set by --folds; leave one of them out")
    run = with_full_paths(run)
    name = "-".join(Path(part.replace(":", ".")).name for part in (run.model.name, run.data.name, "folds"))
    folder = rundir.create(name) if out is None else rundir.claim(out)
    rundir.write_json(folder / rundir.FOLDS, {"format": FORMAT, "folds": folds, "run": to_json(run)})
    tell(console, f"{folds} folds in {folder}")
    return _carry_out(folder, run, folds, console)


def has_folds(folder: Path) -> bool:
    """Whether a folder holds a cross-validation."""
    return (folder / rundir.FOLDS).is_file()


def go_on(
    folder: Path,
    *,
    data: str | None = None,
    root: Path | None = None,
    allow_code: bool = False,
    console: Console,
) -> CrossValidation:
    """Go on with a cross-validation that was stopped; folds that are finished are not run again.

    data, root  where its data lie now, if they have moved
    """
    path = folder / rundir.FOLDS
    asked = rundir.read_json(path, limit=files.SETTINGS)
    if not isinstance(asked, dict) or asked.get("format") != FORMAT or type(asked.get("folds")) is not int:
        raise RunError(f"{path}: damaged, or not of format {FORMAT}, which this version of resvision reads")
    if not 2 <= asked["folds"] <= MOST_FOLDS:
        raise RunError(f"{path}: damaged: {asked['folds']} folds")
    run = run_from_json(asked.get("run"), allow_code=allow_code, at="run")
    if data is not None or root is not None:
        run = run_at(run, data, root)
        for begun in sorted(folder.glob(f"fold-*/{rundir.RUN}")):
            relocate(begun.parent, data, root, allow_code=allow_code)
        rundir.write_json(path, {**asked, "run": to_json(run)})
    return _carry_out(folder, run, asked["folds"], console)


def plan(run: Run, folds: int) -> list[Trial]:
    """A trial for each fold of a run."""
    return [
        Trial(
            model=run.model.name,
            seed=run.training.seed,
            run=replace(run, data=replace(run.data, folds=folds, fold=fold)),
            label=f"fold-{fold}",
        )
        for fold in range(1, folds + 1)
    ]


def _carry_out(folder: Path, run: Run, folds: int, console: Console) -> CrossValidation:
    with GoingOn.in_folder(folder):
        outcomes = carry_out(folder, plan(run, folds), console)
    kind = outcomes[0].record.kind
    scores = [outcome.record.scores for outcome in outcomes]
    rows = [score.figures() for score in scores]
    shared = [name for name in rows[0] if all(name in row for row in rows)]  # a fold may lack what a figure is of
    figures = {name: spread([row[name] for row in rows]) for name in shared}
    result = CrossValidation(folder=folder, kind=kind, outcomes=outcomes, figures=figures, pooled=kind.pooled(scores))
    rundir.write_json(folder / rundir.EVALUATION, result.to_json())
    return result


def spread(values: list[float]) -> Spread:
    """Mean and standard deviation of figures of several runs; at least two."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)), tuple(values))
