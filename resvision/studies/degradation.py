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
from typing import Any

import numpy as np
from rich.console import Console

from resvision.core.data_names import short_name
from resvision.core.errors import SettingsError
from resvision.kinds.kind import Kind
from resvision.recipes import compose
from resvision.report.tables import main_figure
from resvision.studies.trials import Outcome, Trial, carry_out
from resvision.studies.verdicts import Verdict, judge


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one net, one for each seed, (S,).

    train_metric  of the first metric of the kind, such as the training error
    test_figure   of the main figure of the kind, such as the test error
    """

    model: str
    train_loss: Sequence[float]
    train_metric: Sequence[float]
    test_figure: Sequence[float]
    seconds: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """The finished study: a row for each net, plain before residual at each depth, and a verdict on each claim."""

    data: str
    kind: Kind[Any, Any, Any]
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
            model=model,
            seed=seed,
            run=compose(model, data, recipe_name=recipe, changes={"training.seed": seed}, settings=settings),
        )
        for seed in range(seeds)
        for depth in sorted(depths)
        for model in pair(depth)
    ]


def pair(depth: int) -> tuple[str, str]:
    """The plain and the residual net of a depth, with equal parameters: option A, by name where B is the default."""
    return f"plain{depth}", "resnet18_a" if depth == 18 else "resnet34_a" if depth == 34 else f"resnet{depth}"


def study_degradation(folder: Path, trials: Sequence[Trial], console: Console) -> Degradation:
    """Carry out the trials of a plan in `folder`, going on with those begun, and hold the claims against them."""
    outcomes = carry_out(folder, trials, console)
    models = list(dict.fromkeys(trial.model for trial in trials))
    rows = {model: _row(model, [outcome for outcome in outcomes if outcome.trial.model == model]) for model in models}
    depths = [int(model.removeprefix("plain")) for model in models if model.startswith("plain")]
    kind, pairs = outcomes[0].record.kind, [(rows[plain], rows[residual]) for plain, residual in map(pair, depths)]
    return Degradation(
        data=short_name(trials[0].run.data.name),
        depths=depths,
        rows=list(rows.values()),
        kind=kind,
        verdicts=_judge(pairs, kind),
        outcomes=outcomes,
    )


def _row(model: str, outcomes: Sequence[Outcome]) -> Row:
    return Row(
        model=model,
        train_loss=[outcome.trained("loss") for outcome in outcomes],
        train_metric=[outcome.trained(outcome.record.kind.metrics[0]) for outcome in outcomes],
        test_figure=[outcome.tested for outcome in outcomes],
        seconds=[outcome.seconds for outcome in outcomes],
    )


def _judge(pairs: Sequence[tuple[Row, Row]], kind: Kind[Any, Any, Any]) -> list[Verdict]:
    """The verdicts on (plain, residual) rows from the shallowest to the deepest."""
    verdicts = []
    for (plain, residual), (deeper_plain, deeper_residual) in pairwise(pairs):
        verdicts.append(
            judge(
                f"{deeper_plain.model} has a higher training loss than {plain.model}",
                smaller=plain.train_loss,
                larger=deeper_plain.train_loss,
            )
        )
        verdicts.append(
            judge(
                f"{deeper_residual.model} has a lower training loss than {residual.model}",
                smaller=deeper_residual.train_loss,
                larger=residual.train_loss,
            )
        )
    for plain, residual in pairs:
        better = "higher" if kind.higher_is_better else "lower"
        smaller, larger = sorted((residual, plain), key=lambda row: (row is residual) == kind.higher_is_better)
        verdicts += [
            judge(
                f"{residual.model} has a lower training loss than {plain.model}",
                smaller=residual.train_loss,
                larger=plain.train_loss,
            ),
            judge(
                f"{residual.model} has a {better} test {kind.main_name} than {plain.model}",
                smaller=smaller.test_figure,
                larger=larger.test_figure,
            ),
        ]
    return verdicts


def what_to_see(study: Degradation) -> str:
    """Two sentences about the deepest pair, from its measured figures."""
    plain, residual = study.rows[-2:]
    plain_loss, loss = np.mean(plain.train_loss), np.mean(residual.train_loss)
    tested = [main_figure(study.kind, float(np.mean(row.test_figure))) for row in (residual, plain)]
    return (
        f"{plain.model} and {residual.model} have the same layers, parameters and recipe; the shortcuts are all that"
        f" differs, and with them the training loss in the last epoch is {'lower' if loss < plain_loss else 'no lower'}"
        f": {loss:.4f} against {plain_loss:.4f}."
        f" Look at the training curves, not only at the test {study.kind.main_name} ({tested[0]} against"
        f" {tested[1]}): a net that fits its own training images worse is hard to optimise, which"
        " is another thing than overfitting."
    )
