"""Where does the activation belong? The five orders of He et al. 2016, arXiv:1603.05027, section 4 and table 2.

Nets of equal layers and parameters at two depths; only the places of BN and ReLU differ. The paper's claims: BN after
the addition (b) and ReLU before it (c) do worse than the original (a), ReLU alone before the weights (d) does about as
well, full pre-activation (e) does best, and its gain grows with depth.
"""

from resvision.studies.design import Claim, Condition, Design, Drawing, Value
from resvision.studies.net_sizes import QUICK, USUAL

SHALLOW, DEEP = 20, 56

PUBLISHED = {
    "a": ("6.61 %", "5.93 %"),
    "b": ("8.17 %", "6.50 %"),
    "c": ("7.84 %", "6.14 %"),
    "d": ("6.71 %", "5.91 %"),
    "e": ("6.37 %", "5.46 %"),
}
"""Test errors on CIFAR-10 by the paper's letters, medians of five runs: of ResNet-110 and of ResNet-164."""

PAPERS_NETS = {SHALLOW: "ResNet-110", DEEP: "ResNet-164"}


def _name(letter: str, depth: int) -> str:
    return f"{letter}-{depth}"


def _claims(depth: int) -> tuple[Claim, ...]:
    """The claims about the nets of one depth."""
    a, b, c, d, e = (_name(letter, depth) for letter in PUBLISHED)
    return (
        Claim(f"at {depth} layers full pre-activation (e) has a lower error than the original (a)", Value(e), Value(a)),
        Claim(f"at {depth} layers BN after the addition (b) has a higher error than (a)", Value(a), Value(b)),
        Claim(f"at {depth} layers ReLU before the addition (c) has a higher error than (a)", Value(a), Value(c)),
        Claim(f"at {depth} layers full pre-activation (e) has a lower error than ReLU alone (d)", Value(e), Value(d)),
        Claim(f"at {depth} layers (e) has a lower training loss than (a)", Value(e, "loss"), Value(a, "loss")),
    )


DESIGN = Design(
    name="placement",
    question="Where does the activation belong: before the weights, after them, or after the addition?",
    paper="He et al. 2016, Identity Mappings, https://arxiv.org/abs/1603.05027, section 4",
    title="Placement: five orders of weights, normalization and activation",
    lead=(
        f"Nets of {SHALLOW} and of {DEEP} layers with equal parameters: (a) as in 2015, (b) BN after the addition, (c)"
        " ReLU before the addition, (d) ReLU before the weights, (e) BN and ReLU before the weights. The published"
        " errors are of deeper nets, the first of 110 layers, the second of 164."
    ),
    conditions=[
        Condition(
            name=_name(letter, depth),
            model=f"preresnet{depth}",
            settings={"model.options.placement": letter},
            published=f"{errors[depth == DEEP]} ({PAPERS_NETS[depth]}, CIFAR-10)",
        )
        for depth in (SHALLOW, DEEP)
        for letter, errors in PUBLISHED.items()
    ],
    claims=(
        *_claims(SHALLOW),
        *_claims(DEEP),
        Claim(
            "the gain of full pre-activation grows with depth",
            Value(_name("a", SHALLOW), above=_name("e", SHALLOW)),
            Value(_name("a", DEEP), above=_name("e", DEEP)),
        ),
    ),
    common={**USUAL, "training.duration": "20 epochs"},
    quick={**QUICK, "training.duration": "6 epochs"},
    plots=(Drawing("By condition", "resvision.studies.condition_drawings:tested"),),
    minutes=(2.7, None),
)
