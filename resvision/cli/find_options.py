"""Options of the verbs whose nets find things in images, by which a person says what counts as found."""

from typing import TYPE_CHECKING, Annotated, TypedDict, get_type_hints

import typer

if TYPE_CHECKING:
    from resvision.tasks import PredictionOptions


class FindOptions(TypedDict):
    """The options of tasks that find things in images, by which a person says what counts as found."""

    score: Annotated[
        float | None,
        typer.Option(
            "--score", min=0.0, max=1.0, help="Take boxes above this score; predict shows those above 0.3 if left out."
        ),
    ]
    iou: Annotated[
        float | None,
        typer.Option(
            "--iou", min=0.0, max=1.0, help="Leave out a box that overlaps a better one by more than this share."
        ),
    ]
    suppress: Annotated[
        str | None,
        typer.Option(
            "--suppress",
            metavar="per-class|all|GROUPS",
            help="Say among which classes that is so: within each, over all, or in groups as 'cat,dog;car,bus'.",
        ),
    ]
    most: Annotated[int | None, typer.Option("--most", min=1, help="Take at most this number of boxes in an image.")]


FINDS = get_type_hints(FindOptions, include_extras=True)


def finds_of(options: FindOptions) -> "PredictionOptions":
    """What a person asks of what a net finds."""
    from resvision.tasks import PredictionOptions

    return PredictionOptions(options["score"], options["iou"], options["suppress"], options["most"])
