"""Traffic for tests: cars on a straight road that drive, brake, turn and change lanes, by plain formulas."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resvision.core.samples import Reader, Sample
from resvision.core.views import Raster
from resvision.data.splits import Splits
from resvision.kinds.motion.scenes import Lane, Scene
from resvision.kinds.motion.windows import Span, Window

SPAN = Span(history=6, steps=4, step_frames=2, start_frames=3)
FRAME_SECONDS = 0.25


def scene(name: str = "road", *, cars: int = 3, frames: int = 30, seed: int = 0) -> Scene:
    """Cars of different speeds whose paths bend, each by a number that its speed tells."""
    draws = np.random.default_rng(seed)
    times = FRAME_SECONDS * np.arange(frames)
    speeds = draws.uniform(3, 15, cars)
    turns = 0.02 * (speeds - 9)
    headings = draws.uniform(-3, 3, cars)[:, None] + turns[:, None] * times
    velocities = speeds[:, None, None] * np.stack([np.cos(headings), np.sin(headings)], axis=-1)
    starts = draws.uniform(-20, 20, (cars, 1, 2))
    border = np.array([[-50.0, 0.0], [50.0, 0.0]])
    return Scene(
        name=name,
        source=f"{name}.csv",
        recording=name,
        frame_seconds=FRAME_SECONDS,
        vehicles=tuple(f"car{number}" for number in range(cars)),
        kinds=("car",) * cars,
        present=np.ones((cars, frames), dtype=np.bool_),
        positions=starts + FRAME_SECONDS * np.cumsum(velocities, axis=1),
        headings=(headings + np.pi) % (2 * np.pi) - np.pi,
        speeds=None,
        sizes=np.tile([4.5, 2.0], (cars, 1)),
        lanes=(Lane(border + np.array([0, 2]), border - np.array([0, 2])),),
    )


def view(size_px: int = 32, *, past: str = "fading", history: int = SPAN.history) -> Raster:
    """A raster of this side and past."""
    channels = Raster.drawn_channels(past, history)
    return Raster(
        size_px=size_px, metres_per_px=2.0, past=past, history=history,
        channels=channels, mean=(0.1,) * channels, std=(0.3,) * channels,
    )  # fmt: skip


class Windows(Reader[Window]):
    """Windows of scenes, every few frames of every car."""

    def __init__(self, scenes: Sequence[Scene], shown: Raster | None = None, *, split: str = "train") -> None:
        self.name, self.split, self.classes = "traffic", split, ()
        self.view = shown or view()
        self.windows = [
            Window(one, vehicle, frame, SPAN)
            for one in scenes
            for vehicle in range(len(one.vehicles))
            for frame in range(SPAN.history, one.frames - SPAN.future, SPAN.start_frames)
        ]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Sample[Window]:
        return Sample(np.zeros((8, 8, 3), dtype=np.uint8), self.windows[index])

    def target(self, index: int) -> Window:
        return self.windows[index]

    def source(self, index: int) -> str:
        return f"{self.name}/{self.split}[{index}]"


def splits(root: Path | None) -> Splits:
    """Four scenes to train on and one to test on."""
    train = Windows([scene(f"road{seed}", seed=seed) for seed in range(4)])
    return Splits(train, Windows([scene("road9", seed=9)], split="test"), "4 roads train, 1 tests")
