"""Every detector on one set of images: AP, seconds of training, milliseconds an image, as a Markdown table.

    python benchmarks/detection_table.py --out FOLDER                            # digit-boxes-composed
    python benchmarks/detection_table.py --out FOLDER --data PATH/TO/bccd        # a folder, by the sizes of BCCD
    python benchmarks/detection_table.py --out FOLDER --only ssd yolov3          # these alone
    python benchmarks/detection_table.py --out FOLDER --table                    # train nothing, print what there is
    python benchmarks/detection_table.py --out FOLDER --encoder RUN              # backbones start with its weights
    python benchmarks/detection_table.py --out FOLDER --quick                    # narrow nets: does it run at all

Each system is trained by the settings of `resvision.studies.detector_sizes`, in a folder of its own below FOLDER/SET,
and its figures are kept beside it: what is finished is not done again, what was stopped goes on. Times of images are
those of one at a time, regions searched for apart; measured at different moments, they compare as well as the machine
was quiet. `resvision study detection-line --runs` measures finished ones side by side.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from harness import machine, table, write

from resvision.core.data_names import short_name
from resvision.core.plurals import length_in_words
from resvision.core.terminal import Terminal
from resvision.run import Run
from resvision.studies.detection_line import DATA, image_times_of, on_own_data, row_of
from resvision.studies.detection_plots import milliseconds
from resvision.studies.detector_sizes import SIZES, stands_on_backbone, trial_of
from resvision.studies.trials import carry_out

BCCD: Sequence[str] = (
    "data.image_size=320",
    "data.allow=degenerate-boxes",
    "training.batch_size=8",
    "augment.scale_range=0.8,1.25",
)
"""The settings of all systems on BCCD: 205 images for training, whose cells are of about the same size."""

BCCD_OF: Mapping[str, Sequence[str]] = {
    "faster_rcnn": ("model.options.smallest_anchor_px=16", "model.options.proposals=300", "loss.regions=128"),
    "faster_rcnn_4step": ("model.options.smallest_anchor_px=16", "model.options.proposals=300", "loss.regions=128"),
    "yolov1": ("model.options.grid=10",),
    "yolov1_tiny": ("model.options.grid=10",),
    "ssd": ("model.options.smallest=0.12",),
    "yolov2": ("model.options.anchors=20,20 52,44 48,52 58,54 108,98",),
    "retinanet": ("model.options.anchor_scale=2",),
    "yolov3": ("model.options.anchors=18,18 23,22 52,36 44,46 54,46 49,54 57,53 62,60 109,100",),
    "yolov3_tiny": ("model.options.anchors=20,20 46,44 55,47 50,54 60,56 108,98",),
    "refinedet": ("model.options.anchor_scale=3",),
}
"""Further settings of single systems: a platelet is 20 px long there, red cells 50, white ones 110."""

EPOCHS_OF_BCCD = 0.4
"""The length on BCCD, in parts of that on the digits: it has a third of the images, of nearly three times the area."""

HEADER = ("system", "AP50", "AP", "training", "ms an image", "search, ms", "regions", "parameters", "settings")


def main() -> None:
    """Train and measure what is asked for, and print the table of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--data", default=DATA, help="the digits, or a folder of BCCD")
    parser.add_argument("--only", nargs="+", choices=SIZES, default=[*SIZES], metavar="SYSTEM")
    parser.add_argument("--encoder", type=Path, help="run of a classifier of the same backbone")
    parser.add_argument("--images", type=int, default=12, help="test images that are timed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--quick", action="store_true", help="small sizes, which say nothing")
    parser.add_argument("--set", dest="settings", nargs="+", default=[], metavar="KEY=VALUE", help="of all trainings")
    parser.add_argument("--page", type=Path, help="file for the table")
    asked = parser.parse_args()
    folder = asked.out / Path(short_name(asked.data)).stem
    if not asked.table:
        for model in asked.only:
            if not (folder / f"{model}.json").is_file():
                figures_of(model, folder, asked)
    write(page(folder), asked.page)


def figures_of(model: str, folder: Path, asked: argparse.Namespace) -> None:
    """Train a system, time it, and write its figures."""
    console = Terminal(stderr=True)
    on_digits = asked.data == DATA or asked.quick
    length = SIZES[model].epochs
    epochs = None if on_digits or asked.quick or length is None else max(1, round(EPOCHS_OF_BCCD * length))
    settings = [*(() if on_digits else (*BCCD, *BCCD_OF.get(model, ())))]
    if asked.encoder is not None and stands_on_backbone(model):
        settings.append(f"model.encoder_from={asked.encoder.resolve()}")
    settings += asked.settings
    trial = trial_of(model, asked.data, asked.seed, epochs=epochs, quick=asked.quick, settings=settings)
    (outcome,) = carry_out(folder, [trial], console)
    trained = on_own_data(outcome)
    row = row_of(model, [outcome], trained, image_times_of({model: trained}, asked.images, console)[model])
    figures: dict[str, Any] = {
        "model": model,
        "data": short_name(trial.run.data.name),
        "ap50": row.ap50[0],
        "ap": row.ap[0],
        "seconds": row.seconds[0],
        "ms": row.net_ms,
        "search_ms": row.stage_ms.get("search"),
        "stage_ms": row.stage_ms,
        "regions": row.proposals,
        "parameters": outcome.record.parameters,
        "settings": settings_in_words(trial.first_run),
        "threads": torch.get_num_threads(),
    }
    (folder / f"{model}.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")


def settings_in_words(run: Run) -> str:
    """The settings of a training that set it apart: length, side, and the options of its net."""
    told = {"in_channels", "input_size", "anchors", "scores"}
    named = ", ".join(f"{name} {value}" for name, value in run.model.options.items() if name not in told)
    return f"{length_in_words(run.training.duration)}, {run.data.image_size} px, {named}"


def page(folder: Path) -> str:
    """The table of all figures in a folder, in the order of the sizes."""
    rows = []
    for model in SIZES:
        path = folder / f"{model}.json"
        if path.is_file():
            rows.append(cells(json.loads(path.read_text(encoding="utf-8"))))
    return f"{table(HEADER, rows)}\n\n{machine()}"


def cells(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    search, regions = figures["search_ms"], figures["regions"]
    return (
        f"`{figures['model']}`",
        f"{100 * figures['ap50']:.1f} %",
        f"{100 * figures['ap']:.1f} %",
        f"{figures['seconds']:,.0f} s",
        milliseconds(figures["ms"]),
        "" if search is None else milliseconds(search),
        "" if regions is None else f"{regions:,.0f}",
        f"{figures['parameters']:,}",
        figures["settings"],
    )


if __name__ == "__main__":
    main()
