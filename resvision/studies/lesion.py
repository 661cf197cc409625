"""What if blocks are removed, or swapped, after training? Veit, Wilber, Belongie 2016, arXiv:1605.06431, section 4.

Pre-activation nets of 20 layers with shortcuts and without, of equal parameters and recipe, and a residual one of 56
lose blocks on the test images; nothing is trained again. The paper's plain net is one of the VGG kind, and its residual
ones have 54 blocks (CIFAR-10) and 200 layers (ImageNet).
"""

from resvision.studies.design import Claim, Column, Condition, Design, Lines, Measure, Value
from resvision.studies.net_sizes import QUICK

PLAIN, RESIDUAL, DEEP = "plain20", "residual20", "residual56"

DESIGN = Design(
    name="lesion",
    question="What if blocks are removed, or swapped, after training?",
    paper="Veit, Wilber, Belongie 2016, Residual Networks Behave Like Ensembles, https://arxiv.org/abs/1605.06431",
    title="Lesions: blocks deleted and swapped after training",
    lead=(
        "A deleted block leaves its shortcut alone; in the plain net it leaves its input, with pixels skipped and zero"
        " channels added where the shape changes. The blocks that enter a stage lie a third and two thirds of the way"
        " through the net. Weights and statistics stay as they were trained."
    ),
    conditions=(
        Condition(name=PLAIN, model="preresnet20", settings={"model.options.shortcut": "none"}),
        Condition(name=RESIDUAL, model="preresnet20", settings={"model.options.shortcut": "A"}),
        Condition(name=DEEP, model="preresnet56", settings={"model.options.shortcut": "A"}),
    ),
    claims=(
        Claim(
            f"one block less raises the error of {RESIDUAL} by less than that of {PLAIN}",
            Value(RESIDUAL, "lesion.rise"),
            Value(PLAIN, "lesion.rise"),
        ),
        # A net that errs much already has little left to lose, so that the rise alone would favour one trained badly.
        Claim(
            f"one block less takes {RESIDUAL} a smaller part of the way to chance than {PLAIN}",
            Value(RESIDUAL, "lesion.to_chance"),
            Value(PLAIN, "lesion.to_chance"),
        ),
        Claim(
            f"one block less takes {PLAIN} more than half of the way to chance", 0.5, Value(PLAIN, "lesion.to_chance")
        ),
        Claim(
            f"one block less takes {RESIDUAL} less than half of the way to chance",
            Value(RESIDUAL, "lesion.to_chance"),
            0.5,
        ),
        Claim(
            f"one block less raises the error of {DEEP} by less than that of {RESIDUAL}",
            Value(DEEP, "lesion.rise"),
            Value(RESIDUAL, "lesion.rise"),
        ),
        *(
            Claim(
                f"blocks of {name} that enter a stage are missed more than others",
                Value(name, "lesion.within"),
                Value(name, "lesion.entering"),
            )
            for name in (RESIDUAL, DEEP)
        ),
        Claim(
            f"the error of {DEEP} grows with the number of blocks deleted",
            Value(DEEP, "lesion.few"),
            Value(DEEP, "lesion.many"),
        ),
        Claim(
            f"the error of {DEEP} grows with the number of swaps",
            Value(DEEP, "lesion.swapped_few"),
            Value(DEEP, "lesion.swapped_many"),
        ),
    ),
    measures=(
        Measure(
            name="lesion",
            function="resvision.studies.measures_blocks:lesions_of",
            options={
                "images": 1000,
                "deletions": [1, 2, 3, 4, 6, 8, 10, 13],
                "swaps": [1, 2, 4, 6, 9, 12, 16, 20],
                "draws": 8,
            },
            quick={"images": 300, "deletions": [1, 2, 4, 8, 13], "swaps": [1, 2, 4, 8, 16], "draws": 4},
        ),
    ),
    columns=(
        Column("lesion.one", "error without one block", "share"),
        Column("lesion.entering", "rise, entering a stage", "share"),
        Column("lesion.within", "rise, other blocks", "share"),
        Column("lesion.many", "error without most blocks", "share"),
        Column("lesion.swapped_many", "error after most swaps", "share"),
    ),
    shares=frozenset({"lesion.rise", "lesion.to_chance", "lesion.few", "lesion.swapped_few"}),
    plots=(
        Lines("One block deleted", "lesion.place", "lesion.error", "place of the block in the net", "test error"),
        Lines("Blocks deleted at random", "lesion.count", "lesion.removed", "blocks deleted", "test error"),
        Lines("Blocks swapped at random", "lesion.swaps", "lesion.swapped", "swaps", "test error"),
        Lines("Order of blocks", "lesion.tau", "lesion.shuffled", "Kendall's tau", "test error", style="points"),
    ),
    quick={**QUICK, "training.duration": "12 epochs"},
    minutes=(1.3, None),
)
