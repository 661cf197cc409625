import torch
from torch import nn

from resvision.layers.on_cpu.branches import expand_as, run_last_first


def test_branches_run_from_the_last_to_the_first_and_their_results_keep_the_order() -> None:
    calls = []
    branches = nn.ModuleList([nn.Identity(), nn.ReLU(), nn.Tanh()])
    for branch in branches:
        branch.register_forward_hook(lambda module, inputs, output: calls.append(type(module)))
    x = torch.tensor([-1.0, 1.0])
    results = run_last_first(branches, x)
    assert calls == [nn.Tanh, nn.ReLU, nn.Identity]
    for result, expected in zip(results, (x, x.relu(), x.tanh()), strict=True):
        assert torch.equal(result, expected)


def test_means_take_the_layout_of_the_map_over_which_they_are_spread() -> None:
    means = torch.randn(2, 3, 1, 1)
    for layout in (torch.contiguous_format, torch.channels_last):
        spread = expand_as(means, torch.empty(2, 5, 4, 6).contiguous(memory_format=layout))
        assert spread.shape == (2, 3, 4, 6)
        assert spread.is_contiguous(memory_format=layout)
        assert torch.equal(spread[:, :, 2, 3], means.flatten(1))
