"""Speed and memory of detection, against torchvision's models in eager fp32, side by side on this machine.

    python benchmarks/detection_speed.py --runs SSD RETINANET FASTER_RCNN --images FOLDER
    python benchmarks/detection_speed.py --parts matching suppression
    python benchmarks/detection_speed.py --quick                # small sizes: does it run at all

Inference: detections of one image at a time, torchvision's nets and ours with the same weights, those of the runs,
whose nets are ssd300_vgg16, retinanet_resnet50_fpn and fasterrcnn_resnet50_fpn; weights that find nothing leave
suppression without work. Without runs the weights are drawn at random, and the page says so. Training: steps of
RetinaNet over ResNet-18 at 320 px, by what a run decides on this machine, against the same net as it is built. Both
take images that are in memory; sides take turns in processes of their own. Matching: the highest memory of 3,000 boxes
against 200,000 anchors. Suppression: 10,000 boxes, and its share of a prediction.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from harness import Figures, in_turn, machine, middle, table, write
from PIL import Image
from torch import Tensor, nn

import resvision
from resvision.contracts import Batch, Images
from resvision.detection.detector import Detector, TrueBoxes
from resvision.detection.parts.matching import match
from resvision.detection.parts.suppression import suppress
from resvision.inference.load import load
from resvision.kinds.detection.suppression import Suppression
from resvision.training import machine as machines
from resvision.training.gradients import LossModule
from resvision.training.optimizers import OptimizerSettings, build_optimizer

SIDES_PX = {"ssd300_vgg16": 300, "retinanet_resnet50_fpn": 640, "fasterrcnn_resnet50_fpn": 640}
"""The nets whose inference is measured, and the side of their images in pixels."""
BACKGROUND = {"ssd300_vgg16": 1, "retinanet_resnet50_fpn": 0, "fasterrcnn_resnet50_fpn": 1}
"""Classes that torchvision counts besides those of the data."""
CLASSES = 3
TIMES = 12
PARTS = ("inference", "training", "matching", "suppression")
TRAINED, TRAINED_PX = "retinanet", 320


def main() -> None:
    """Measure what is asked for, or one side where a parent process asks for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--nets", choices=SIDES_PX, nargs="+", default=[*SIDES_PX])
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="finished runs of the nets")
    parser.add_argument("--images", type=Path, help="folder of images; smooth noise when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes, which say nothing of speed")
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(figures_of(asked)))
        return
    given = ["--runs", *map(str, asked.runs), *(["--images", str(asked.images)] if asked.images else [])]
    words = [*given, *(["--quick"] if asked.quick else [])]
    text = [f"Machine: {machine()}. What a run decides on it: {machines.described(decided(640))}."]
    if "inference" in asked.parts:
        text += [inference_page(asked.nets, words, asked.rounds)]
    if "training" in asked.parts:
        text += [training_page(words, asked.rounds)]
    if "matching" in asked.parts:
        (found,) = in_turn(__file__, ["matching"], words, rounds=1)["matching"]
        text += [f"Matching {found['boxes']:,.0f} boxes with {found['anchors']:,.0f} anchors: {found['mib']:,.0f} MiB."]
    if "suppression" in asked.parts:
        (found,) = in_turn(__file__, ["suppression"], words, rounds=1)["suppression"]
        text += [f"Suppression of {found['boxes']:,.0f} random boxes of 20 classes: {1e3 * found['seconds']:.0f} ms."]
    write("\n\n".join(text), asked.out)


def inference_page(nets: Sequence[str], words: list[str], rounds: int) -> str:
    """The table of inference: a row for each net."""
    rows = []
    for name in nets:
        found = in_turn(__file__, [f"{name}/torchvision", f"{name}/ours"], words, rounds=rounds)
        theirs, ours = found.values()
        ratios = [mine["rate"] / other["rate"] for other, mine in zip(theirs, ours, strict=True)]
        rows.append(
            [
                name,
                f"{middle(theirs, 'rate'):.2f}",
                f"{middle(ours, 'rate'):.2f}",
                f"{median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})",
                f"{middle(theirs, 'boxes'):.0f}, {middle(ours, 'boxes'):.0f}",
                f"{middle(ours, 'suppressed'):,.0f}",
                f"{middle(ours, 'share'):.1%}",
                "a run's" if ours[0]["trained"] else "random",
            ]
        )
    header = ["net", "torchvision, img/s", "ours", "ratio (each round)", "boxes an image"]
    return table([*header, "candidates", "suppression's share of ours", "weights"], rows)


def training_page(words: list[str], rounds: int) -> str:
    """The table of training steps."""
    found = in_turn(__file__, ["usual-training", "our-training"], words, rounds=rounds)
    usual, ours = found.values()
    ratios = [mine["rate"] / other["rate"] for other, mine in zip(usual, ours, strict=True)]
    row = [
        f"{TRAINED} over ResNet-18, {TRAINED_PX} px",
        f"{middle(usual, 'rate'):.2f}",
        f"{middle(ours, 'rate'):.2f}",
        f"{median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})",
    ]
    return table(["training", "as built, img/s", "as a run has it", "ratio (each round)"], [row])


def figures_of(asked: argparse.Namespace) -> Figures:
    """The figures of one side."""
    measured: dict[str, Callable[[bool], Figures]] = {
        "usual-training": usual_training,
        "our-training": our_training,
        "matching": matching,
        "suppression": suppression,
    }
    if asked.side in measured:
        return measured[asked.side](asked.quick)
    name, side = asked.side.split("/")
    system, classes, trained = system_of(name, asked.runs)
    images = pictures(asked.images, 96 if asked.quick else SIDES_PX[name], 2 if asked.quick else TIMES)
    figures = torchvision(name, system, classes, images) if side == "torchvision" else ours(system, images)
    return {**figures, "trained": float(trained)}


def decided(image_px: int) -> machines.Machine:
    """What a run of no great length decides on this machine."""
    return machines.decide(machines.Machine(), training_macs=0, image_px=image_px, decodes_files=True)


def plain() -> machines.Machine:
    """Eager fp32 in NCHW."""
    return machines.Machine(device="cpu", precision="fp32", channels_last=False, compile=False)


def system_of(name: str, runs: Sequence[Path]) -> tuple[Detector, int, bool]:
    """The system of a net, its number of classes, and whether its weights are those of a run; drawn otherwise."""
    for folder in runs:
        trained = load(folder)
        if trained.name == name:
            assert isinstance(trained.system, Detector)
            return trained.system.eval(), len(trained.classes), True
    torch.manual_seed(0)
    row = resvision.catalog.find(name)
    net = resvision.build(name, num_classes=CLASSES)
    system = resvision.core.references.find(row.system, noun="system")
    built: Detector = system(net, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    return built.eval(), CLASSES, False


def pictures(folder: Path | None, side_px: int, count: int) -> list[Tensor]:
    """Images (3, side, side) uint8: of a folder, or smooth noise."""
    if folder is None:
        draws = np.random.default_rng(0)
        coarse = [draws.integers(0, 256, (side_px // 8, side_px // 8, 3), dtype=np.uint8) for _ in range(count)]
        shown = [Image.fromarray(each) for each in coarse]
    else:
        shown = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.jpg"))[:count]]
    resized = [np.asarray(image.resize((side_px, side_px), Image.Resampling.BILINEAR)) for image in shown]
    return [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in resized]


def theirs_of(name: str, system: Detector, num_classes: int, side_px: int) -> nn.Module:
    """Torchvision's model as its documentation has it, with our weights and normalization, resizing nothing."""
    from torchvision.models import detection

    classes = num_classes + BACKGROUND[name]
    net: nn.Module = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=classes)
    net.load_state_dict(system.net.state_dict())
    transform = net.transform
    transform.min_size, transform.max_size = (side_px,), side_px
    transform.image_mean = (system.mean.flatten() / 255).tolist()
    transform.image_std = (system.std.flatten() / 255).tolist()
    return net.eval()


@torch.no_grad()
def torchvision(name: str, system: Detector, classes: int, images: list[Tensor]) -> Figures:
    """Torchvision's model on one image at a time."""
    net = theirs_of(name, system, classes, images[0].shape[1])
    found = [len(net([image / 255])[0]["boxes"]) for image in images[:2]]
    seconds = []
    for image in images:
        started = time.monotonic()
        found.append(len(net([image / 255])[0]["boxes"]))
        seconds.append(time.monotonic() - started)
    return {"rate": 1 / median(seconds), "boxes": float(np.mean(found[2:]))}


@torch.no_grad()
def ours(system: Detector, images: list[Tensor]) -> Figures:
    """Our system as `predict` has it, and the time that suppression takes of it."""
    machine = decided(images[0].shape[1])
    machines.place(system, machine, torch.device(machine.device))
    machines.keep_freed_memory()
    found, seconds, parts, candidates = [], [], [], []
    with machines.at_work(system, machine), machines.autocast(machine):
        for image in [*images[:2], *images]:
            started = time.monotonic()
            found.append(int(system.predict(Images(image[None])).counts[0]))
            seconds.append(time.monotonic() - started)
        for image in images:
            maps = system.net(system.normalized(image[None]))
            chosen = system.candidates(maps, (image.shape[1], image.shape[2]))
            started = time.monotonic()
            suppress(*chosen, system.suppression)
            parts.append(time.monotonic() - started)
            candidates.append(int((chosen.scores > system.suppression.score).sum()))
    return {
        "rate": 1 / median(seconds[2:]),
        "boxes": float(np.mean(found[2:])),
        "share": median(parts) / median(seconds[2:]),
        "suppressed": float(np.mean(candidates)),
    }


def training(machine: machines.Machine, *, quick: bool) -> Figures:
    """Steps of AdamW on one batch in memory, in which images have 17 boxes, as many as BCCD's."""
    side, size = (96, 2) if quick else (TRAINED_PX, 8)
    torch.manual_seed(0)
    net = resvision.build(TRAINED, backbone="resnet18", num_classes=CLASSES)
    row = resvision.catalog.find(TRAINED)
    system = resvision.core.references.find(row.system, noun="system")
    built: Detector = system(net, mean=(0.5,) * 3, std=(0.25,) * 3).train()
    module, optimizer = LossModule(built), build_optimizer(net, OptimizerSettings(name="adamw", lr=1e-4))
    corners = torch.rand(size, 17, 2) * side * 0.8
    boxes = torch.cat([corners, (corners + side * (0.05 + 0.15 * torch.rand(size, 17, 2)))], dim=2)
    padded = torch.zeros(size, 32, 4)
    padded[:, :17] = boxes
    labels = torch.full((size, 32), -1)
    labels[:, :17] = torch.randint(CLASSES, (size, 17))
    targets = TrueBoxes(padded, labels, torch.zeros(size, 32, dtype=torch.bool))
    pixels = torch.randint(256, (size, 3, side, side), dtype=torch.uint8)
    batch = Batch(inputs=Images(pixels), targets=targets, ids=torch.arange(size))

    def step() -> None:
        with machines.autocast(machine):
            loss = sum(term.mean() for term in module(batch).terms.values())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    if machine.precision == "bf16":
        machines.place(built, machine, machines.prepare(machine))
    with machines.at_work(built, machine):
        step()
        seconds = []
        for _ in range(2 if quick else 6):
            started = time.monotonic()
            step()
            seconds.append(time.monotonic() - started)
    return {"rate": size / median(seconds)}


def usual_training(quick: bool) -> Figures:
    """Our net as it is built."""
    return training(plain(), quick=quick)


def our_training(quick: bool) -> Figures:
    """Our net as a run has it."""
    return training(decided(TRAINED_PX), quick=quick)


def matching(quick: bool) -> Figures:
    """The highest memory of this process while boxes are matched, over what it took before."""
    boxes, anchors = (30, 2_000) if quick else (3_000, 200_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    match(
        random_boxes(anchors),
        random_boxes(boxes),
        torch.zeros(boxes, dtype=torch.int64),
        torch.zeros(boxes, dtype=torch.bool),
        positive=0.5,
        negative=0.4,
        low_quality=True,
    )
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "rate": 1 / (time.monotonic() - started),
        "boxes": boxes,
        "anchors": anchors,
        "mib": used / 1024,
    }


def suppression(quick: bool) -> Figures:
    """The time that suppression of random boxes takes."""
    count = 100 if quick else 10_000
    boxes, labels = random_boxes(count)[None], torch.randint(20, (1, count))
    scores = torch.rand(1, count)
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        suppress(boxes, scores, labels, Suppression(score=0.0, iou=0.5, most=100))
        seconds.append(time.monotonic() - started)
    return {"rate": 1 / median(seconds), "boxes": count, "seconds": median(seconds)}


def random_boxes(count: int) -> Tensor:
    """Boxes (count, 4) of 10 to 60 px in an image of 640 px."""
    torch.manual_seed(0)
    corners = 580 * torch.rand(count, 2)
    return torch.cat([corners, corners + 10 + 50 * torch.rand(count, 2)], dim=1)


if __name__ == "__main__":
    sys.exit(main())
