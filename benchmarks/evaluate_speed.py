"""Evaluation speed from JPEG files to scores, against torchvision's own net and transforms, side by side.

    python benchmarks/evaluate_speed.py RUN FOLDER [--out page.md]

RUN is a run of `resnet50` that was trained here; FOLDER holds its classes of photos, on which both sides
predict. The usual side is torchvision's ResNet-50 with the run's weights, eager, fp32, NCHW, torchvision's
transforms in a DataLoader with two workers. The page holds speed, agreement, errors, and whether both sides see the
same pixels.
"""

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import ceiling, in_turn, machine, middle, table, write
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import resvision
from resvision.contracts import filled
from resvision.data.folder import open_labelled
from resvision.data.folder_reader import FolderReader
from resvision.data.places import at
from resvision.data.sets import open_splits
from resvision.loading.batches import EvalBatches
from resvision.loading.workers import batches
from resvision.training.evaluation import compiled
from resvision.training.machine import autocast, decoding_workers, keep_freed_memory

BATCH = 32
WARM_UP = 3  # batches
ROUNDS = 2


def main() -> None:
    """Measure both sides, or one where a parent process asks for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(SIDES[asked.side](asked.run, asked.folder, asked.scratch / f"{asked.side}.npy")))
        return
    with tempfile.TemporaryDirectory() as scratch:
        words = [str(asked.run), str(asked.folder), "--scratch", scratch]
        found = in_turn(__file__, list(SIDES), words, rounds=ROUNDS)
        outputs = {side: np.load(Path(scratch) / f"{side}.npy") for side in SIDES}
    reader = labelled(asked.folder)
    targets = np.array([reader.target(index) for index in range(len(reader))])
    rows = []
    for side, rounds in found.items():
        ratios = [ours["rate"] / usual["rate"] for usual, ours in zip(found["usual"], rounds, strict=True)]
        best = outputs[side].argmax(axis=1)
        rows.append(
            [
                ABOUT[side],
                f"{middle(rounds, 'rate'):.1f}",
                f"{sorted(ratios)[len(ratios) // 2]:.2f}",
                f"{middle(rounds, 'start'):.1f}",
                f"{(best != targets).mean():.2%}",
                f"{(best == outputs['usual'].argmax(axis=1)).mean():.2%}",
            ]
        )
    ceilings = {name: ceiling(dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    header = ["side", "img/s, steady", "ratio, median", "start-up, s", "top-1 error", "top-1 as the usual side"]
    text = [
        f"Machine: {machine()}. Matrix ceiling: "
        + ", ".join(f"{name} {value:.0f} GFLOP/s" for name, value in ceilings.items())
        + f". {len(reader):,} photos, batch {BATCH}, decoding included, {ROUNDS} rounds.",
        table(header, rows),
        f"Preprocessing: {same_pixels(asked.run, reader)} of {len(reader):,} images have equal pixels on both sides.",
    ]
    write("\n\n".join(text), asked.out)


def labelled(folder: Path) -> FolderReader:
    """All photos of the folder, or those of its test split."""
    whole = open_labelled(at(folder))
    reader = whole.reader if whole is not None else open_splits(str(folder)).test
    assert isinstance(reader, FolderReader)
    return reader


class Photos(Dataset[Tensor]):
    """PIL images behind torchvision's transforms."""

    def __init__(self, reader: FolderReader, transform: Any) -> None:
        self._reader, self._transform = reader, transform

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self._reader.source(index)) as image:
            pixels: Tensor = self._transform(image.convert("RGB"))
        return pixels


def usual(run: Path, folder: Path, out: Path) -> dict[str, float]:
    """Torchvision's net in eager fp32, as its documentation has it."""
    from torchvision import transforms
    from torchvision.models import resnet50

    began = time.monotonic()
    trained = resvision.load(run)
    rule, reader = trained.view, labelled(folder)
    net = resnet50(num_classes=len(trained.classes)).eval()
    net.load_state_dict(trained.system.net.state_dict())
    transform = transforms.Compose(
        [
            transforms.Resize(rule.resize_px),
            transforms.CenterCrop(rule.crop_px),
            transforms.ToTensor(),
            transforms.Normalize(rule.mean, rule.std),
        ]
    )
    loader = DataLoader(Photos(reader, transform), batch_size=BATCH, num_workers=2)
    marks, outputs = [], []
    with torch.no_grad():
        for images in loader:
            outputs.append(net(images).softmax(dim=1).numpy())
            marks.append(time.monotonic())
    np.save(out, np.concatenate(outputs))
    return rates(marks, began)


def ours(run: Path, folder: Path, out: Path, *, graph: bool = True) -> dict[str, float]:
    """What `resvision evaluate` does, by the run's own precision."""
    began = time.monotonic()
    keep_freed_memory()
    trained, reader = resvision.load(run), labelled(folder)
    share = EvalBatches(reader, batch_size=BATCH, view=trained.view, in_memory=False)
    predict = compiled(trained.system) if graph else trained.system.predict
    marks, outputs = [], []
    made = batches(share, 0, len(share), workers=decoding_workers())
    with torch.no_grad(), closing(made):
        for batch in made:
            with autocast(trained.run.machine):
                results = predict(filled(batch.inputs, BATCH))[: len(batch.ids)]
            outputs.append(results.float().numpy())
            marks.append(time.monotonic())
    np.save(out, np.concatenate(outputs))
    return rates(marks, began)


def eager(run: Path, folder: Path, out: Path) -> dict[str, float]:
    """The same without compiling."""
    return ours(run, folder, out, graph=False)


def rates(marks: list[float], began: float) -> dict[str, float]:
    """Images a second over the full batches after the warm-up, and the seconds until the first was done."""
    steady = marks[WARM_UP - 1 : -1]
    if len(steady) < 2:
        sys.exit(f"too few photos: {WARM_UP + 2} batches of {BATCH} are needed")
    return {"rate": BATCH * (len(steady) - 1) / (steady[-1] - steady[0]), "start": marks[0] - began}


def same_pixels(run: Path, reader: FolderReader) -> int:
    """How many images both sides show to the net with equal pixels, before normalization."""
    from torchvision import transforms

    rule = resvision.load(run).view
    transform = transforms.Compose([transforms.Resize(rule.resize_px), transforms.CenterCrop(rule.crop_px)])
    same = 0
    for index in range(len(reader)):
        with Image.open(reader.source(index)) as image:
            theirs = np.asarray(transform(image.convert("RGB")))
        same += np.array_equal(theirs, rule.show(reader[index].image, name="photo").pixels)
    return same


SIDES = {"usual": usual, "eager": eager, "ours": ours}
ABOUT = {
    "usual": "torchvision, eager, fp32, its own transforms",
    "eager": "ours, eager, the run's precision (bf16 where the machine has it)",
    "ours": "ours, compiled, the run's precision (bf16 where the machine has it)",
}

if __name__ == "__main__":
    main()
