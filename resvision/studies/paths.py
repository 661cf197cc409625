"""How long are the paths that matter? Veit, Wilber, Belongie 2016, arXiv:1605.06431, sections 3 and 4.3.

A net of n residual blocks is a sum over 2^n paths. In two trained pre-activation nets gradients go back along random
paths of each length, times the number of such paths. The paper finds nearly all gradient of 54 blocks in the lengths 5
to 17, which are 0.45 % of all paths.
"""

from resvision.studies.design import Claim, Column, Condition, Design, Lines, Measure, Value
from resvision.studies.net_sizes import QUICK

SHALLOW, DEEP = "residual20", "residual56"

DESIGN = Design(
    name="paths",
    question="How long are the paths that matter?",
    paper="Veit, Wilber, Belongie 2016, Residual Networks Behave Like Ensembles, https://arxiv.org/abs/1605.06431",
    title="Paths: how the gradient comes back through a residual net",
    lead=(
        "A path takes the branch or the shortcut at every block; its length is the number of branches. The gradient is"
        " that of the loss with regard to a training image, along one path alone. Most paths go through about half of"
        " the branches: look whether the gradient does, too. Effective are the fewest neighbouring lengths that hold"
        " 95 % of it."
    ),
    conditions=(
        Condition(name=SHALLOW, model="preresnet20", settings={"model.options.shortcut": "A"}),
        Condition(
            name=DEEP,
            model="preresnet56",
            settings={"model.options.shortcut": "A"},
            published="0.45 % of paths effective (54 blocks, CIFAR-10)",
        ),
    ),
    claims=(
        *(
            Claim(f"the gradient of {name} falls with the length of the path", Value(name, "paths.decades"), 0.0)
            for name in (SHALLOW, DEEP)
        ),
        *(
            Claim(
                f"by gradient the paths of {name} are shorter than by number, in the mean",
                Value(name, "paths.relative"),
                1.0,
            )
            for name in (SHALLOW, DEEP)
        ),
        Claim(f"fewer than half of the paths of {DEEP} are effective", Value(DEEP, "paths.effective"), 0.5),
        Claim(
            f"a smaller share of paths is effective in {DEEP} than in {SHALLOW}",
            Value(DEEP, "paths.effective"),
            Value(SHALLOW, "paths.effective"),
        ),
    ),
    measures=(
        Measure(
            name="paths",
            function="resvision.studies.measures_blocks:paths_of",
            options={"images": 64, "draws": 40},
            quick={"images": 32, "draws": 16},
        ),
    ),
    columns=(
        Column("paths.decades", "powers of ten a block"),
        Column("paths.mean", "mean length by gradient"),
        Column("paths.first", "effective from", "count"),
        Column("paths.last", "to", "count"),
        Column("paths.effective", "effective paths", "share"),
    ),
    plots=(
        Lines("Paths by length", "paths.length", "paths.paths", "length of the path", "share of all paths"),
        Lines(
            "Gradient along a path", "paths.length", "paths.norm", "length of the path", "norm at the image", log="y"
        ),
        Lines("Gradient by length", "paths.length", "paths.gradient", "length of the path", "share of the gradient"),
    ),
    quick={**QUICK, "training.duration": "12 epochs"},
    minutes=(1.1, None),
)
