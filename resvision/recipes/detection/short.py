"""The short recipe of any detector and any data."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

TURNED_DIGITS = "digit-boxes-composed"
"""A set whose objects are others in a mirror."""


def detection_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 40 epochs in batches of 8, at 0.7 to 1.4 times the size, mirrored, averaged weights.

    Receipts, 2026-11-28: from scratch, one seed, bf16, last weights, one thread of an Intel Xeon with AMX beside other
    work.

    BCCD, `resvision train retinanet --data FOLDER --allow degenerate-boxes --epochs 24`, images fitted into 320 px as
    those of a folder are, over `resnet18` of width 32 with 128 channels and `anchor_scale=2`,
    `augment.scale_range=0.8,1.25`, brightness and contrast as they are: AP 55.3 %, AP50 89.7 % on the 87 images of
    val, 26 minutes.

    BCCD, `resvision train faster_rcnn` likewise, with 128 channels, `hidden=256`, 300 proposals, `regions=128`,
    `smallest_anchor_px=16`, 16 epochs: AP 58.9 %, AP50 89.6 %, 12 minutes.

    `resvision train ssd --data digit-boxes-composed --epochs 50` over `resnet18` of width 32 with 64 channels, 192 px,
    batches of 16, lr 0.002, `augment.mosaic=0.5`: AP 64.2 %, AP50 91.3 % on the 150 test scenes; of width 24 without
    mosaic AP 60.6 %, AP50 88.2 %, 10 minutes of one thread with the other at like work.

    `resvision train faster_rcnn --data digit-boxes-composed --epochs 30` over `resnet18` of width 24 with 64 channels,
    `hidden=256`, 100 proposals, `regions=64`, `smallest_anchor_px=32`, 192 px, batches of 16, lr 0.002: AP 64.2 %, AP50
    87.7 %, 10 minutes likewise; 36 epochs with `augment.mosaic=0.5`: AP 63.8 %, AP50 88.3 %, 9 minutes of both cores.

    `resvision train retinanet --data digit-boxes-composed` over `resnet18` of width 24 with 48 channels, 192 px,
    batches of 16, lr 0.002: AP 61.9 %, AP50 84.9 % on the 150 test scenes, 27 minutes.

    All detectors by `benchmarks/detection_table.py`, on both sets: docs/detection.md.
    """
    return Run(
        recipe="detection-short",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="40 epochs", batch_size=8, ema_decay=0.99, clip_norm=10.0),
        augment=BoxAugment(
            crop="scale-jitter",
            scale_range=(0.7, 1.4),
            flip=data != TURNED_DIGITS,
            brightness_levels=32,
            contrast=0.5,
        ),
        optimizer=OptimizerSettings(name="adamw", lr=0.001, weight_decay=0.01),
        schedule=Schedule(kind="one-cycle", warmup=0.15),
    )
