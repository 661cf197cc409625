"""However a batch is cut, into parts or among processes, its gradient is that of the whole batch, in float64."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from resvision.classification.auxiliary import AuxiliaryClassifier, AuxiliaryLoss
from resvision.classification.classifier import Classifier, ClassifierLoss
from resvision.classification.lenet import LeNetClassifier
from resvision.contracts import Batch, Images, MixedTargets, System, WeightedMasks, split
from resvision.core.images import VOID
from resvision.geometry.tiles import InputRule
from resvision.segmentation.segmenter import Segmenter, SegmenterLoss
from resvision.training.gradients import backward, wrap
from resvision.training.machine import Machine

FP32 = Machine(device="cpu", precision="fp32")
IMAGES, SIDE, CLASSES = 40, 6, 3
PARTS = (1, 2, 4, 5)


class Sided(nn.Module):
    """Logits of two linear layers over the same pixels, the second of which is a side head."""

    auxiliary = ("side",)

    def __init__(self) -> None:
        super().__init__()
        self.main, self.side = (nn.Linear(SIDE * SIDE, CLASSES) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        return self.all_logits(images)[0]

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.main(images.flatten(1)), self.side(images.flatten(1))


class Mapped(nn.Module):
    """Logits of 3x3 convolutions for every pixel but the outermost `border_px`, and those of a side head."""

    auxiliary = ("side",)

    def __init__(self, border_px: int = 0) -> None:
        super().__init__()
        self.main, self.side = (nn.Conv2d(1, CLASSES, 3, padding=1 - border_px) for _ in range(2))
        self.input_rule = InputRule(border_px=border_px)

    def forward(self, images: Tensor) -> Tensor:
        return self.all_logits(images)[0]

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.main(images), self.side(images)


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES))


def batch(targets: Callable[[torch.Generator], Any]) -> Batch:
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (IMAGES, 1, SIDE, SIDE), dtype=torch.uint8, generator=draw)
    return Batch(Images(pixels), targets(draw), torch.arange(IMAGES))


def rare_first(draw: torch.Generator) -> Tensor:
    """Class indices in order, so that parts differ in their classes and in the weights of these."""
    return torch.randint(0, CLASSES, (IMAGES,), generator=draw).sort().values


def mixed(draw: torch.Generator) -> MixedTargets:
    return MixedTargets(rare_first(draw), rare_first(draw).flip(0), torch.rand(IMAGES, generator=draw))


def void_uneven(draw: torch.Generator) -> Tensor:
    """Labels of which the first images are void throughout, the next by half, the others not at all."""
    labels = torch.randint(0, CLASSES, (IMAGES, SIDE, SIDE), generator=draw)
    labels[:11] = VOID
    labels[11:20, 2:] = VOID
    return labels


def bordered(draw: torch.Generator) -> WeightedMasks:
    labels = void_uneven(draw)
    return WeightedMasks(labels, 1 + 10 * torch.rand(labels.shape, generator=draw))


class Case(NamedTuple):
    system: type[System]
    net: Callable[[], nn.Module]
    options: Any
    targets: Callable[[torch.Generator], Any]


CASES = {
    "plain": Case(Classifier, linear, None, rare_first),
    "class-weights": Case(Classifier, linear, ClassifierLoss(label_smoothing=0.1, class_weights="0.2,1,7"), rare_first),
    "mixed": Case(Classifier, linear, None, mixed),
    "mixed-weights": Case(Classifier, linear, ClassifierLoss(label_smoothing=0.1, class_weights="0.2,1,7"), mixed),
    "side-heads": Case(AuxiliaryClassifier, Sided, AuxiliaryLoss(class_weights="0.2,1,7"), mixed),
    "lenet": Case(LeNetClassifier, linear, None, rare_first),
    "void-uneven": Case(Segmenter, Mapped, None, void_uneven),
    "pixel-weights": Case(Segmenter, Mapped, SegmenterLoss(label_smoothing=0.1, class_weights="0.2,1,7"), void_uneven),
    "borders": Case(Segmenter, Mapped, SegmenterLoss(border_weight=10.0), bordered),
    "valid": Case(Segmenter, lambda: Mapped(border_px=1), SegmenterLoss(class_weights="0.2,1,7"), bordered),
    "dice": Case(Segmenter, Mapped, SegmenterLoss(dice_weight=0.5), void_uneven),
    "ohem": Case(Segmenter, Mapped, SegmenterLoss(ohem=0.3, class_weights="0.2,1,7"), void_uneven),
}


class Step(NamedTuple):
    gradient: Tensor
    values: dict[str, float]


def built(case: Case) -> System:
    torch.manual_seed(0)
    made: System = case.system(case.net(), mean=[0.5], std=[0.25], options=case.options)
    return made.double()


def step(case: Case, given: Batch, *, parts: int) -> Step:
    """What one backward pass leaves, in this process, for its share of a batch."""
    system = built(case)
    values = backward(wrap(system, FP32), given, system=system, machine=FP32, accumulate=parts)
    return Step(torch.cat([weight.grad.flatten() for weight in system.net.parameters()]), values)


def alone(name: str, *, parts: int = 1) -> Step:
    return step(CASES[name], batch(CASES[name].targets), parts=parts)


def as_one_of_two(rank: int, meeting: Path) -> None:
    """Writes the steps of all cases on half of the images, as this process has them."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    found = {}
    for name, case in CASES.items():
        share = split(batch(case.targets), 2)[rank]
        for parts in PARTS:
            gradient, values = step(case, share, parts=parts)
            found |= {f"{name} {parts}": gradient.numpy(), f"{name} {parts} values": np.array([*values.values()])}
    np.savez(meeting.with_name(f"{rank}.npz"), **found)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, np.ndarray]]:
    """What each of two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    places = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    calls = [f"test_loss_sums.as_one_of_two({rank}, Path({str(folder / 'meeting')!r}))" for rank in (0, 1)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"import test_loss_sums; from pathlib import Path; {call}"],
            env=os.environ | {"PYTHONPATH": places},
        )
        for call in calls
    ]
    assert [process.wait(240) for process in processes] == [0, 0]
    return [dict(np.load(folder / f"{rank}.npz")) for rank in (0, 1)]


def difference(found: Any, expected: Tensor) -> float:
    """Largest difference in units of the largest number that is expected."""
    return float((torch.as_tensor(found) - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", CASES)
def test_parts_give_the_gradient_and_the_values_of_the_whole_batch(name: str) -> None:
    whole = alone(name)
    for parts in PARTS[1:]:
        cut = alone(name, parts=parts)
        assert difference(cut.gradient, whole.gradient) < 1e-10
        assert cut.values.pop("error") == pytest.approx(whole.values["error"])  # counted in float32
        assert cut.values == pytest.approx({key: whole.values[key] for key in cut.values}, rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_have_the_gradient_and_the_values_of_the_whole_batch(
    name: str, two_processes: list[dict[str, np.ndarray]]
) -> None:
    whole = alone(name)
    for found in two_processes:
        for parts in PARTS:
            assert difference(found[f"{name} {parts}"], whole.gradient) < 1e-10
            *values, error = found[f"{name} {parts} values"]
            *expected, expected_error = whole.values.values()
            assert values == pytest.approx(expected, rel=1e-10)
            assert error == pytest.approx(expected_error)


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("options", [None, SegmenterLoss(ohem=0.3), SegmenterLoss(class_weights="0.2,1,7")])
def test_a_batch_of_void_has_a_loss_of_0_and_no_gradient(options: SegmenterLoss | None, parts: int) -> None:
    void = Case(Segmenter, Mapped, options, lambda draw: torch.full_like(void_uneven(draw), VOID))
    gradient, values = step(void, batch(void.targets), parts=parts)
    assert not gradient.any()
    assert set(values.values()) == {0.0}


@pytest.mark.parametrize("name", CASES)
def test_weights_from_targets_alone_are_those_of_the_losses(name: str) -> None:
    system, given = built(CASES[name]), batch(CASES[name].targets)
    terms, weights = system.losses(given).terms, system.weights(given)
    assert weights.keys() == {*terms}
    for term in weights:
        torch.testing.assert_close(weights[term], terms[term].weight, rtol=1e-12, atol=0)
