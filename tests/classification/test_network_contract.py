"""What every net for classification in the catalog promises, at narrow width."""

import math
from functools import lru_cache

import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.catalog import ROWS

CLASSES = {"lenet5": 10}  # 5 for the others
SIZES = {"lenet5": (32, 32), "lenet5_modern": (32, 28), "alexnet_2012": (80, 67), "caffenet": (80, 67)}
VERY_DEEP = 1000


@lru_cache(maxsize=1)  # pytest runs the tests of one row after another
def narrow(name: str, size: int) -> nn.Module:
    """The net of a row, a few channels wide, for images of 2 channels."""
    torch.manual_seed(0)
    given = {"in_channels": 2, "width": 2 if depth(name) > VERY_DEEP else 4, "input_size": size}
    return catalog.build(
        name, num_classes=classes(name), **{key: given[key] for key in given if key in catalog.options(name)}
    )


def classes(name: str) -> int:
    return CLASSES.get(name, 5)


def depth(name: str) -> int:
    return catalog.find(name).options.get("depth", 0)


def sizes(name: str) -> tuple[int, int]:
    """Two image sizes that the net does not reduce to a single pixel, which a batch could not normalize.

    SIZES holds the nets that take one size only, or whose poolings need more.
    """
    if name in SIZES:
        return SIZES[name]
    return (72, 64) if catalog.find(name).input[1] > 32 else (12, 8)


def images(size: int) -> torch.Tensor:
    return torch.randn(4, 2, size, size, generator=torch.Generator().manual_seed(1))


every_row = pytest.mark.parametrize("name", [row.name for row in ROWS if row.task == "classification"], scope="module")


@every_row
def test_logits_have_one_row_an_image_at_two_sizes_in_both_modes(name: str) -> None:
    small, large = sorted(sizes(name))
    with torch.no_grad():
        for size in (small, large):
            if "input_size" in catalog.options(name) or size == small:
                net = narrow(name, size)
            logits = net.eval()(images(size))
            assert logits.shape == (4, classes(name))
            assert logits.dtype is torch.float32
        assert net.train()(images(size)).shape == (4, classes(name))


@every_row
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    size = min(sizes(name))
    net = narrow(name, size).train()
    net.zero_grad()
    every_logits = net.all_logits(images(size)) if hasattr(net, "all_logits") else (net(images(size)),)
    sum(nn.functional.cross_entropy(logits, torch.arange(4)) for logits in every_logits).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert 0 < parameter.grad.abs().max().item() < math.inf, key


@every_row
def test_the_state_round_trips(name: str) -> None:
    size = min(sizes(name))
    net = narrow(name, size).eval()
    with torch.device("meta"):
        again = narrow.__wrapped__(name, size)
    again = again.to_empty(device="cpu").eval()
    again.load_state_dict(net.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(again(images(size)), net(images(size)))
