"""Makes the bundles that are shipped in the wheel: trains each net by its recipe, and exports it with weights in fp16.

    python benchmarks/make_bundles.py [NAME ...]

One thread, fp32, a fixed seed: the same versions of torch on the same kind of CPU give the same weights. A bundle that
stands in `resvision/runtime/bundles` already is not written over; remove it first to make it anew.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from resvision.export.bundles import write_bundle
from resvision.inference.evaluate import open_images
from resvision.inference.load import load
from resvision.launch import train
from resvision.runtime.engines import EngineSettings
from resvision.runtime.shipped import SHIPPED_IN

LARGEST_BYTES = 1_000_000
"""The limit of a shipped bundle."""


class Recipe(NamedTuple):
    """How a shipped bundle is made."""

    model: str
    data: str
    epochs: int
    settings: dict[str, Any]


MACHINE = {"machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0}
RECIPES = {
    "digits-resnet20": Recipe("resnet20", "digits", 40, {}),
    "digit-boxes-ssd": Recipe(
        "ssd",
        "digit-boxes-composed",
        40,
        {
            "model.options.backbone": "resnet18",
            "model.options.width": 9,
            "model.options.channels": 16,
            "data.image_size": 144,
            "training.batch_size": 16,
            "optimizer.lr": 0.003,
        },
    ),
}


def main() -> None:
    names = sys.argv[1:] or [*RECIPES]
    for name in names:
        make(name, RECIPES[name])


def make(name: str, recipe: Recipe) -> None:
    """Train, export, and hold the size against the limit."""
    with TemporaryDirectory() as folder:
        run = Path(folder) / name
        settings = {**MACHINE, **recipe.settings}
        train(recipe.model, recipe.data, epochs=recipe.epochs, seed=0, settings=settings, out=run, quiet=True)
        trained, place = load(run), SHIPPED_IN / name
        bundle = write_bundle(
            trained,
            place,
            reader=open_images(trained).reader,
            settings=EngineSettings(precision="fp32", threads=1),
            stored="fp16",
        )
    size = sum(file.stat().st_size for file in place.iterdir())
    measured = bundle.manifest.measured
    assert measured is not None
    print(
        f"{name}: {measured.figure} {measured.before:.4f} by the run, {measured.after:.4f} by the graph; {size:,} bytes"
    )
    if size > LARGEST_BYTES:
        raise SystemExit(f"{name}: larger than {LARGEST_BYTES:,} bytes; choose a smaller net")


if __name__ == "__main__":
    main()
