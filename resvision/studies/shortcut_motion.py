"""Do shortcuts help a net to forecast vehicles, and do they help it to keep the past?

The notes of the house say that skip connections pass past positions on quickly and keep the past frames. If so, a net
with shortcuts gains more from a drawn past than one without. A motion regression, which knows nothing but its raster
(Houston et al. 2020, arXiv:2006.14480), stands on `plain18` and on `resnet18_a`, which has the same layers and
parameters, and shortcuts besides (He et al. 2015, arXiv:1512.03385, option A); each is shown the past, or the
present alone.
"""

from resvision.studies.design import Claim, Condition, Design, Value

PLAIN, QUICK_PLAIN = {"model.options.backbone": "plain18"}, {"model.options.backbone": "plain20"}
RESIDUAL, QUICK_RESIDUAL = {"model.options.backbone": "resnet18_a"}, {"model.options.backbone": "resnet20"}
NOTHING_DRAWN = {"data.drawn_seconds": 0.0}

PLAIN_PAST, RESIDUAL_PAST, PLAIN_PRESENT, RESIDUAL_PRESENT = (
    "plain-past",
    "residual-past",
    "plain-present",
    "residual-present",
)

DESIGN = Design(
    name="shortcut-motion",
    question="Do shortcuts help a net to forecast vehicles, and do they keep the past?",
    paper="Houston et al. 2020, https://arxiv.org/abs/2006.14480; He et al. 2015, https://arxiv.org/abs/1512.03385",
    data="traffic-simulated",
    title="Shortcuts: plain and residual nets that forecast vehicles",
    lead=(
        "plain18 and resnet18_a have the same layers, parameters and recipe; the shortcuts are all that differs. Each"
        " is shown two seconds of the past, or the present alone: shortcuts that keep the past would gain more by it."
    ),
    conditions=(
        Condition(name=PLAIN_PAST, model="motion_regression", settings=PLAIN, quick=QUICK_PLAIN),
        Condition(name=RESIDUAL_PAST, model="motion_regression", settings=RESIDUAL, quick=QUICK_RESIDUAL),
        Condition(name=PLAIN_PRESENT, model="motion_regression", settings=PLAIN | NOTHING_DRAWN, quick=QUICK_PLAIN),
        Condition(
            name=RESIDUAL_PRESENT, model="motion_regression", settings=RESIDUAL | NOTHING_DRAWN, quick=QUICK_RESIDUAL
        ),
    ),
    claims=(
        Claim("shortcuts lower the FDE of a net that sees the past", Value(RESIDUAL_PAST), Value(PLAIN_PAST)),
        Claim(
            "shortcuts lower the training loss of a net that sees the past",
            Value(RESIDUAL_PAST, "loss"),
            Value(PLAIN_PAST, "loss"),
        ),
        Claim("shortcuts lower the FDE of a net that sees no past", Value(RESIDUAL_PRESENT), Value(PLAIN_PRESENT)),
        Claim(
            "a drawn past lowers the FDE by more with shortcuts than without",
            Value(PLAIN_PRESENT, above=PLAIN_PAST),
            Value(RESIDUAL_PRESENT, above=RESIDUAL_PAST),
        ),
        Claim("a drawn past lowers the FDE of the plain net", Value(PLAIN_PAST), Value(PLAIN_PRESENT)),
        Claim("a drawn past lowers the FDE of the residual net", Value(RESIDUAL_PAST), Value(RESIDUAL_PRESENT)),
    ),
    common={
        "data.image_size": 96,
        "model.options.width": 24,
        "model.options.reference": "agent",
        "training.duration": "15 epochs",
    },
    quick={
        "data.image_size": 32,
        "data.start_seconds": 5.0,
        "model.options.width": 4,
        "training.duration": "1 epochs",
        "training.batch_size": 32,
    },
    minutes=(1.6, None),
)
