"""Speed and memory of segmentation, against eager fp32 in NCHW, side by side on this machine.

    python benchmarks/segmentation_speed.py                     # all three parts
    python benchmarks/segmentation_speed.py --parts memory --run RUN --out page.md
    python benchmarks/segmentation_speed.py --quick             # small sizes: does it run at all

Training: steps of DeepLabv3+ over ResNet-18 at 360x480, by what a run decides on this machine, against the same net as
it is built. Inference: label maps of DeepLabv3-ResNet-50 at 513 px as `predict` makes them, against torchvision's own
net with the same weights. Both take batches that are in memory; sides take turns in processes of their own. Memory: the
highest of `resvision predict --out` on an image of 10,000 x 8,000 pixels that is made for it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from harness import Figures, ceiling, in_turn, machine, middle, table, write
from PIL import Image
from torch import Tensor

import resvision
from resvision.contracts import Batch, Images
from resvision.core.images import VOID
from resvision.segmentation.full_images import labels_of
from resvision.segmentation.segmenter import Segmenter
from resvision.training import machine as machines
from resvision.training.evaluation import compiled as as_graph
from resvision.training.gradients import LossModule
from resvision.training.optimizers import OptimizerSettings, build_optimizer

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TRAINED, TRAINED_CLASSES = "deeplabv3plus_resnet18", 11
SHOWN, SHOWN_CLASSES = "deeplabv3_resnet50", 21
STEPS = {"usual-training": 5, "our-training": 12, "torchvision": 6, "ours": 15, "compiled": 15}
"""How often each side does its work in a round, after twice that do not count."""
PARTS = ("training", "inference", "memory")


def main() -> None:
    """Measure what is asked for, or one side where a parent process asks for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=Path, nargs="*", help="finished runs for the memory; a fresh one when left out")
    parser.add_argument("--compiled", action="store_true", help="inference compiled, too, which takes a minute or more")
    parser.add_argument("--quick", action="store_true", help="small sizes, which say nothing of speed")
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(SIDES[asked.side](asked.scratch, asked.quick)))
        return
    text = [f"Machine: {machine()}. What a run decides on it: {machines.described(decided(image_px=480))}."]
    if {*asked.parts} - {"memory"}:
        ceilings = (f"{name} {ceiling(kind):.0f}" for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)))
        text[0] += f" Matrix ceiling (best product of 3072 x 3072): {', '.join(ceilings)} GFLOP/s."
    with tempfile.TemporaryDirectory() as scratch:
        words = ["--scratch", scratch, *(["--quick"] if asked.quick else [])]
        if "training" in asked.parts:
            text += [training_page(words, asked.rounds)]
        if "inference" in asked.parts:
            text += [inference_page(Path(scratch), words, asked.rounds, graph=asked.compiled)]
        if "memory" in asked.parts:
            text += [memory_page(Path(scratch), asked.run, quick=asked.quick)]
    write("\n\n".join(text), asked.out)


def training_page(words: list[str], rounds: int) -> str:
    """The table of training steps."""
    found = in_turn(__file__, ["usual-training", "our-training"], words, rounds=rounds)
    return table(
        ["training", "img/s, median", "img/s, best", "ratio of medians (each round)", "ratio of best"],
        compared(found, usual="usual-training"),
    )


def inference_page(scratch: Path, words: list[str], rounds: int, *, graph: bool) -> str:
    """The table of label maps, and how far those of both sides agree."""
    found = in_turn(__file__, ["torchvision", "ours", *(["compiled"] if graph else [])], words, rounds=rounds)
    theirs = np.load(scratch / "torchvision.npz")
    rows = compared(found, usual="torchvision")
    for row, side in zip(rows, found, strict=True):
        ours = np.load(scratch / f"{side}.npz")
        apart = np.abs(ours["logits"] - theirs["logits"])
        row += [
            f"{(ours['labels'] == theirs['labels']).mean():.2%}",
            f"{apart.max() / np.abs(theirs['logits']).max():.1e}",
            f"{middle(found[side], 'start'):.1f}",
        ]
    header = ["inference", "img/s, median", "img/s, best", "ratio of medians (each round)", "ratio of best"]
    header += ["labels as torchvision's", "largest difference of logits to the largest logit", "start-up, s"]
    return table(header, rows)


def compared(found: dict[str, list[Figures]], *, usual: str) -> list[list[str]]:
    """A row a side: images a second, and ratios to the usual side."""
    rows = []
    for side, rounds in found.items():
        ratios = [ours["rate"] / theirs["rate"] for theirs, ours in zip(found[usual], rounds, strict=True)]
        best, usual_best = (max(each["best"] for each in figures) for figures in (rounds, found[usual]))
        shown = f"{median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        ours = [] if side == usual else [shown, f"{best / usual_best:.2f}"]
        rows.append([ABOUT[side], f"{middle(rounds, 'rate'):.2f}", f"{best:.2f}", *(ours or ["", ""])])
    return rows


def timed(do: Callable[[], object], *, images: int, times: int, began: float) -> Figures:
    """Images a second by the median and by the best time, and seconds until the first was done."""
    do()
    start = time.monotonic() - began
    do()
    seconds = []
    for _ in range(times):
        started = time.monotonic()
        do()
        seconds.append(time.monotonic() - started)
    return {"rate": images / median(seconds), "best": images / min(seconds), "start": start}


def decided(*, image_px: int) -> machines.Machine:
    """What a run of no great length decides on this machine."""
    return machines.decide(machines.Machine(), training_macs=0, image_px=image_px, decodes_files=True)


def plain() -> machines.Machine:
    """Eager fp32 in NCHW."""
    return machines.Machine(device="cpu", precision="fp32", channels_last=False, compile=False)


def training(machine: machines.Machine, *, quick: bool, side: str) -> Figures:
    """Steps of the short recipe's optimizer on one batch in memory."""
    began = time.monotonic()
    height, width, size = (48, 64, 2) if quick else (360, 480, 4)
    torch.manual_seed(0)
    net = resvision.build(TRAINED, num_classes=TRAINED_CLASSES, **({"width": 8, "channels": 16} if quick else {}))
    system = Segmenter(net, mean=MEAN, std=STD).train()
    module, optimizer = LossModule(system), build_optimizer(net, OptimizerSettings(name="adamw", lr=1e-3))
    targets = torch.randint(TRAINED_CLASSES + 1, (size, height // 8, width // 8))
    targets[targets == TRAINED_CLASSES] = VOID
    targets = targets.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    pixels = torch.randint(256, (size, 3, height, width), dtype=torch.uint8)
    batch = Batch(inputs=Images(pixels), targets=targets, ids=torch.arange(size))
    if side == "our-training":
        machines.place(system, machine, machines.prepare(machine))

    def step() -> None:
        with machines.autocast(machine):
            loss = sum(term.mean() for term in module(batch).terms.values())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return timed(step, images=size, times=2 if quick else STEPS[side], began=began)


def usual_training(_: Path, quick: bool) -> Figures:
    """Our net as it is built."""
    return training(plain(), quick=quick, side="usual-training")


def our_training(_: Path, quick: bool) -> Figures:
    """Our net as a run has it."""
    return training(decided(image_px=480), quick=quick, side="our-training")


def picture(quick: bool) -> Tensor:
    """The image that label maps are made of, (3, H, W) uint8."""
    side = 65 if quick else 513
    coarse = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def theirs() -> torch.nn.Module:
    """Torchvision's net, with the weights that it draws: both sides have them."""
    from torchvision.models.segmentation import deeplabv3_resnet50

    torch.manual_seed(0)
    net: torch.nn.Module = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=SHOWN_CLASSES)
    return net


def normalized(pixels: Tensor) -> Tensor:
    """What torchvision's nets are given."""
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    return (pixels / 255 - mean) / std


@torch.no_grad()
def torchvision(scratch: Path, quick: bool) -> Figures:
    """Torchvision's net as its documentation has it."""
    began = time.monotonic()
    net, pixels = theirs().eval(), picture(quick)
    times = 2 if quick else STEPS["torchvision"]
    figures = timed(lambda: net(normalized(pixels[None]))["out"].argmax(dim=1), images=1, times=times, began=began)
    logits = net(normalized(pixels[None]))["out"]
    np.savez(scratch / "torchvision.npz", logits=logits[0].numpy(), labels=logits.argmax(dim=1)[0].numpy())
    return figures


@torch.no_grad()
def ours(scratch: Path, quick: bool, *, graph: bool = False) -> Figures:
    """Label maps as `predict` makes them, or by a graph with its weights folded in."""
    began = time.monotonic()
    machine, pixels = decided(image_px=513), picture(quick)
    net = resvision.build(SHOWN, num_classes=SHOWN_CLASSES)
    net.load_state_dict(theirs().state_dict())
    system = Segmenter(net, mean=MEAN, std=STD).eval()
    machines.place(system, machine, torch.device(machine.device))
    machines.keep_freed_memory()
    predict = as_graph(system) if graph else system.predict

    def label_map() -> Tensor:
        with machines.autocast(machine):
            return predict(Images(pixels[None]))[0].argmax(dim=0) if graph else labels_of(system, pixels)

    side = "compiled" if graph else "ours"
    figures = timed(label_map, images=1, times=2 if quick else STEPS[side], began=began)
    with machines.autocast(machine):
        logits = system.logits(Images(pixels[None]))[0]
    np.savez(scratch / f"{side}.npz", logits=logits.float().numpy(), labels=label_map().numpy())
    return figures


def compiled(scratch: Path, quick: bool) -> Figures:
    """The same by a graph."""
    return ours(scratch, quick, graph=True)


def memory_page(scratch: Path, runs: Sequence[Path] | None, *, quick: bool) -> str:
    """The table of the highest memory of `resvision predict`, decoding and writing included."""
    width, height = (1000, 800) if quick else (10_000, 8_000)
    image = scratch / "large.jpg"
    smooth(height, width).save(image, quality=90)
    rows = []
    for number, run in enumerate(runs or [fresh_run(scratch)]):
        words = ["predict", str(run), str(image), "--out", str(scratch / f"maps-{number}")]
        peak, seconds = resources(words)
        name = resvision.load(run).run.model
        shown = f"{name.name} {name.options.get('backbone', '')}".strip()
        rows.append([shown, f"{width:,} x {height:,} JPEG", f"{peak / 2**20:,.0f}", f"{seconds:.0f}"])
    return table(["`resvision predict --out`", "image", "highest memory, MiB", "seconds"], rows)


def smooth(height: int, width: int) -> Image.Image:
    """Smooth noise."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)


def fresh_run(scratch: Path) -> Path:
    """A run of two steps on pictures and masks that are made for it; what it learned does not matter here."""
    draws = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(2):
            for part in ("images", "masks"):
                (scratch / "data" / split / part).mkdir(parents=True, exist_ok=True)
            smooth(128, 128).rotate(90 * number).save(scratch / "data" / split / "images" / f"{split}{number}.png")
            mask = Image.fromarray(draws.integers(0, TRAINED_CLASSES, (16, 16), dtype=np.uint8))
            mask = mask.resize((128, 128), Image.Resampling.NEAREST)
            mask.save(scratch / "data" / split / "masks" / f"{split}{number}.png")
    resources(
        [
            *("train", TRAINED, "--data", str(scratch / "data"), "--out", str(scratch / "run"), "--batch-size", "2"),
            *("--set", "training.duration=2 steps", "--set", "data.image_size=128"),
        ]
    )
    return scratch / "run"


def resources(words: list[str]) -> tuple[int, float]:
    """The highest memory of a command of ours, in bytes, and its seconds."""
    began = time.monotonic()
    null = os.open(os.devnull, os.O_WRONLY)
    command = [sys.executable, "-m", "resvision", *words]
    quiet = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in (1, 2)]
    pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
    _, status, used = os.wait4(pid, 0)
    os.close(null)
    if status:
        sys.exit(f"ended with {os.waitstatus_to_exitcode(status)}: {' '.join(words)}")
    return 1024 * used.ru_maxrss, time.monotonic() - began


SIDES: dict[str, Callable[[Path, bool], Figures]] = {
    "usual-training": usual_training,
    "our-training": our_training,
    "torchvision": torchvision,
    "ours": ours,
    "compiled": compiled,
}
ABOUT = {
    "usual-training": "DeepLabv3+ ResNet-18, 360x480, batch 4: ours, eager, fp32, NCHW",
    "our-training": "the same as a run has it",
    "torchvision": "DeepLabv3-ResNet-50, 513x513: torchvision, eager, fp32",
    "ours": "ours, as `predict` has it",
    "compiled": "ours, compiled with its weights folded in",
}

if __name__ == "__main__":
    main()
