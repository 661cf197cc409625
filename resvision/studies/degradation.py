"""Do deeper plain nets train worse, and does a shortcut mend it? He et al. 2015, arXiv:1512.03385, Fig. 6.

Plain and residual nets of 6n+2 layers with equal parameters (option A shortcuts) train under one recipe; depth and
shortcut are all that changes. The paper's claims, each held against the seeds:

1. a deeper plain net has the higher training loss;
2. a deeper residual net has not: its training loss is the lower one;
3. at equal depth, the residual net has the lower training loss, and the lower test error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console

from resvision.core.errors import SettingsError
from resvision.recipes import compose
from resvision.studies.trials import Outcome, Trial, carry_out
from resvision.studies.verdicts import Verdict, judge

KINDS = ("plain", "resnet")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One net over its seeds: arrays (S,); errors are shares 0..1."""

    model: str
    train_loss: Sequence[float]
    train_error: Sequence[float]
    test_error: Sequence[float]
    seconds: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """The finished study: a row a net, plain before residual at each depth, and a verdict a claim."""

    data: str
    depths: Sequence[int]
    rows: Sequence[Row]
    verdicts: Sequence[Verdict]
    outcomes: Sequence[Outcome]


def plan(
    data: str, depths: Sequence[int], seeds: int, *, recipe: str | None = None, settings: Sequence[str] = ()
) -> list[Trial]:
    """The trials: both kinds at every depth under seeds 0, 1, ...; UnknownNameError for a depth without a name."""
    if not depths or len(set(depths)) != len(depths):
        raise SettingsError(f"--depths {','.join(map(str, depths))}: name each depth once, such as 20,56")
    return [
        Trial(
            model=f"{kind}{depth}",
            seed=seed,
            run=compose(f"{kind}{depth}", data, recipe_name=recipe, changes={"training.seed": seed}, settings=settings),
        )
        for seed in range(seeds)
        for depth in sorted(depths)
        for kind in KINDS
    ]


def study_degradation(folder: Path, trials: Sequence[Trial], console: Console) -> Degradation:
    """Carry the trials out in `folder`, going on with what is there, and hold the claims against them."""
    outcomes = carry_out(folder, trials, console)
    models = list(dict.fromkeys(trial.model for trial in trials))
    rows = {model: _row(model, [each for each in outcomes if each.trial.model == model]) for model in models}
    depths = sorted({int(model.removeprefix(kind)) for model in models for kind in KINDS if model.startswith(kind)})
    return Degradation(
        data=trials[0].run.data.name,
        depths=depths,
        rows=list(rows.values()),
        verdicts=_judge(rows, depths),
        outcomes=outcomes,
    )


def _row(model: str, outcomes: Sequence[Outcome]) -> Row:
    return Row(
        model=model,
        train_loss=[each.train_loss for each in outcomes],
        train_error=[each.train_error for each in outcomes],
        test_error=[each.test_error for each in outcomes],
        seconds=[each.seconds for each in outcomes],
    )


def _judge(rows: dict[str, Row], depths: Sequence[int]) -> list[Verdict]:
    verdicts = []
    for shallow, deep in pairwise(depths):
        plain, deeper_plain = rows[f"plain{shallow}"], rows[f"plain{deep}"]
        residual, deeper_residual = rows[f"resnet{shallow}"], rows[f"resnet{deep}"]
        verdicts.append(
            judge(
                f"plain{deep} has a higher training loss than plain{shallow}",
                smaller=plain.train_loss,
                larger=deeper_plain.train_loss,
            )
        )
        verdicts.append(
            judge(
                f"resnet{deep} has a lower training loss than resnet{shallow}",
                smaller=deeper_residual.train_loss,
                larger=residual.train_loss,
            )
        )
    for depth in depths:
        plain, residual = rows[f"plain{depth}"], rows[f"resnet{depth}"]
        for figure, name in (("train_loss", "training loss"), ("test_error", "test error")):
            verdicts.append(
                judge(
                    f"resnet{depth} has a lower {name} than plain{depth}",
                    smaller=getattr(residual, figure),
                    larger=getattr(plain, figure),
                )
            )
    return verdicts


def what_to_see(study: Degradation) -> str:
    """Two sentences on what the deepest pair shows, from its measured figures."""
    depth = max(study.depths)
    plain, residual = (next(row for row in study.rows if row.model == f"{kind}{depth}") for kind in KINDS)
    losses, errors = (
        (np.mean(plain.train_loss), np.mean(residual.train_loss)),
        (
            np.mean(plain.test_error),
            np.mean(residual.test_error),
        ),
    )
    seen = "lower" if losses[1] < losses[0] else "no lower"
    return (
        f"Both nets have {depth} layers, the same parameters and the same recipe; the shortcuts are all that differs,"
        f" and with them the training loss in the last epoch is {seen}: {losses[1]:.4f} against {losses[0]:.4f}."
        f" Look at the training curves, not only at the test error ({errors[1]:.2%} against {errors[0]:.2%}):"
        " a net that fits its own training images worse is hard to optimise, which is another thing than overfitting."
    )
