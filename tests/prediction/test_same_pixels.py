"""A bundle's graph is fed the pixels that a run's net is fed, byte by byte, whatever the view and the file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resvision.core.views import CentreCrop, Letterbox, LongerSide, ShorterSide, Stretch, View, Whole
from resvision.inference.load import Trained, load
from resvision.kinds.graph import PIXELS, Feed
from resvision.kinds.seen_samples import Seen
from resvision.launch import Finished
from resvision.prediction.predictions import predicted
from resvision.runtime.bundle import bundle_of
from resvision.runtime.bundle_format import Manifest, read_manifest
from resvision.runtime.shipped import place_of

COLOUR: dict[str, Any] = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
GREY: dict[str, Any] = {"channels": 1, "mean": (0.5,), "std": (0.25,)}
VIEWS: tuple[View, ...] = (
    Stretch(resize_px=31, crop_px=31, **COLOUR),
    Stretch(resize_px=36, crop_px=32, interpolation="bicubic", **GREY),
    CentreCrop(resize_px=37, crop_px=32, **COLOUR),
    Whole(**COLOUR),
    Whole(**GREY),
    ShorterSide(shorter_px=33, longest_px=60, **COLOUR),
    LongerSide(longer_px=45, **COLOUR),
    Letterbox(size_px=40, interpolation="bilinear-aliased", **COLOUR),
)


@dataclass
class Recorded:
    """A graph that keeps its pixels and gives a probability for each class."""

    pixels: list[NDArray[Any]] = field(default_factory=list)
    inputs = {PIXELS: (None, None, 3)}  # noqa: RUF012 - read alone
    outputs = ("predicted",)
    lanes = 1
    described = "recorded"

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """Ten equal probabilities for each view."""
        self.pixels += [*feed[PIXELS]]
        return {"predicted": np.full((len(feed[PIXELS]), 10), 0.1, dtype=np.float32)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of odd sizes: grey, colour, with transparency, of a palette, of 16 bits, and turned by their EXIF."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)

    def drawn(*shape: int) -> Image.Image:
        return Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8))

    drawn(53, 31).save(folder / "grey.png")
    drawn(1, 1).save(folder / "one.png")
    drawn(47, 29, 3).save(folder / "colour.png")
    drawn(33, 64, 4).save(folder / "transparent.png")
    drawn(41, 57, 3).quantize(16).save(folder / "palette.png")
    drawn(30, 50, 3).save(folder / "lossy.webp")
    Image.fromarray(noise.integers(0, 2**16, (35, 21), dtype=np.uint16)).save(folder / "deep.png")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        drawn(45, 27, 3).save(folder / f"turned-{orientation}.jpg", exif=exif)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view.kind}-{view.channels}")
def test_a_graph_sees_the_pixels_that_the_net_of_the_run_sees(
    view: View, files: list[Path], finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load(finished.folder)
    object.__setattr__(run, "view", view)
    of_run: list[NDArray[Any]] = []

    def raw(trained: Trained, seen: Sequence[Seen]) -> list[NDArray[Any]]:
        of_run.extend(one.pixels.copy() for one in seen)
        return [np.full(10, 0.1, dtype=np.float32)] * len(seen)

    monkeypatch.setattr(type(run), "raw", raw)
    graph = Recorded()
    manifest: Manifest = read_manifest(place_of("digits-resnet20"))
    object.__setattr__(manifest, "view", view)
    bundle = bundle_of(manifest, graph, title="recorded")
    for model in (run, bundle):
        assert len([*predicted(model, files, grey=True)]) == len(files)
    assert len(of_run) == len(graph.pixels) == len(files)
    for one, other in zip(of_run, graph.pixels, strict=True):
        assert one.dtype == other.dtype == np.uint8
        np.testing.assert_array_equal(one, other)
