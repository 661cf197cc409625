"""The watch that says where a detector spends the time of an image."""

import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.contracts import Images
from resvision.core.views import Whole
from resvision.detection import stage_times as module
from resvision.detection.ssd import SSDDetector
from resvision.detection.stage_times import image_times, search_seconds, searches, stage_times
from resvision.tasks import Seen
from resvision.training.machine import Machine

MACHINE = Machine(precision="fp32", device="cpu")
SLOW_S = 0.05


class Slow(nn.Module):
    """A layer that takes its time."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        time.sleep(SLOW_S)
        return self.layer(x)


def system() -> SSDDetector:
    net = catalog.build("ssd", num_classes=2, backbone="resnet18", width=4, channels=8, input_size=64)
    return SSDDetector(net, mean=(0.3,) * 3, std=(0.25,) * 3).train()


def seen() -> Seen:
    """An image as a reader of arrays gives it, in memory that nobody may write to."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    image.flags.writeable = False
    view = Whole(channels=3, mean=(0.3,) * 3, std=(0.25,) * 3)
    return Seen(*view.show(image, name="x"), "x", image)


@pytest.mark.parametrize(
    ("part", "stage"), [("head.regression_head.module_list.0", "heads"), ("backbone.body.conv1", "maps")]
)
def test_a_slow_layer_is_found_in_its_stage(part: str, stage: str) -> None:
    detector = system()
    usual = image_times(detector, seen(), MACHINE).seconds
    detector.net.set_submodule(part, Slow(detector.net.get_submodule(part)))
    slow = image_times(detector, seen(), MACHINE).seconds
    assert [*usual] == [*slow] == ["maps", "heads", "suppression"]
    assert slow[stage] >= SLOW_S
    assert max(slow, key=lambda name: slow[name] - usual[name]) == stage


def test_a_detector_is_left_as_it_was() -> None:
    detector, images = system(), Images(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    state = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    stage_times(detector, images, MACHINE)
    assert detector.training
    assert not any(part._forward_pre_hooks for part in detector.net.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in detector.state_dict().items())


def test_a_search_is_timed_in_the_stored_image_whatever_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[tuple[int, ...]] = []

    def slow_search(image: np.ndarray) -> None:
        searched.append(image.shape)
        time.sleep(SLOW_S)

    monkeypatch.setattr(module, "selective_search", slow_search)
    assert search_seconds(seen()) >= SLOW_S
    assert searched == [(64, 64, 3)]
    assert not searches(system())
