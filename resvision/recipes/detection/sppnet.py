"""The recipes of SPP-net as a detector: fine-tuning, SVMs, regression of boxes, and the net of them all."""

from resvision.core.settings import Scalar
from resvision.detection.augment import BoxAugment
from resvision.recipes.detection.rcnn import stages
from resvision.recipes.detection.short import TURNED_DIGITS
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule
from resvision.training_graph import Phase

SVM: dict[str, Scalar] = {"negative_overlap": 0.3}
BOXES: dict[str, Scalar] = {"least_overlap": 0.5, "penalty": 4000.0}


def sppnet_detection_2014(model: str, data: str) -> tuple[Phase, ...]:
    """He et al. 2014, https://arxiv.org/abs/1406.4729, section 4, with the numbers of its code for SVMs and boxes.

    fc6, fc7 and the new last layer alone are fine-tuned, for 300,000 steps of 128 windows, 32 of objects and 96 that
    overlap one by 0.1 to 0.5, here of two images: the rate is 0.0001 and falls to a tenth after 250,000, momentum 0.9,
    decay 5e-4; images are mirrored in half. SVMs have negatives below an overlap of 0.3, boxes are moved by a ridge of
    penalty 4000 over regions above 0.5. The classifier starts with weights of ImageNet, which are to be named:
    `model.encoder_from`.

    The paper resizes the shorter side to 688 px; here images are fitted into squares of 917 px, where a photo of 4:3
    has its 688. Its best figures are of five scales: `model.options.scales=5`.

    Receipt: not run in full. The paper reports 58.0 % mAP on VOC 2007 at one scale, and 59.2 % at five.
    """
    return stages(
        Run(
            recipe="sppnet-detection-2014",
            model=ModelSettings(name=model, frozen_stages=4),
            data=DataSettings(name=data, image_size=917),
            training=TrainingSettings(duration="300000 steps", batch_size=2),
            augment=BoxAugment(flip=True),
            loss={"windows": 64},
            optimizer=OptimizerSettings(lr=0.0001, momentum=0.9, weight_decay=5e-4),
            schedule=Schedule(kind="step", milestones=(5 / 6,)),
            machine=Machine(precision="fp32"),
        ),
        svm=SVM,
        boxes=BOXES,
    )


def sppnet_detection_short(model: str, data: str) -> tuple[Phase, ...]:
    """One-cycle AdamW over 20 epochs in batches of 8 with 32 windows of each image, then SVMs and boxes as in 2014.

    Over C3 of a `resnet18` of width 24, from scratch: so the convolutions are trained too, which the paper keeps, and
    without dropout. At most 500 regions of an image. Scenes of digits are enlarged from 96 to 192 px, where a digit
    takes 6 to 8 positions of the map.

    Receipt, 2026-11-28: on `digit-boxes-composed`, with the weights of a classifier of digits to start with, one seed,
    one thread of an Intel Xeon with AMX: AP 48.5 %, AP50 79.0 % on the 150 test scenes, 6 minutes for all stages once
    regions are found.
    """
    options: dict[str, Scalar] = {}
    if model == "sppnet":
        options = {"backbone": "resnet18", "width": 24, "features": "C3", "hidden": 256, "dropout": 0.0}
        options["proposals"] = 500
    return stages(
        Run(
            recipe="sppnet-detection-short",
            model=ModelSettings(name=model, options=options),
            data=DataSettings(name=data, image_size=192 if data == TURNED_DIGITS else None),
            training=TrainingSettings(duration="20 epochs", batch_size=8, clip_norm=10.0),
            augment=BoxAugment(flip=data != TURNED_DIGITS, brightness_levels=32, contrast=0.5),
            loss={"windows": 32},
            optimizer=OptimizerSettings(name="adamw", lr=0.002, weight_decay=0.01),
            schedule=Schedule(kind="one-cycle", warmup=0.15),
        ),
        svm=SVM,
        boxes=BOXES,
    )
