"""Every system of motion prediction on one set of recordings, over several seeds, as Markdown tables.

    python benchmarks/motion_table.py --out FOLDER                                # traffic-simulated
    python benchmarks/motion_table.py --out FOLDER --data ngsim --root PATH       # US 101: windows of 7 s
    python benchmarks/motion_table.py --out FOLDER --only vector mtp              # these alone
    python benchmarks/motion_table.py --out FOLDER --table                        # train nothing, print what there is
    python benchmarks/motion_table.py --out FOLDER --quick                        # narrow nets: does it run at all

Each training is a folder below FOLDER/SET: what is finished is not done again, what was stopped goes on. Nets see 2 s
and say 5 s; their weights are those that were best on the validation recordings. Baselines are scored on the same test
windows, and have no spread. Published rows stand in the report of a run on `ngsim`.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from harness import machine, table, write

from resvision.core.data_names import short_name
from resvision.core.terminal import Terminal
from resvision.kinds.motion.scores import MotionScores, SystemErrors
from resvision.recipes import compose
from resvision.studies.trials import Outcome, Trial, carry_out, outcome_in

COMMON: Mapping[str, Any] = {
    "data.horizon_seconds": 5.0,
    "data.step_seconds": 0.5,
    "data.start_seconds": 0.1,
    "training.duration": "4 epochs",
    "training.ema_decay": 0.999,
}

RASTER: Mapping[str, Any] = {
    "model.options.backbone": "resnet18",
    "model.options.width": 16,
    "optimizer.weight_decay": 0.3,
}

VECTOR: Mapping[str, Any] = {
    "training.duration": "24 epochs",
    "model.options.depth": 4,
    "model.options.width": 64,
    "optimizer.weight_decay": 0.3,
}
"""Of seven settings that were tried under three seeds each on US 101, that of the least mean FDE on validation."""

SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "replay": {"training.duration": "0 steps", "training.ema_decay": None},
    "vector": VECTOR,
    "motion_regression": RASTER,
    "mtp": RASTER,
    "covernet": RASTER,
}
"""The systems, with the settings that each has of its own."""

QUICK: Mapping[str, Any] = {"data.image_size": 32, "model.options.width": 4, "training.duration": "1 epochs"}

SECONDS = (1.0, 2.0, 3.0, 4.0, 5.0)


def main() -> None:
    """Train what is asked for, and print the tables of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--data", default="traffic-simulated")
    parser.add_argument("--root", type=Path, help="folder of a named set")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=[*SYSTEMS], metavar="SYSTEM")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--quick", action="store_true", help="small sizes, which say nothing")
    parser.add_argument("--set", dest="settings", nargs="+", default=[], metavar="KEY=VALUE", help="of all trainings")
    parser.add_argument("--page", type=Path, help="file for the tables")
    asked = parser.parse_args()
    folder = asked.out / Path(short_name(asked.data)).stem
    if not asked.table:
        for seed in range(asked.seeds):
            carry_out(folder, [trial_of(model, seed, asked) for model in asked.only], Terminal(stderr=True))
    write(page(finished(folder)), asked.page)


def trial_of(model: str, seed: int, asked: argparse.Namespace) -> Trial:
    """The training of a system under a seed."""
    changes = {**COMMON, **SYSTEMS[model], "training.seed": seed}
    if asked.root is not None:
        changes["data.root"] = str(asked.root.resolve())
    if asked.quick:
        changes |= {path: value for path, value in QUICK.items() if "steps" not in str(changes.get(path))}
        changes = {path: value for path, value in changes.items() if "width" not in path or model not in UNDRAWN}
    run = compose(model, asked.data, changes=changes, settings=asked.settings)
    return Trial(model=model, seed=seed, run=run)


UNDRAWN = {"replay", "vector"}
"""The systems that stand on no backbone."""


def finished(folder: Path) -> dict[str, list[Outcome]]:
    """The finished trainings of each system, in the order of SYSTEMS."""
    return {
        model: [
            outcome_in(path) for path in sorted(folder.glob(f"{model}-seed*")) if (path / "evaluation.json").is_file()
        ]
        for model in SYSTEMS
    }


def page(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Tables of final errors, of the best of several modes, and of RMSE, by horizon."""
    trained = {model: of_model for model, of_model in outcomes.items() if of_model}
    scores = {model: [scores_of(outcome) for outcome in of_model] for model, of_model in trained.items()}
    if not scores:
        return "nothing is finished"
    first = next(iter(scores.values()))[0]
    rows = {system.name: [system] for system in first.systems[1:]}
    rows |= {model: [of_seed.net for of_seed in of_model] for model, of_model in scores.items()}
    tables = [
        f"{heading}\n\n{table(('system', *columns), [(name, *cells(systems, pick)) for name, systems in rows.items()])}"
        for heading, columns, pick in (
            ("FDE by horizon, m", by_second(first), lambda at: at.min_fde[0]),
            ("ADE by horizon, m", by_second(first), lambda at: at.min_ade[0]),
            ("minFDE_5 by horizon, m", by_second(first), lambda at: at.min_fde[1]),
            ("RMSE by horizon, m", by_second(first), lambda at: at.rmse),
        )
    ]
    seconds = [
        (model, f"{len(of_model)}", spread([one.seconds for one in of_model], "{:,.0f} s"))
        for model, of_model in trained.items()
    ]
    tables.append(f"Training\n\n{table(('system', 'seeds', 'time'), seconds)}")
    tables.append(f"{first.windows:,} test windows. Means over the seeds, with the standard deviation.")
    return "\n\n".join([*tables, machine()])


def scores_of(outcome: Outcome) -> MotionScores:
    """The scores of a finished training."""
    scores = outcome.record.scores
    assert isinstance(scores, MotionScores), "the systems are of motion prediction"
    return scores


def by_second(scores: MotionScores) -> tuple[str, ...]:
    """The horizons as headings."""
    return tuple(f"{at.seconds:g} s" for at in scores.net.horizons)


def cells(systems: Sequence[SystemErrors], pick: Any) -> list[str]:
    """A figure at each horizon, over the seeds of one system."""
    return [
        spread([pick(at) for at in of_horizon], "{:.2f}")
        for of_horizon in zip(*(s.horizons for s in systems), strict=True)
    ]


def spread(values: Sequence[float], form: str) -> str:
    """The mean, and the standard deviation of several."""
    shown = form.format(mean(values))
    return shown if len(values) < 2 else f"{shown} ± {stdev(values):.2g}"


if __name__ == "__main__":
    main()
