"""Is the identity needed? The shortcuts of He et al. 2016, arXiv:1603.05027, section 3 and table 1.

In nets of one depth the shortcut is scaled, gated, convolved or dropped. The paper reports that each of these trains
worse than the identity, although gates and convolutions could become the identity: the trouble is in training, not in
what a net can represent. Where a paper's net failed, its error was above 20 %.
"""

from resvision.studies.design import Claim, Condition, Design, Drawing, Value
from resvision.studies.net_sizes import COUNT_COLUMNS, COUNTS, QUICK, USUAL

IDENTITY, PLAIN = "identity", "no-shortcut"
EXCLUSIVE, EXCLUSIVE_OPEN = "exclusive-gate", "exclusive-gate-bias-0"
GATED, GATED_OPEN = "shortcut-gate", "shortcut-gate-bias-0"

FORMS = {
    IDENTITY: ("identity", -6.0, "6.61 %"),
    "half-shortcut": ("half-shortcut", -6.0, "over 20 %"),
    "half-both": ("half-both", -6.0, "12.35 %"),
    EXCLUSIVE: ("exclusive-gate", -6.0, "8.70 %"),
    EXCLUSIVE_OPEN: ("exclusive-gate", 0.0, "over 20 %"),
    GATED: ("shortcut-gate", -6.0, "6.91 %"),
    GATED_OPEN: ("shortcut-gate", 0.0, "12.86 %"),
    "convolution": ("convolution", -6.0, "12.22 %"),
    "dropout": ("dropout", -6.0, "over 20 %"),
    PLAIN: ("none", -6.0, "over 20 %"),
}
"""Form, bias of the gates where there are any, and the paper's test error of ResNet-110 on CIFAR-10, by condition."""

DESIGN = Design(
    name="shortcut-forms",
    question="Is the identity needed, or does a scaled, gated, convolved or dropped shortcut do as well?",
    paper="He et al. 2016, Identity Mappings, https://arxiv.org/abs/1603.05027, section 3",
    title="Forms of the shortcut",
    lead=(
        "Nets of one depth and recipe, whose shortcuts are the identity, scaled by a half, gated, 1x1 convolutions, or"
        " zeroed by halves in training. A gate with a first bias of -6 starts near the identity, with 0 it halves."
    ),
    conditions=[
        Condition(
            name=name,
            model="resnet_forms",
            settings={"model.options.form": form, "model.options.gate_bias": bias},
            published=f"{error} (ResNet-110, CIFAR-10)",
        )
        for name, (form, bias, error) in FORMS.items()
    ],
    claims=(
        *(
            Claim(f"the identity has a lower test error than {name}", Value(IDENTITY), Value(name))
            for name in FORMS
            if name != IDENTITY
        ),
        Claim("a gated shortcut does better from near the identity on", Value(GATED), Value(GATED_OPEN)),
        Claim("exclusive gates do better from near the identity on", Value(EXCLUSIVE), Value(EXCLUSIVE_OPEN)),
        Claim(
            "the identity has a lower training loss than the convolution, which could become it",
            Value(IDENTITY, "loss"),
            Value("convolution", "loss"),
        ),
    ),
    common={**USUAL, "model.options.depth": 56, "training.duration": "20 epochs"},
    quick={**QUICK, "model.options.depth": 32, "training.duration": "8 epochs"},
    measures=(COUNTS,),
    columns=COUNT_COLUMNS,
    plots=(Drawing("By condition", "resvision.studies.condition_drawings:tested"),),
    minutes=(3.0, None),
)
