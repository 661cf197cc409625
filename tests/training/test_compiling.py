"""Graphs of many trainings in one process: the last is compiled like the first, and a sample makes none anew."""

from collections.abc import Mapping

import torch
from torch import nn

from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images
from resvision.probes.gradients import GradientSampler
from resvision.training.compiling import COMPILED
from resvision.training.gradients import LossModule


class Scaled(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.by * values


def test_the_tenth_of_ten_modules_of_one_class_is_compiled_too() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def counted(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return graph.forward

    modules = [Scaled(by) for by in range(10)]
    for module in modules:
        module.compile(**COMPILED, backend=counted)
        assert torch.equal(module(torch.ones(2)), torch.full((2,), float(module.by)))
    assert len(graphs) == len(modules)


def test_a_sample_of_the_gradient_leaves_a_compiled_step_as_it_is() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def counted(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return graph.forward

    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    system = Classifier(net, mean=(0.5,), std=(0.25,))
    batch = Batch(Images(torch.zeros(4, 1, 4, 4, dtype=torch.uint8)), torch.arange(4) % 3, torch.arange(4))
    norms: dict[int, Mapping[str, float]] = {}
    module, sampler = LossModule(system.train()), GradientSampler(system, every=1, write=norms.__setitem__)
    module.compile(**COMPILED, backend=counted)
    compiled = []
    for step in range(2):
        module(batch).terms["cross_entropy"].mean().backward()
        sampler(step, batch)
        compiled.append(len(graphs))
    assert compiled[0] == compiled[1] > 0
    assert [*norms] == [1, 2]
    assert [*norms[1]] == ["0", "3"]
