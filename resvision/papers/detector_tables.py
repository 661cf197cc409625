"""Figures that papers on detectors print of their nets, by the names of our nets: SSD and Faster R-CNN.

Lin et al. 2017, Focal Loss, prints no sizes or parameters.
"""

from collections.abc import Mapping

from resvision.papers.printed import Cell, Line, PrintedTable

SSD = "Liu et al. 2016, SSD: Single Shot MultiBox Detector, arXiv:1512.02325"
FASTER_RCNN = "Ren et al. 2015, Faster R-CNN, arXiv:1506.01497"


def _ssd300() -> PrintedTable:
    """The maps of Figure 2."""

    def row(label: str, where: str, size: str) -> Line:
        return Line(label, {"output": Cell(size, "map", (where,))})

    return PrintedTable(
        "Figure 2",
        SSD,
        (
            row("Conv4_3", "backbone.features.21", "38x38x512"),
            row("Conv6 (FC6)", "backbone.extra.0.7.1", "19x19x1024"),
            row("Conv7 (FC7)", "backbone.extra.0.7.3", "19x19x1024"),
            row("Conv8_2", "backbone.extra.1.2", "10x10x512"),
            row("Conv9_2", "backbone.extra.2.2", "5x5x256"),
            row("Conv10_2", "backbone.extra.3.2", "3x3x256"),
            row("Conv11_2", "backbone.extra.4.2", "1x1x256"),
        ),
    )


def _faster_rcnn() -> PrintedTable:
    """The sizes of the proposal network on VGG-16, in section 3.1.1 and its footnote."""
    outputs = ("rpn.head.cls_logits", "rpn.head.bbox_pred")
    return PrintedTable(
        "Section 3.1.1",
        FASTER_RCNN,
        (
            Line("output layer", {"parameters": Cell("2.8x10^4", "params", outputs)}),
            Line("proposal layers", {"parameters": Cell("2.4x10^6", "params", ("rpn.head",))}),
        ),
        ("The paper counts weights without biases, which changes neither number.",),
    )


DETECTORS: Mapping[str, PrintedTable] = {"ssd300_vgg16": _ssd300(), "faster_rcnn_vgg16": _faster_rcnn()}
"""What a paper prints of a detector, by the name in the catalog."""
