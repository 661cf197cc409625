"""Options that the verbs of studies share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[str | None, typer.Option("--data", help="Train on this data set, folder or files.")]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Train under each condition so often, with seeds 0, 1 and so on."),
]
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
