"""The gradient of a batch that is cut, into parts or among processes, beside that of the whole batch, for each loss.

    python benchmarks/gradient_parts.py

Each number is the largest difference of the gradient to that of the whole batch in one process, in units of its largest
number, in float64. Sixteen images: the first are void throughout, the next by half, and classes are uneven. The net has
no normalization but in the last two rows, whose statistics are those of what goes through it at once.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from harness import table
from torch import Tensor, nn

from resvision.classification.classifier import Classifier, ClassifierLoss
from resvision.contracts import Batch, Images, WeightedMasks, split
from resvision.core.images import VOID
from resvision.layers import sync_norm
from resvision.segmentation.segmenter import Segmenter, SegmenterLoss
from resvision.training import processes
from resvision.training.gradients import backward, wrap
from resvision.training.machine import Machine, rank_and_world

FP32 = Machine(device="cpu", precision="fp32")
IMAGES, SIDE, CLASSES = 16, 12, 3
PARTS = (2, 4, 8)
ROOT_BALANCED = "0.6,0.9,1.5"


class Plain(nn.Module):
    """Logits of every pixel by convolutions."""

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        normalization = nn.BatchNorm2d(4) if norm else nn.Identity()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), normalization, nn.ReLU())
        self.main = nn.Conv2d(4, CLASSES, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, CLASSES, H, W)."""
        logits: Tensor = self.main(self.stem(images))
        return logits


class Sided(Plain):
    """The same net with a side head."""

    auxiliary = ("side",)

    def __init__(self) -> None:
        super().__init__()
        self.side = nn.Conv2d(4, CLASSES, 3, padding=1)

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits of the main head and of the side head."""
        maps = self.stem(images)
        return self.main(maps), self.side(maps)


class Classes(nn.Module):
    """Logits of one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(SIDE * SIDE, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, CLASSES)."""
        logits: Tensor = self.linear(images.flatten(1))
        return logits


class Case(NamedTuple):
    """A loss: its system, its net, its options, and whether pixels have weights of their own."""

    system: Any
    net: Callable[[], nn.Module]
    options: Any
    weighted: bool = False
    synchronized: bool = False


def _segmenter(net: Callable[[], nn.Module] = Plain, **options: Any) -> Case:
    return Case(Segmenter, net, SegmenterLoss(**options))


CASES = {
    "classes: cross-entropy": Case(Classifier, Classes, ClassifierLoss()),
    "classes: class weights, label smoothing": Case(
        Classifier, Classes, ClassifierLoss(class_weights=ROOT_BALANCED, label_smoothing=0.1)
    ),
    "pixels: cross-entropy, void uneven": _segmenter(),
    "pixels: class weights (`balanced-root`)": _segmenter(class_weights=ROOT_BALANCED),
    "pixels: label smoothing": _segmenter(label_smoothing=0.1),
    "pixels: side head": _segmenter(Sided, class_weights=ROOT_BALANCED),
    "pixels: border weights": _segmenter(border_weight=10.0)._replace(weighted=True),
    "pixels: `dice_weight`": _segmenter(dice_weight=0.5),
    "pixels: `ohem`": _segmenter(ohem=0.3),
    "batch normalization (by parts)": _segmenter(lambda: Plain(norm=True)),
    "batch normalization, `training.sync_norms`": _segmenter(lambda: Plain(norm=True))._replace(synchronized=True),
}


def batch(case: Case) -> Batch:
    """Sixteen images with uneven targets."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 1, SIDE, SIDE), dtype=torch.uint8, generator=draw)
    ids = torch.arange(IMAGES)
    if case.system is Classifier:
        return Batch(Images(images), torch.randint(0, CLASSES, (IMAGES,), generator=draw).sort().values, ids)
    labels = torch.randint(0, CLASSES, (IMAGES, SIDE, SIDE), generator=draw)
    labels[:3] = VOID
    labels[3:9, 4:] = VOID
    if case.weighted:
        return Batch(Images(images), WeightedMasks(labels, 1 + 10 * torch.rand(labels.shape, generator=draw)), ids)
    return Batch(Images(images), labels, ids)


def gradient(case: Case, *, parts: int = 1) -> Tensor:
    """The gradient of one batch, of which this process has its share, cut into `parts`."""
    rank, world = rank_and_world()
    torch.manual_seed(0)
    system = case.system(case.net(), mean=[0.5], std=[0.25], options=case.options).double()
    if case.synchronized:
        sync_norm.use(system.net)
    share = split(batch(case), world)[rank]
    backward(wrap(system, FP32), share, system=system, machine=FP32, accumulate=parts)
    return torch.cat([weight.grad.flatten() for weight in system.net.parameters() if weight.grad is not None])


def in_two_processes() -> dict[str, list[float]]:
    """The gradient of each loss as two processes have it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    started = [
        subprocess.Popen([sys.executable, __file__], env=meeting | {"RANK": rank}, stdout=subprocess.PIPE, text=True)
        for rank in "01"
    ]
    first, _ = [process.communicate()[0] for process in started]
    found: dict[str, list[float]] = json.loads(first)
    return found


def main() -> None:
    """Print the table, or the gradients of one of two processes where a parent started it."""
    torch.set_num_threads(1)
    if "RANK" in os.environ:
        processes.join("cpu")
        print(json.dumps({name: gradient(case).tolist() for name, case in CASES.items()}))
        dist.destroy_process_group()
        return
    together, rows = in_two_processes(), []
    for name, case in CASES.items():
        whole = gradient(case)
        cut = [*(gradient(case, parts=parts) for parts in PARTS), torch.tensor(together[name], dtype=torch.float64)]
        rows.append([name, *(f"{float((found - whole).abs().max() / whole.abs().max()):.0e}" for found in cut)])
    print(table(["loss", *(f"{parts} parts" for parts in PARTS), "2 processes"], rows))


if __name__ == "__main__":
    main()
