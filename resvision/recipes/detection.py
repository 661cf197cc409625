"""Recipes of detection: a short one for any detector and any data, and those of the papers.

A recipe's docstring names the settings that its paper does not give, and what could not be run here.
"""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

TURNED_DIGITS = "digit-boxes-composed"
"""A set whose objects are others in a mirror."""


def detection_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 40 epochs in batches of 8, mirrored, gradients clipped, averaged weights."""
    return Run(
        recipe="detection-short",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="40 epochs", batch_size=8, ema_decay=0.99, clip_norm=10.0),
        augment=BoxAugment(flip=data != TURNED_DIGITS),
        optimizer=OptimizerSettings(name="adamw", lr=0.001, weight_decay=0.01),
        schedule=Schedule(kind="one-cycle", warmup=0.15),
    )
