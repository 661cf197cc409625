"""Training speed, end to end, against the loop that people write today, side by side on this machine.

    python benchmarks/train_speed.py                      # two nets, pictures made on the spot
    python benchmarks/train_speed.py --photos FOLDER --small-data cifar10 --out page.md

The usual loop is eager, fp32, NCHW, over a DataLoader of PIL images with torchvision's transforms and two
workers. Ours is what a long `resvision train` does, compiled where it so decides. Both load, augment and step; sides
take turns in processes of their own, and start-up (imports, reading the data, compiling) is reported apart.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from harness import best_time, ceiling, in_turn, machine, middle, table, write
from PIL import Image
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset

import resvision
from resvision.assembly import Prepared, assemble
from resvision.contracts import to_device
from resvision.core.samples import Reader
from resvision.data.sets import open_splits
from resvision.loading.workers import batches
from resvision.preparation import prepare
from resvision.recipes import compose
from resvision.training import machine as machines
from resvision.training.gradients import LossModule, wrap
from resvision.training.optimizers import build_optimizer

CASES = {"resnet20": ("small", 32, 128, 60), "resnet18": ("photos", 224, 32, 16)}
"""Net: which data, side of the images, batch size, steps that are timed."""
WARM_UP = 6


def main() -> None:
    """Measure both nets, or one side of one net where a parent process asks for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", help="a folder of classes of photos; made pictures of 500x375 when left out")
    parser.add_argument("--small-data", help="a set of 32 px RGB images; made pictures when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="file for the page")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--net", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(SIDES[asked.side](asked.net, asked.data)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        data = {
            "small": asked.small_data or made(Path(scratch) / "small", 32, 32, count=2000),
            "photos": asked.photos or made(Path(scratch) / "photos", 375, 500, count=400),
        }
        write(page(data, asked.rounds), asked.out)


def page(data: dict[str, str], rounds: int) -> str:
    """The tables: speed, where the time of ours goes, and the ceiling."""
    ceilings = {dtype: ceiling(dtype) for dtype in (torch.float32, torch.bfloat16)}
    speed, parts = [], []
    for net, (kind, side_px, batch_size, _) in CASES.items():
        print(f"{net}, {side_px} px, batch {batch_size}", file=sys.stderr)
        words = ["--net", net, "--data", data[kind]]
        found = in_turn(__file__, ["usual", "ours"], words, rounds=rounds)
        [where] = in_turn(__file__, ["parts"], words, rounds=1)["parts"]
        ratios = [ours["rate"] / usual["rate"] for usual, ours in zip(found["usual"], found["ours"], strict=True)]
        each = f"{sorted(ratios)[len(ratios) // 2]:.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        compiled = "compiled" if found["ours"][0]["compiled"] else "eager"
        for side, loop in (("usual", "usual"), ("ours", f"ours, {compiled}")):
            speed.append(
                [
                    f"{net}, {side_px} px, batch {batch_size}",
                    loop,
                    f"{middle(found[side], 'rate'):.1f}",
                    "" if side == "usual" else each,
                    f"{middle(found[side], 'start'):.1f}",
                ]
            )
        share = where["conv_gflops"] / (ceilings[torch.bfloat16] if where["bf16"] else ceilings[torch.float32])
        parts.append(
            [
                net,
                *(f"{where[name]:.2f}" for name in ("decode", "augment", "forward", "backward", "step")),
                f"{where['conv_share']:.0%}",
                f"{where['conv_gflops']:.0f}",
                f"{share:.0%}",
            ]
        )
    return "\n\n".join(
        [
            f"Machine: {machine()}. Matrix ceiling (best product of 3072 x 3072): "
            f"fp32 {ceilings[torch.float32]:.0f}, bf16 {ceilings[torch.bfloat16]:.0f} GFLOP/s.",
            table(["net", "loop", "img/s, steady", "ratio, median (each round)", "start-up, s"], speed),
            "Where the time of ours goes, ms an image. Decode and augment are those of one worker and run beside the "
            "rest; forward, backward and step are eager, with all threads. Convolutions: their share of forward and "
            "backward, their GFLOP/s, and that as a share of the ceiling.",
            table(
                ["net", "decode", "augment", "forward", "backward", "step", "conv share", "conv GFLOP/s", "of ceiling"],
                parts,
            ),
        ]
    )


def made(folder: Path, height: int, width: int, *, count: int) -> str:
    """A folder of two classes of pictures: smooth noise as JPEG, which decodes about as photos do."""
    draws = np.random.default_rng(0)
    for index in range(count):
        place = folder / ("even", "odd")[index % 2] / f"{index:05}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        coarse = draws.integers(0, 256, (max(2, height // 8), max(2, width // 8), 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(place, quality=90)
    return str(folder)


class Pictures(Dataset[tuple[Tensor, int]]):
    """PIL images behind torchvision's transforms, as tutorials have them."""

    def __init__(self, reader: Reader, transform: Any) -> None:
        self._reader, self._transform = reader, transform

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        source = Path(self._reader.source(index))
        if source.is_file():
            with source.open("rb") as file:
                image = Image.open(file).convert("RGB")
        else:
            image = Image.fromarray(self._reader[index].image)
        return self._transform(image), self._reader.target(index)


def usual(net_name: str, data: str) -> dict[str, float]:
    """The loop that people write today."""
    from torchvision import transforms
    from torchvision.models import resnet18

    began = time.monotonic()
    kind, side_px, batch_size, steps = CASES[net_name]
    reader = open_splits(data).train
    if kind == "small":
        first: list[Any] = [transforms.RandomCrop(side_px, padding=4)]
        net = resvision.build(net_name, num_classes=len(reader.classes))
    else:
        first = [transforms.RandomResizedCrop(side_px)]
        net = resnet18(num_classes=len(reader.classes))
    transform = transforms.Compose(
        [
            *first,
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        ]
    )
    loader = DataLoader(Pictures(reader, transform), batch_size=batch_size, shuffle=True, num_workers=2, drop_last=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    marks = []
    for images, targets in endless(loader):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), targets)
        loss.backward()
        optimizer.step()
        loss.item()
        marks.append(time.monotonic())
        if len(marks) == WARM_UP + steps:
            break
    return rates(marks, batch_size, began)


def endless(loader: "DataLoader[Any]") -> Iterator[Any]:
    """One epoch after the other."""
    while True:
        yield from loader


def ours(net_name: str, data: str) -> dict[str, float]:
    """What a long `resvision train` does."""
    began = time.monotonic()
    batch_size, steps = CASES[net_name][2:]
    prepared = asked_run(net_name, data, batch_size)
    run = prepared.run
    device = machines.prepare(run.machine)
    built = assemble(prepared, device=device)
    module, optimizer = wrap(built.system, run.machine), build_optimizer(built.system.net, run.optimizer)
    marks = []
    with closing(batches(built.train, 0, WARM_UP + steps, workers=run.machine.workers or 0)) as share:
        for batch in share:
            with machines.autocast(run.machine):
                loss = sum(term.mean() for term in module(to_device(batch, device)).terms.values())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()
            marks.append(time.monotonic())
    return {**rates(marks, batch_size, began), "compiled": float(bool(run.machine.compile))}


def rates(marks: list[float], batch_size: int, began: float) -> dict[str, float]:
    """Images a second after the warm-up, and the seconds until the first step was done."""
    steady = marks[WARM_UP:]
    return {"rate": batch_size * len(steady) / (steady[-1] - marks[WARM_UP - 1]), "start": marks[0] - began}


def asked_run(net_name: str, data: str, batch_size: int) -> Prepared:
    """The Run of a net by its default recipe, but long; the set's own images at the side of the case."""
    changes = {
        "training.batch_size": batch_size,
        "training.duration": "100000 epochs",
        "data.image_size": CASES[net_name][1],
    }
    return prepare(compose(net_name, data, changes=changes))


def parts(net_name: str, data: str) -> dict[str, float]:
    """Milliseconds an image of each part of a step, and what the convolutions reach."""
    batch_size = CASES[net_name][2]
    prepared = asked_run(net_name, data, batch_size)
    run = prepared.run
    device = machines.prepare(run.machine)
    built = assemble(prepared, device=device)
    module, optimizer = LossModule(built.system.train()), build_optimizer(built.system.net, run.optimizer)
    numbers = iter(range(10**9))
    whole = best_time(lambda: built.train[next(numbers)], seconds=4)
    indices = iter(range(10**9))
    reader = built.splits.train
    decode = batch_size * best_time(lambda: reader[next(indices) % len(reader)], seconds=2)
    if run.augment.crop == "none":  # decoded once, at the start
        decode = 0.0
    batch = built.train[0]
    times: dict[str, list[float]] = {"forward": [], "backward": [], "step": []}

    def one_step() -> None:
        marks = [time.monotonic()]
        with machines.autocast(run.machine):
            loss = sum(term.mean() for term in module(batch).terms.values())
        marks.append(time.monotonic())
        loss.backward()
        marks.append(time.monotonic())
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        marks.append(time.monotonic())
        for name, start, end in zip(times, marks, marks[1:], strict=False):
            times[name].append(end - start)

    best_time(one_step, seconds=10)
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for _ in range(4):
            one_step()
    names = ("aten::mkldnn_convolution", "aten::convolution_backward", "aten::_convolution")
    spent = sum(event.self_cpu_time_total for event in watched.key_averages() if event.key in names) / 4e6
    passes = sum(sorted(times[name])[len(times[name]) // 2] for name in ("forward", "backward"))
    macs = convolution_macs(built.system.net, CASES[net_name][1])
    milliseconds = {name: 1e3 * sorted(values)[len(values) // 2] / batch_size for name, values in times.items()}
    return {
        "rate": batch_size / (passes + milliseconds["step"] * batch_size / 1e3),
        "decode": 1e3 * decode / batch_size,
        "augment": 1e3 * max(0.0, whole - decode) / batch_size,
        **milliseconds,
        "conv_share": spent / passes,
        "conv_gflops": 6 * macs * batch_size / 1e9 / spent,  # 2 flops a multiply-add; forward, and twice backward
        "bf16": float(run.machine.precision == "bf16"),
    }


def convolution_macs(net: nn.Module, side_px: int) -> int:
    """Multiply-adds of the convolutions for one image."""
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        weight = module.weight
        assert isinstance(weight, Tensor)
        total += output[0].numel() * weight[0].numel()

    handles = [module.register_forward_hook(add) for module in net.modules() if isinstance(module, nn.Conv2d)]
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        net.eval()(torch.zeros(1, first.in_channels, side_px, side_px))
    for handle in handles:
        handle.remove()
    net.train()
    return total


SIDES = {"usual": usual, "ours": ours, "parts": parts}

if __name__ == "__main__":
    main()
