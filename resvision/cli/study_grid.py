"""`resvision study grid`: every combination of some values of some settings, trained and compared as a study."""

from pathlib import Path

from resvision.cli.study_options import Epochs, GridData, GridSeeds, Jobs, Model, Out, Recipe, Settings, Vary
from resvision.cli.study_results import Wishes, conduct_and_show
from resvision.cli.tables import Wide


def command(
    model: Model,
    data: GridData,
    vary: Vary = None,
    seeds: GridSeeds = 3,
    epochs: Epochs = None,
    recipe: Recipe = None,
    out: Out = None,
    settings: Settings = None,
    jobs: Jobs = 1,
    wide: Wide = False,
) -> None:
    """Train a model with several values of a setting, and hold each against the first.

    Stopped and started again, it goes on; with further values, seeds or jobs it trains what is missing.
    """
    from resvision.studies.grid import grid, values_by_path

    models = [part.strip() for part in model.split(",") if part.strip()]
    design = grid(models, data, vary or (), recipe=recipe, settings=settings or (), seeds=seeds)
    varied = "-".join(path.rpartition(".")[2] for path in values_by_path(vary or ())) or "model"
    net = "-".join(Path(name.replace(":", ".")).name for name in models)
    folder = out or Path("runs") / f"grid-{net}-{Path(data).name}-{varied}"
    conduct_and_show(design, Wishes(data, seeds, epochs, recipe, False, settings or (), jobs), folder, wide=wide)
