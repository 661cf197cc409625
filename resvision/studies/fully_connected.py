"""Does a shortcut help dense layers too? Perceptrons with and without, after He et al. 2015, arXiv:1512.03385.

The paper says that its shortcuts apply to fully connected layers as well (section 3.2), and tests it on convolutions
alone. Here two-layer blocks of linear layers with BN stand where its blocks of convolutions do; plain and residual nets
have equal parameters.
"""

from collections.abc import Iterator

from resvision.studies.degradation import claims
from resvision.studies.design import Condition, Design

DEPTHS = (20, 56)


def _names(depth: int) -> tuple[str, str]:
    return f"plain-{depth}", f"residual-{depth}"


def _conditions() -> Iterator[Condition]:
    for depth in DEPTHS:
        for name, model in zip(_names(depth), ("plainmlp", "resmlp"), strict=True):
            yield Condition(name=name, model=model, settings={"model.options.depth": depth})


DESIGN = Design(
    name="fully-connected",
    question="Does a shortcut help dense layers too?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 3.2",
    title="Fully connected: deep perceptrons with and without shortcuts",
    lead=(
        f"Perceptrons of {DEPTHS[0]} and of {DEPTHS[1]} linear layers with normalization, plain and with an identity"
        " over every two of them. Parameters and recipe are the same; the shortcuts are all that differs."
    ),
    conditions=[*_conditions()],
    claims=[*claims([_names(depth) for depth in DEPTHS])],
    common={"model.options.width": 128, "training.duration": "20 epochs"},
    quick={"data.image_size": 16, "training.duration": "20 epochs"},
    minutes=(0.9, None),
)
