"""Does a forecast of vehicles need their past, and does it matter how the past enters?

The notes of the house say that a residual net keeps past frames; the fact is that history enters as drawn boxes and as
a state of three numbers (Cui et al. 2019, arXiv:1809.10732). MTP over one backbone sees both, either, or neither;
windows, futures and recipe are the same, and positions are said from where the agent stands, so that no reference
brings the past in by another door. Each claim is held against pairs of equal seeds.
"""

from resvision.studies.design import Claim, Condition, Design, Value

NOTHING_DRAWN = {"data.drawn_seconds": 0.0}
STATE, NO_STATE = {"model.options.told": "state"}, {"model.options.told": "nothing"}

BOTH, DRAWN, TOLD, NEITHER = "drawn-and-told", "drawn", "told", "neither"

DESIGN = Design(
    name="history",
    question="Does a forecast of vehicles need their past, and does it matter how the past enters?",
    paper="Cui et al. 2019, Multimodal Trajectory Predictions, https://arxiv.org/abs/1809.10732",
    data="traffic-simulated",
    title="History: forecasts with and without the past",
    lead=(
        "All nets see the lanes and where every vehicle is now. Some see where all were before, drawn; some are told"
        " speed, acceleration and yaw rate of their own vehicle; some both, some neither. Windows, net and recipe are"
        " the same."
    ),
    conditions=(
        Condition(name=BOTH, model="mtp", settings=STATE),
        Condition(name=DRAWN, model="mtp", settings=NO_STATE),
        Condition(name=TOLD, model="mtp", settings=NOTHING_DRAWN | STATE),
        Condition(name=NEITHER, model="mtp", settings=NOTHING_DRAWN | NO_STATE),
    ),
    claims=(
        Claim("a drawn past lowers the FDE of a net that is told nothing", Value(DRAWN), Value(NEITHER)),
        Claim("the state lowers the FDE of a net that sees no past", Value(TOLD), Value(NEITHER)),
        Claim("a drawn past lowers the FDE of a net that is told the state", Value(BOTH), Value(TOLD)),
        Claim("the state lowers the FDE of a net that sees the past", Value(BOTH), Value(DRAWN)),
        Claim("the state alone gives a lower FDE than the drawn past alone", Value(TOLD), Value(DRAWN)),
    ),
    common={
        "data.image_size": 96,
        "model.options.backbone": "resnet18",
        "model.options.width": 24,
        "model.options.hidden": 512,
        "model.options.reference": "agent",
        "training.duration": "15 epochs",
    },
    quick={
        "data.image_size": 32,
        "data.start_seconds": 5.0,
        "model.options.backbone": "resnet20",
        "model.options.width": 4,
        "model.options.hidden": 16,
        "training.duration": "1 epochs",
        "training.batch_size": 32,
    },
    minutes=(1.7, None),
)
