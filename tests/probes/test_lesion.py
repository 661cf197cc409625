"""Lesions of a net: errors after deletions and swaps, draws that follow from the seed, Kendall's tau."""

from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.probes.lesion import delete_each, delete_some, kendall_tau, swap_some


class Adds(nn.Module):
    """A block whose branch adds a number to whatever comes."""

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def branch(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.amount)

    def residual_parts(self) -> tuple[object, object]:
        return self.branch, lambda x: x

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class Scales(Adds):
    """A block that multiplies what comes, so that its place matters beside one that adds."""

    def branch(self, x: Tensor) -> Tensor:
        return self.amount * x


def output(net: nn.Module) -> float:
    return float(net(torch.zeros(1, 1)))


def adding(*amounts: float) -> nn.Sequential:
    return nn.Sequential(*map(Adds, amounts))


def test_each_block_is_deleted_alone() -> None:
    found = delete_each(adding(1, 2, 4), output)
    assert found.intact == 7
    assert [(each.block, each.error) for each in found.single] == [("0", 6), ("1", 5), ("2", 3)]
    assert not any(each.enters_stage for each in found.single)


def test_blocks_are_deleted_together() -> None:
    amounts = (1, 2, 4, 8)
    found = delete_some(adding(*amounts), output, range(5), draws=6)
    assert [each.count for each in found] == [count for count in range(5) for _ in range(6)]
    for each in found:
        assert len(set(each.blocks)) == each.count
        assert each.error == 15 - sum(amounts[i] for i in each.blocks)
    assert len({each.blocks for each in found if each.count == 2}) > 1


def test_blocks_run_in_the_order_that_is_said() -> None:
    parts = [Adds(1), Scales(1), Adds(3), Scales(2)]
    for each in swap_some(nn.Sequential(*parts), output, (0, 1, 3), draws=4):
        assert each.error == output(nn.Sequential(*(parts[i] for i in each.order)))
        assert each.tau == kendall_tau(each.order)
        assert (each.tau == 1) == (each.order == (0, 1, 2, 3))
        assert each.count or each.tau == 1


def test_draws_follow_from_seed_count_and_number_alone() -> None:
    net = adding(1, 2, 4, 8, 16)
    whole = delete_some(net, output, (1, 2, 3), draws=3, seed=4)
    assert [each for each in whole if each.count == 2] == [*delete_some(net, output, (2,), draws=3, seed=4)]
    assert whole != delete_some(net, output, (1, 2, 3), draws=3, seed=5)
    swaps = swap_some(net, output, (1, 4), draws=3)
    assert swaps[3:] == swap_some(net, output, (4,), draws=3)


@pytest.mark.parametrize("name", ["resnet20", "plain20"])
def test_blocks_that_enter_a_stage_are_named(name: str) -> None:
    net, images = catalog.build(name, num_classes=10, width=4), torch.rand(2, 3, 8, 8)
    found = delete_each(net, lambda net: float(net(images).abs().sum()))
    assert [each.block for each in found.single if each.enters_stage] == ["layer2.0", "layer3.0"]
    assert len(found.single) == 9
    assert net.training


def test_swaps_stay_within_blocks_of_equal_shapes() -> None:
    net, images = catalog.build("resnet20", num_classes=10, width=4), torch.rand(2, 3, 8, 8)
    for each in swap_some(net, lambda net: float(net(images).sum()), (6,), draws=3):
        stages = [index // 3 for index in each.order]
        assert stages == sorted(stages)
        assert each.order[3] == 3
        assert each.order[6] == 6


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_tau_is_that_of_scipy(order: Sequence[int]) -> None:
    assert kendall_tau(order) == pytest.approx(kendalltau(range(4), order).statistic)


def test_counts_that_cannot_be_are_refused() -> None:
    net = adding(1, 2)
    with pytest.raises(SettingsError, match="2 at most"):
        delete_some(net, output, (3,))
    with pytest.raises(SettingsError, match="0 or more"):
        swap_some(net, output, (-1,))
    with pytest.raises(SettingsError, match="at least one"):
        delete_some(net, output, (1,), draws=0)
    with pytest.raises(SettingsError, match="equal shapes"):
        swap_some(adding(1), output, (1,))
