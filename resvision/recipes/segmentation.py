"""Recipes of segmentation."""

from resvision.data.augment import Augment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def segmentation_short(model: str, data: str) -> Run:
    """SGD with the poly schedule over 60 epochs in batches of 8, crops at half to twice the size, mirrored.

    Receipt: none yet.
    """
    return Run(
        recipe="segmentation-short",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="60 epochs", batch_size=8),
        augment=Augment(crop="random-scale", flip=True, fill="mean"),
        optimizer=OptimizerSettings(lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=Schedule(kind="poly", power=0.9, warmup=0.05),
    )
