"""The common part of the short recipes of nets for large images, which enlarge small images."""

from resvision.loading.augment import ImageAugment
from resvision.recipes.small_images import FACING_ONE_WAY
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

UP_TO_32_PX = {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "cifar10-jpeg"}
"""Data sets of images of up to 32 px."""


def enlarged_short(
    recipe: str, model: str, data: str, *, small_px: int, batch_size: int, lr: float, weight_decay: float
) -> Run:
    """One-cycle Nesterov SGD over 30 epochs; sets of small images are shown at `small_px`, photos keep their size."""
    augment = ImageAugment(crop="random-resized", crop_scale=(0.25, 1.0), flip=True)
    if data in UP_TO_32_PX:
        augment = ImageAugment(shift_px=small_px // (10 if data == "digits" else 16), flip=data not in FACING_ONE_WAY)
    return Run(
        recipe=recipe,
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=small_px if data in UP_TO_32_PX else None),
        training=TrainingSettings(duration="30 epochs", batch_size=batch_size),
        augment=augment,
        optimizer=OptimizerSettings(lr=lr, momentum=0.9, nesterov=True, weight_decay=weight_decay),
        schedule=Schedule(kind="one-cycle", warmup=0.2),
    )
