"""`resvision explain`: the parts of images on which a net's answers rest, as pictures and as numbers."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

import typer

from resvision.cli.failures import Failures
from resvision.cli.shared_options import AllowCode, Grey, Only, Proposals
from resvision.cli.weights import (
    WeightsOptions,
    known_of,
    load_and_warn,
    require_run,
    with_weights_options,
)
from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.inference.explain import Explanation


@with_weights_options(after="stage")
def command(
    run: Annotated[Path, typer.Argument(help="Use the run in this directory; with --weights, name a model.")],
    images: Annotated[
        list[Path], typer.Argument(help="Explain these image files, and those in these folders.", readable=False)
    ],
    out: Annotated[Path | None, typer.Option(help="Write a picture for each image into this folder.")] = None,
    asked: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="Ask about this class, not the one that the net gives. Repeatable."
        ),
    ] = None,
    point: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="X Y", help="Ask about this pixel, of a net that labels pixels."),
    ] = None,
    method: Annotated[
        Literal["gradcam", "occlusion"],
        typer.Option(
            help="Look by the gradients of a map, or by squares that cover the image in turn, which takes longer."
        ),
    ] = "gradcam",
    stage: Annotated[
        str | None, typer.Option(help="Look at this map by Grad-CAM: C5, C4, or a layer; at the deepest if left out.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each image, with the heat.")
    ] = False,
    only: Only = None,
    proposals: Proposals = None,
    allow_code: AllowCode = False,
    grey: Grey = False,
    **options: Unpack[WeightsOptions],
) -> None:
    """Show what a net looks at.

    These are the parts of each image on which its answer rests, by Grad-CAM or occlusion.

    A file that cannot be used is named, the rest goes on, and the exit code is 1; it is 2 where none can be used.
    """
    if out is None and not as_json:
        raise SettingsError("explain writes pictures: name a folder for them by --out, or ask for numbers by --json")

    from resvision.core.progress import Bar
    from resvision.core.terminal import Terminal
    from resvision.inference.explain import explained
    from resvision.inference.heat_pictures import HeatPictures
    from resvision.prediction.image_files import ImageFiles, require_there
    from resvision.prediction.out_folder import out_folder
    from resvision.prediction.sample_files import asked_samples

    if options["weights"] is None:
        require_run(run)
    require_there(images)  # before weights are fetched for nothing
    trained = load_and_warn(run, options["weights"], known_of(options), allow_code=allow_code)
    files = ImageFiles.of(images, endings=trained.kind.file_endings)
    trained.kind.require_options({"only": bool(only)})
    pieces = files if out is None else asked_samples(trained, files, only or ())
    bar = Bar(Terminal(stderr=True), "explaining", total=len(pieces), noun=trained.kind.sample_noun)
    failures = Failures(len(pieces), bar, noun=trained.kind.sample_noun)
    explanations = explained(
        trained,
        pieces,
        classes=asked or (),
        point=point,
        method=method,
        stage=stage,
        grey=grey,
        proposals=proposals,
        only=only or () if out is None else (),
        failed=failures.add,
    )
    with nullcontext(None) if out is None else out_folder(HeatPictures(), out, pieces, resume=None) as folder:
        for explanation in failures.watched(explanations):
            result: Explanation = explanation.result
            print(json.dumps(result.to_json(), ensure_ascii=False) if as_json else line(result))
            sys.stdout.flush()
            if folder is not None:
                folder.save(explanation)
    failures.finish()


def line(explanation: "Explanation") -> str:
    """The classes that were asked about, each with its share and the place on which it rests most."""
    return f"{explanation.source}: {', '.join(map(explanation.described, explanation.heats))}"
