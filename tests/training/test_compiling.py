"""Graphs of many trainings in one process: the last is compiled like the first."""

import torch
from torch import nn

from resvision.training.compiling import COMPILED


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
