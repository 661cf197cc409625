"""Does residual pre-training help other tasks? Heads of segmentation and detection over plain and residual backbones.

`plain34` and `resnet34_a` have the same layers and parameters; the shortcuts are all that differs (He et al. 2015,
arXiv:1512.03385, option A). Each backbone carries a U-Net decoder and an SSD head, and starts with random weights, or
with those of a classifier that was trained on single digits, of which the scenes are composed. He, Girshick and Dollar
2018 (arXiv:1811.08883) hold that training from scratch catches up where it is long enough, so the length matters.

Figures are mean IoU and AP, of which the higher is the better.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from resvision.studies.design import Claim, Condition, Design, Pretraining, Value

BACKBONES = {"plain": ("plain34", "plain18"), "residual": ("resnet34_a", "resnet18_a")}
"""The backbones of a kind: of the usual length, and of `--quick`."""

WIDTH, QUICK_WIDTH = 24, 8

SEGMENTATION: Mapping[str, Any] = {
    "model.options.decoder_width": 64,
    "training.duration": "30 epochs",
    "training.evaluate_every": 5,
}
DETECTION: Mapping[str, Any] = {
    "data.image_size": 192,
    "model.options.channels": 64,
    "training.duration": "50 epochs",
    "training.evaluate_every": 10,
    "optimizer.lr": 0.002,
    "augment.mosaic": 0.5,
}
QUICK_COMMON: Mapping[str, Any] = {"training.batch_size": 16, "training.ema_decay": 0.9}
"""Few steps, of which weights that are averaged for longer would hold the first ones."""

QUICK_SEGMENTATION: Mapping[str, Any] = {
    **QUICK_COMMON,
    "model.options.decoder_width": 16,
    "training.duration": "4 epochs",
    "training.evaluate_every": 4,
    "optimizer.lr": 0.004,
}
QUICK_DETECTION: Mapping[str, Any] = {
    **QUICK_COMMON,
    "data.image_size": 96,
    "model.options.channels": 16,
    "training.duration": "5 epochs",
    "training.evaluate_every": 5,
    "augment.mosaic": 0.0,
}


class Heads(NamedTuple):
    """A net over a backbone: its task and data, the settings, those of `--quick`, the figure that is compared."""

    task: str
    model: str
    data: str
    settings: Mapping[str, Any]
    quick: Mapping[str, Any]
    figure: str


HEADS = (
    Heads("segmentation", "unet_encoder", "digit-scenes-composed", SEGMENTATION, QUICK_SEGMENTATION, "mean IoU"),
    Heads("detection", "ssd", "digit-boxes-composed", DETECTION, QUICK_DETECTION, "AP"),
)

STARTS = ("scratch", "pretrained")


def _name(kind: str, task: str, start: str) -> str:
    return f"{kind}-{task}-{start}"


def _conditions() -> Iterator[Condition]:
    for task, model, data, settings, quick, _ in HEADS:
        for kind, (usual, small) in BACKBONES.items():
            for start in STARTS:
                yield Condition(
                    name=_name(kind, task, start),
                    model=model,
                    data=data,
                    settings={"model.options.backbone": usual, "model.options.width": WIDTH, **settings},
                    quick={"model.options.backbone": small, "model.options.width": QUICK_WIDTH, **quick},
                    pretraining=_classifier(usual, small) if start == "pretrained" else None,
                )


def _classifier(usual: str, small: str) -> Pretraining:
    """The training of a backbone on single digits, at the side that digits have in a scene of 96 px."""
    return Pretraining(
        name="classifier",
        model=usual,
        data="digits",
        settings={"data.image_size": 32, "model.options.width": WIDTH, "training.duration": "20 epochs"},
        quick={"model.options.width": QUICK_WIDTH, "training.duration": "4 epochs"},
        quick_model=small,
    )


def _claims() -> Iterator[Claim]:
    for task, *_, figure in HEADS:
        scratch, pretrained = ({kind: _name(kind, task, start) for kind in BACKBONES} for start in STARTS)
        for kind in BACKBONES:
            text = f"pre-training raises the {figure} of a {kind} backbone"
            yield Claim(text, Value(scratch[kind]), Value(pretrained[kind]))
        for start, names in zip(("from scratch", "pre-trained"), (scratch, pretrained), strict=True):
            text = f"{start}, a residual backbone has a higher {figure} than a plain one"
            yield Claim(text, Value(names["plain"]), Value(names["residual"]))
        yield Claim(
            f"pre-training raises the {figure} of a residual backbone by more",
            Value(pretrained["plain"], above=scratch["plain"]),
            Value(pretrained["residual"], above=scratch["residual"]),
        )


DESIGN = Design(
    name="transfer",
    question="Does residual pre-training help segmentation and detection?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.3; He, Girshick, Dollar"
    " 2018, Rethinking ImageNet Pre-training, https://arxiv.org/abs/1811.08883",
    title="Transfer: plain and residual backbones, from scratch and pre-trained",
    lead=(
        "A plain and a residual backbone of the same layers and parameters carry a decoder of segmentation and a head"
        " of detection. Each starts with random weights, or with those of a classifier of single digits; scenes are"
        " composed of such digits."
    ),
    conditions=tuple(_conditions()),
    claims=tuple(_claims()),
    data=", ".join(heads.data for heads in HEADS),
    minutes=(3.9, None),
)
