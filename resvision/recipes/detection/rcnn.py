"""Recipes of R-CNN, whose trainings have stages: fine-tuning, SVMs, regression of boxes, and the net of them all.

SPP-net has the same stages with other numbers.
"""

from collections.abc import Mapping
from dataclasses import replace

from resvision.core.rundir import NO_STEPS
from resvision.core.settings import Scalar
from resvision.detection.augment import BoxAugment
from resvision.recipes.detection.short import TURNED_DIGITS
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule
from resvision.training_graph import FitPhase, Phase, RunPhase

SVMS, BOXES = "resvision.fits.regions:region_svms", "resvision.fits.regions:region_boxes"


def stages(
    tuned: Run, *, svm: Mapping[str, Scalar] | None = None, boxes: Mapping[str, Scalar] | None = None
) -> tuple[Phase, ...]:
    """The phases that stand on the fine-tuning of a net that classifies regions: net, svm, boxes, result.

    svm, boxes  options of the fits

    The result is a run of no steps, so that it is evaluated, shown and used as any other.
    """
    model = replace(tuned.model, options={**tuned.model.options, "scores": "svm"}, encoder_from=None)
    result = replace(tuned, model=model, training=replace(tuned.training, duration=NO_STEPS, ema_decay=None))
    return (
        RunPhase(name="net", run=tuned),
        FitPhase(name="svm", fit=SVMS, parents={"net": "net"}, options=dict(svm or {})),
        FitPhase(name="boxes", fit=BOXES, parents={"net": "net", "svm": "svm"}, options=dict(boxes or {})),
        RunPhase(name="result", run=result, init_from="boxes"),
    )


def rcnn_2014(model: str, data: str) -> tuple[Phase, ...]:
    """Girshick et al. 2014, https://arxiv.org/abs/1311.2524, section 2.3 and appendix B, as in its code.

    70,000 steps of 128 windows, 32 of objects and 96 of background, of two images: the rate is 0.001 and falls to a
    tenth every 20,000 steps, momentum 0.9, decay 5e-4, biases at twice the rate; windows are mirrored. The classifier
    starts with weights of ImageNet, which are to be named: `model.encoder_from`. Then SVMs and regression with the
    numbers that are the usual ones of their fits.

    The code draws the windows of a batch from all images, here they are of two. Its new last layer learns ten times as
    fast; here all layers learn alike. It finds regions in photos of 500 px width, as they are here.

    Receipt: not run in full. The paper reports 58.5 % mAP on VOC 2007 with the AlexNet of Caffe, 54.2 % without
    regression of boxes.
    """
    return stages(
        Run(
            recipe="rcnn-2014",
            model=ModelSettings(name=model),
            data=DataSettings(name=data, image_size=500),
            training=TrainingSettings(duration="70000 steps", batch_size=2),
            augment=BoxAugment(flip=True),
            loss={"windows": 64},
            optimizer=OptimizerSettings(lr=0.001, momentum=0.9, weight_decay=5e-4, bias_factor=2.0),
            schedule=Schedule(kind="step", milestones=(2 / 7, 4 / 7, 6 / 7)),
            machine=Machine(precision="fp32"),
        )
    )


def rcnn_short(model: str, data: str) -> tuple[Phase, ...]:
    """One-cycle AdamW over 10 epochs in batches of 4 with 32 windows of each image, then SVMs and boxes as in 2014.

    Windows of 64 px over a `resnet18` a quarter as wide as usual, from scratch, and at most 500 regions of an image.

    Receipt, 2026-11-28: `resvision train rcnn --data FOLDER --allow degenerate-boxes --epochs 4` on BCCD with
    `model.options.proposals=400`, one seed, bf16, one thread beside much other work: by softmax after fine-tuning
    AP 20.0 %, AP50 58.5 %, AP75 8.3 % on the 87 images of val; by SVMs with regression of boxes AP 23.2 %, AP50 57.0 %,
    AP75 12.4 %. 4,912 hard negatives and 8,630 pairs of 205 images, whose features took 33 MB on disk.

    On `digit-boxes-composed` over a `resnet18` of width 24 that starts with weights of a classifier of digits, 192 px,
    one seed, one thread of an Intel Xeon with AMX: AP 52.0 %, AP50 80.2 % on the 150 test scenes, 10 minutes for all
    stages once regions are found.
    """
    options: dict[str, Scalar] = {}
    if model == "rcnn":
        options = {"backbone": "resnet18", "width": 16, "window_px": 64, "proposals": 500}
    return stages(
        Run(
            recipe="rcnn-short",
            model=ModelSettings(name=model, options=options),
            data=DataSettings(name=data),
            training=TrainingSettings(duration="10 epochs", batch_size=4, clip_norm=10.0, evaluate_every=10),
            augment=BoxAugment(flip=data != TURNED_DIGITS, brightness_levels=32, contrast=0.5),
            loss={"windows": 32},
            optimizer=OptimizerSettings(name="adamw", lr=0.002, weight_decay=0.01),
            schedule=Schedule(kind="one-cycle", warmup=0.15),
        )
    )
