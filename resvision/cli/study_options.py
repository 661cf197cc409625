"""Options of the verbs of studies, each declared once."""

from functools import partial
from pathlib import Path
from typing import Annotated, TypedDict, get_type_hints

import typer

from resvision.cli.shared_options import with_options
from resvision.cli.study_results import Wishes
from resvision.cli.tables import Wide

SEEDS_HELP = "Train under each condition so often, with seeds 0, 1 and so on."

Data = Annotated[str | None, typer.Option("--data", help="Train on this data set, folder or files.")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, help=SEEDS_HELP)]
Epochs = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Train for so many epochs, and not as long as is usual here.")
]
Recipe = Annotated[str | None, typer.Option("--recipe", help="Train all by this recipe, not by the nets' own.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Train smaller nets for a shorter time: a page in minutes, with less to say.")
]
TrainImages = Annotated[
    int | None,
    typer.Option("--train-images", min=1, help="Train on this number of images alone, of each class alike."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the study into this folder, not into one in runs/.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change this setting of all runs. Repeatable.")
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        min=1,
        help="Train so many members beside each other, in processes that share the threads of the CPU.",
    ),
]


class StudyOptions(TypedDict):
    """The options of every study that is a design."""

    data: Data
    seeds: Seeds
    epochs: Epochs
    recipe: Recipe
    quick: Quick
    train_images: TrainImages
    out: Out
    settings: Settings
    jobs: Jobs
    wide: Wide


with_study_options = partial(
    with_options,
    get_type_hints(StudyOptions, include_extras=True),
    defaults={"quick": False, "jobs": 1, "wide": False},
)


def wishes_of(options: StudyOptions) -> Wishes:
    """The wishes that these options say."""
    return Wishes(
        data=options["data"],
        seeds=options["seeds"],
        epochs=options["epochs"],
        recipe=options["recipe"],
        quick=options["quick"],
        settings=options["settings"] or (),
        jobs=options["jobs"],
        train_images=options["train_images"],
    )


Model = Annotated[str, typer.Argument(metavar="MODEL", help="Train this model, or several with commas between.")]
GridData = Annotated[str, typer.Option("--data", help="Train on this data set, folder or files.")]
GridSeeds = Annotated[int, typer.Option("--seeds", min=1, help=SEEDS_HELP)]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="KEY=A,B,C",
        help="Train with each of these values of a setting. Repeatable: all combinations are trained.",
    ),
]

Runs = Annotated[list[Path], typer.Argument(metavar="RUN", help="Name two finished runs or more, the reference first.")]
PageOut = Annotated[
    Path | None, typer.Option("--out", help="Write results and page into this folder, not into one in runs/.")
]

Depths = Annotated[str, typer.Option("--depths", help="Compare these depths of the form 6n+2, with commas between.")]

BoxData = Annotated[str, typer.Option("--data", help="Train on this data set, or folder of images with boxes.")]
Detectors = Annotated[
    str | None,
    typer.Option("--systems", help="Compare these detectors, with commas between, not the whole line."),
]
Times = Annotated[
    int, typer.Option("--seeds", min=1, help="Train every detector this number of times, with seeds 0, 1 and so on.")
]
OneEpoch = Annotated[
    bool, typer.Option("--quick", help="Train narrow nets for one epoch on small images: a page, but no result.")
]
FinishedRuns = Annotated[
    list[Path] | None,
    typer.Option("--runs", metavar="FOLDER", help="Take this finished training, and train nothing. Repeatable."),
]
TimedImages = Annotated[int, typer.Option("--images", min=1, help="Look at this number of test images for the times.")]
