"""Option A, B or C: does it matter how a shortcut changes its shape? He et al. 2015, arXiv:1512.03385, section 4.1.

The paper compares them on a ResNet of 34 layers and ImageNet (table 3): all three are far better than the plain net, B
a little better than A, C a little better than B, and it takes the small differences as a sign that projections are not
needed. Here the net is the one for small images; A pads with zeros, B projects where the shape changes, C everywhere.
"""

from resvision.studies.design import Claim, Condition, Design, Drawing, Value
from resvision.studies.net_sizes import COUNT_COLUMNS, COUNTS, QUICK, USUAL

DEPTH = 56
PUBLISHED = {
    "none": "28.54 % (plain-34, ImageNet)",
    "A": "25.03 % (ResNet-34, ImageNet)",
    "B": "24.52 % (ResNet-34, ImageNet)",
    "C": "24.19 % (ResNet-34, ImageNet)",
}
"""Top-1 errors of ten crops, table 3 of the paper."""

DESIGN = Design(
    name="shortcuts",
    question="Option A, B or C: does it matter how a shortcut changes its shape?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.1",
    title="Shortcuts: options A, B and C",
    lead=(
        f"Nets of {DEPTH} layers whose shortcuts pad with zeros (A), project where the shape changes (B), project"
        " everywhere (C), or are missing. A has the plain net's parameters and multiply-adds; B and C pay for theirs."
    ),
    conditions=[
        Condition(
            name=name,
            model="resnet_forms",
            settings={"model.options.depth": DEPTH, "model.options.form": form},
            published=PUBLISHED[option],
        )
        for name, form, option in (
            ("plain", "none", "none"),
            ("A", "identity", "A"),
            ("B", "projection", "B"),
            ("C", "convolution", "C"),
        )
    ],
    claims=(
        Claim("option A has a lower test error than the plain net", Value("A"), Value("plain")),
        Claim("option B has a lower test error than A", Value("B"), Value("A")),
        Claim("option C has a lower test error than B", Value("C"), Value("B")),
        Claim(
            "from A to C the test error falls by less than from the plain net to A",
            Value("A", above="C"),
            Value("plain", above="A"),
        ),
        Claim("option A has a lower training loss than the plain net", Value("A", "loss"), Value("plain", "loss")),
        Claim("option C has a lower training loss than A", Value("C", "loss"), Value("A", "loss")),
    ),
    common={**USUAL, "training.duration": "20 epochs"},
    quick={**QUICK, "training.duration": "12 epochs"},
    measures=(COUNTS,),
    columns=COUNT_COLUMNS,
    plots=(Drawing("By condition", "resvision.studies.condition_drawings:tested"),),
    minutes=(2.1, None),
)
