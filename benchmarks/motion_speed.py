"""Speed of motion prediction, rasters and training, against loops that people write, side by side on this machine.

    python benchmarks/motion_speed.py                           # both parts
    python benchmarks/motion_speed.py --parts rasters --rounds 5
    python benchmarks/motion_speed.py --quick                   # a few of each: does it run at all

Rasters: of windows of `traffic-simulated` with 20 vehicles and 2 s of history at 10 Hz, drawn by two processes. The
usual loop draws each box by Pillow, at twice the size for smooth edges. Processor time is told beside the rate: it
holds on a machine that has other work, too. Training: ResNet-18 at 112 px and 25 channels. The usual loop is eager,
fp32, NCHW, over a DataLoader whose two workers draw by Pillow; ours is what a long `resvision train` does. Sides take
turns in processes of their own.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from harness import Figures, in_turn, machine, middle, table, write
from PIL import Image, ImageDraw
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from resvision.assembly import assemble
from resvision.contracts import to_device
from resvision.core.views import Raster
from resvision.data.tracks.simulated import scenes
from resvision.geometry.frames import agent_from_world
from resvision.kinds.motion.rasters import OLDEST, SURFACE, drawn
from resvision.kinds.motion.windows import Span, Window
from resvision.loading.workers import batches
from resvision.preparation import prepare
from resvision.recipes import compose
from resvision.training import machine as machines
from resvision.training.gradients import wrap
from resvision.training.optimizers import build_optimizer

VEHICLES, HISTORY, STEPS = 20, 20, 30
PROCESSES = 2
CASES: dict[str, tuple[Literal["fading", "channels"], int, float, int, int]] = {
    "fading, 224 px": ("fading", 224, 0.5, 20, 1),
    "25 channels, 224 px": ("channels", 224, 0.5, 10, 2),
    "25 channels, 112 px": ("channels", 112, 1.0, 10, 2),
}
"""How the past is drawn, side, metres a pixel, earlier frames, frames from one to the next."""
TRAINED = "25 channels, 112 px"
BATCH, WARM_UP = 32, 6
TIMED = {"usual-training": 12, "our-training": 40}
PARTS = ("rasters", "training")


def main() -> None:
    """Measure what is asked for, or one side where a parent process asks for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few of each, which say nothing of speed")
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, default=TRAINED, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(SIDES[asked.side](asked.case, asked.quick)))
        return
    words = ["--quick"] if asked.quick else []
    text = [f"Machine: {machine()}."]
    if "rasters" in asked.parts:
        text.append(rasters_page(words, asked.rounds))
    if "training" in asked.parts:
        text.append(training_page(words, asked.rounds))
    write("\n\n".join(text), asked.out)


def rasters_page(words: Sequence[str], rounds: int) -> str:
    """The table of rasters."""
    rows = []
    for case in CASES:
        print(case, file=sys.stderr)
        sides = in_turn(__file__, ["usual-rasters", "our-rasters"], ["--case", case, *words], rounds=rounds)
        for side, figures in sides.items():
            usual = side == "usual-rasters"
            ratio = "" if usual else ratios(sides["usual-rasters"], figures)
            name = "Pillow, a polygon for each box, at twice the size" if usual else "ours"
            cpu = f"{1e3 * middle(figures, 'cpu'):.2f}"
            rows.append([case, name, f"{middle(figures, 'rate'):,.0f}", cpu, ratio])
    header = ["rasters of 20 vehicles", "by", "a second, two processes", "processor time of one, ms"]
    return table([*header, "ratio, median (each round)"], rows)


def training_page(words: Sequence[str], rounds: int) -> str:
    """The table of training."""
    sides = in_turn(__file__, ["usual-training", "our-training"], words, rounds=rounds)
    rows = []
    for side, figures in sides.items():
        usual = side == "usual-training"
        ratio = "" if usual else ratios(sides["usual-training"], figures)
        ours = "ours, compiled" if figures[0].get("compiled") else "ours, eager"
        name = "usual: eager, fp32, NCHW, rasters by Pillow in two workers" if usual else ours
        rows.append([name, f"{middle(figures, 'rate'):,.1f}", ratio, f"{middle(figures, 'start'):.1f}"])
    header = [f"training of ResNet-18, {TRAINED}, batch {BATCH}", "windows a second", "ratio, median (each round)"]
    return table([*header, "start-up, s"], rows)


def ratios(usual: Sequence[Figures], ours: Sequence[Figures]) -> str:
    """The ratio of rates in each round, and the median of them."""
    each = [one["rate"] / other["rate"] for one, other in zip(ours, usual, strict=True)]
    return f"{median(each):.2f} ({', '.join(f'{ratio:.2f}' for ratio in each)})"


# Windows and views --------------------------------------------------------------------------------------------------


def view_of(case: str) -> Raster:
    """The view of a case."""
    past, side, metres, history, every = CASES[case]
    channels = Raster.drawn_channels(past, history)
    numbers = (0.0,) * channels
    return Raster(
        size_px=side, metres_per_px=metres, past=past, history=history, every=every, channels=channels, mean=numbers,
        std=(1.0,) * channels,
    )  # fmt: skip


def windows_of(count: int) -> list[Window]:
    """Windows in which the target and its 19 nearest neighbours are seen for 2 s and more."""
    found: list[Window] = []
    for frame in range(HISTORY, 200 - STEPS, 3):
        for scene in scenes("train"):
            seen = np.flatnonzero(scene.present[:, frame - HISTORY : frame + STEPS + 1].all(axis=1))
            if len(seen) < VEHICLES:
                continue
            target = int(seen[(7 * frame) % len(seen)])
            away = np.hypot(*(scene.positions[seen, frame] - scene.positions[target, frame]).T)
            kept = np.sort(seen[np.argsort(away, kind="stable")[:VEHICLES]])
            near = replace(
                scene,
                vehicles=tuple(scene.vehicles[vehicle] for vehicle in kept),
                kinds=tuple(scene.kinds[vehicle] for vehicle in kept),
                present=scene.present[kept],
                positions=scene.positions[kept],
                headings=scene.headings[kept],
                speeds=None,
                sizes=scene.sizes[kept],
            )
            found.append(Window(near, int(np.searchsorted(kept, target)), frame, Span(HISTORY, STEPS)))
            if len(found) == count:
                return found
    return found


# Rasters ------------------------------------------------------------------------------------------------------------


def by_pillow(window: Window, view: Raster) -> np.ndarray:
    """The raster of a window as a plain loop has it, (C, side, side): at twice the size, and averaged."""
    scene, fine = window.scene, 2 / view.metres_per_px
    ahead, middle_px = view.ahead * view.size_px * 2, float(view.size_px)

    def pixels(points: np.ndarray) -> list[tuple[float, float]]:
        local = agent_from_world(points, window.pose()) * fine
        return [(middle_px - y, ahead - x) for x, y in local.tolist()]

    def layer() -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("L", (2 * view.size_px,) * 2)
        return image, ImageDraw.Draw(image)

    def boxes(draw: ImageDraw.ImageDraw, vehicles: Sequence[int], frame: int, value: int) -> None:
        headings, halves = scene.headings[vehicles, frame], scene.sizes[vehicles] / 2
        along = halves[:, :1] * np.stack([np.cos(headings), np.sin(headings)], axis=1)
        across = halves[:, 1:] * np.stack([-np.sin(headings), np.cos(headings)], axis=1)
        signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
        corners = np.stack([front * along + left * across for front, left in signs], axis=1)
        places = pixels((scene.positions[vehicles, frame][:, None] + corners).reshape(-1, 2))
        for start in range(0, len(places), 4):
            draw.polygon(places[start : start + 4], fill=value)

    others = [vehicle for vehicle in range(len(scene.vehicles)) if vehicle != window.vehicle]
    groups, fading = (others, [window.vehicle]), view.past == "fading"
    layers: list[Image.Image] = []
    for vehicles in groups:
        if fading:
            image, draw = layer()
            for age in range(view.history, -1, -1):
                value = round(255 * (1 - (1 - OLDEST) * age / view.history))
                boxes(draw, vehicles, window.frame - age * view.every, value)
            layers.insert(0, image)
            continue
        for age in range(view.history + 1):
            image, draw = layer()
            boxes(draw, vehicles, window.frame - age * view.every, 255)
            layers.append(image)
    surface, draw = layer()
    borders, border_draw = (surface, draw) if fading else layer()
    centres, centre_draw = layer()
    for lane in scene.lanes:
        draw.polygon(pixels(np.concatenate([lane.left, lane.right[::-1]])), fill=SURFACE)
    for lane in scene.lanes:
        for border in lane:
            border_draw.line(pixels(border), fill=255, width=2)
        if not fading:
            centre_draw.line(pixels((lane.left + lane.right) / 2), fill=255, width=2)
    layers += [surface] if fading else [surface, borders, centres]
    return np.stack([np.asarray(image.reduce(2)) for image in layers])


def usual_rasters(case: str, quick: bool) -> Figures:
    """Rasters by Pillow."""
    return drawing_rate(_pillow_share, case, count=8 if quick else 120, rounds=1 if quick else 2)


def our_rasters(case: str, quick: bool) -> Figures:
    """Rasters as training draws them, a batch at a time."""
    return drawing_rate(_our_share, case, count=8 if quick else 240, rounds=1 if quick else 6)


def _pillow_share(case: str, windows: Sequence[Window], rounds: int) -> tuple[float, float]:
    view = view_of(case)
    return _clocked(lambda: [by_pillow(window, view) for window in windows], rounds)


def _our_share(case: str, windows: Sequence[Window], rounds: int) -> tuple[float, float]:
    view = view_of(case)
    groups = [windows[start : start + BATCH] for start in range(0, len(windows), BATCH)]
    return _clocked(lambda: [drawn(group, view) for group in groups], rounds)


def _clocked(do: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Seconds and processor seconds of so many rounds, after one that does not count."""
    do()
    started, worked = time.monotonic(), time.process_time()
    for _ in range(rounds):
        do()
    return time.monotonic() - started, time.process_time() - worked


def drawing_rate(share: Callable[..., tuple[float, float]], case: str, *, count: int, rounds: int) -> Figures:
    """Rasters a second of two processes, each of which draws `count` windows, and processor seconds of one raster."""
    windows = windows_of(count)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork")) as pool:
        shares = [pool.submit(share, case, windows, rounds) for _ in range(PROCESSES)]
        times = [one.result() for one in shares]
    rasters = len(windows) * rounds
    return {
        "rate": sum(rasters / seconds for seconds, _ in times),
        "cpu": sum(worked for _, worked in times) / (PROCESSES * rasters),
    }


# Training -----------------------------------------------------------------------------------------------------------


class PillowWindows(Dataset[tuple[Tensor, Tensor]]):
    """Windows drawn by Pillow, one at a time, as tutorials have them."""

    def __init__(self) -> None:
        self._windows, self._view = windows_of(240), view_of(TRAINED)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        window = self._windows[index]
        raster = torch.from_numpy(by_pillow(window, self._view)).float() / 255
        return raster, torch.from_numpy(window.future().positions.astype(np.float32))


def usual_training(_: str, quick: bool) -> Figures:
    """The loop that people write: torchvision's ResNet-18 with another first and last layer."""
    from torchvision.models import resnet18

    began = time.monotonic()
    net = resnet18(num_classes=2 * STEPS)
    net.conv1 = torch.nn.Conv2d(view_of(TRAINED).channels, 64, 7, stride=2, padding=3, bias=False)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    loader = DataLoader(PillowWindows(), batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True)
    marks: list[float] = []
    for images, targets in endless(loader):
        optimizer.zero_grad()
        loss = F.mse_loss(net(images).view(-1, STEPS, 2), targets)
        loss.backward()
        optimizer.step()
        loss.item()
        marks.append(time.monotonic())
        if len(marks) == WARM_UP + (2 if quick else TIMED["usual-training"]):
            break
    return rates(marks, began)


def endless(loader: "DataLoader[Any]") -> Iterator[Any]:
    """One epoch after the other."""
    while True:
        yield from loader


def our_training(_: str, quick: bool) -> Figures:
    """What a long `resvision train` does."""
    began = time.monotonic()
    prepared = prepare(compose("motion_regression", "traffic-simulated", changes=changes()))
    run = prepared.run
    device = machines.prepare(run.machine)
    built = assemble(prepared, device=device)
    module, optimizer = wrap(built.system, run.machine), build_optimizer(built.system.net, run.optimizer)
    marks: list[float] = []
    steps = WARM_UP + (2 if quick else TIMED["our-training"])
    with closing(batches(built.train, 0, steps, workers=run.machine.workers or 0)) as share:
        for batch in share:
            with machines.autocast(run.machine):
                loss = sum(term.mean() for term in module(to_device(batch, device)).terms.values())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()
            marks.append(time.monotonic())
    return {**rates(marks, began), "compiled": float(bool(run.machine.compile))}


def changes() -> dict[str, Any]:
    """The changes of the short recipe: a long run over ResNet-18, with rasters of the case."""
    past, side, metres, _, _ = CASES[TRAINED]
    return {
        "model.options.backbone": "resnet18",
        "training.batch_size": BATCH,
        "training.duration": "100000 epochs",
        "data.image_size": side,
        "data.metres_per_px": metres,
        "data.drawn_past": past,
    }


def rates(marks: list[float], began: float) -> Figures:
    """Windows a second after the warm-up, and the seconds until the first step was done."""
    steady = marks[WARM_UP:]
    return {"rate": BATCH * len(steady) / (steady[-1] - marks[WARM_UP - 1]), "start": marks[0] - began}


SIDES: dict[str, Callable[[str, bool], Figures]] = {
    "usual-rasters": usual_rasters,
    "our-rasters": our_rasters,
    "usual-training": usual_training,
    "our-training": our_training,
}

if __name__ == "__main__":
    main()
