"""What do the layers of plain and residual nets represent? Kornblith et al. 2019, arXiv:1905.00414.

A plain and a residual net of equal layers and parameters train under one recipe, and the representations of their
layers are compared by linear CKA over test images. Claims, each held against the seeds:

1. in each net, neighbouring layers are more alike than layers half of the net apart;
2. the same layer of two seeds is more alike than layers far apart (section 6.1: CKA finds the layer that corresponds);
3. a shortcut keeps what came in: neighbouring layers of the residual net are more alike than those of the plain one.
"""

from resvision.studies.design import Claim, Column, Condition, Design, Drawing, Measure, Value
from resvision.studies.net_sizes import QUICK

PLAIN, RESIDUAL = "plain20", "resnet20"

DESIGN = Design(
    name="representations",
    question="What do the layers learn: which are alike, within a net, between seeds, and between plain and residual?",
    paper=(
        "Kornblith et al. 2019, Similarity of Neural Network Representations Revisited, https://arxiv.org/abs/1905.00414"
    ),
    title="Representations: layers side by side",
    lead=(
        "Linear CKA is 1 where two layers represent images alike up to rotation and scale, and 0 where they share"
        " nothing. The diagonal of a table compares a layer with the one at its place; look at how fast it fades away"
        " from there, and whether two seeds of a net, or the plain and the residual net, share it. A seed is compared"
        " with the next one, the last with the first, so that every net stands in two of these pairs."
    ),
    conditions=(Condition(name=PLAIN, model=PLAIN), Condition(name=RESIDUAL, model=RESIDUAL)),
    claims=(
        *(
            Claim(
                f"neighbouring layers of {net} are more alike than far ones",
                Value(net, "cka.far"),
                Value(net, "cka.near"),
            )
            for net in (PLAIN, RESIDUAL)
        ),
        *(
            Claim(
                f"the same layer of two seeds of {net} is more alike than far layers",
                Value(net, "cka.seeds_far"),
                Value(net, "cka.seeds_same"),
            )
            for net in (PLAIN, RESIDUAL)
        ),
        Claim(
            f"neighbouring layers of {RESIDUAL} are more alike than those of {PLAIN}",
            Value(PLAIN, "cka.near"),
            Value(RESIDUAL, "cka.near"),
        ),
        Claim(
            f"the same layer of two seeds of {RESIDUAL} is more alike than that of {RESIDUAL} and {PLAIN}",
            Value(RESIDUAL, "cka.nets_same"),
            Value(RESIDUAL, "cka.seeds_same"),
        ),
    ),
    quick={**QUICK, "training.duration": "12 epochs"},
    measures=(
        Measure(
            name="cka",
            function="resvision.studies.measures_representations:likeness",
            options={"images": 1024},
            quick={"images": 256},
            joint=True,
        ),
        Measure(name="seen", function="resvision.studies.measures_representations:pictures"),
    ),
    columns=(
        Column("cka.near", "CKA of neighbours"),
        Column("cka.far", "CKA of far layers"),
        Column("cka.seeds_same", "same layer, two seeds"),
        Column("cka.nets_same", "same layer, other net"),
    ),
    plots=(
        Drawing("CKA between layers", "resvision.studies.representation_drawings:tables"),
        Drawing("First filters", "resvision.studies.representation_drawings:filters"),
        Drawing("Feature maps of the first test image", "resvision.studies.representation_drawings:maps"),
    ),
    minutes=(0.6, None),
)
