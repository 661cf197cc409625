"""A short modern recipe for small images."""

from resvision.data.augment import Augment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def small_images_short(model: str, data: str) -> Run:
    """One-cycle Nesterov SGD over 20 epochs with shifts of the image and a moving average of the weights."""
    flips = data not in {"digits", "mnist"}  # a mirrored digit is another sign, or none
    return Run(
        recipe="small-images-short",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="20 epochs", batch_size=64 if data == "digits" else 128),
        augment=Augment(shift_px=3 if data == "digits" else 2, flip=flips),
        optimizer=OptimizerSettings(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=Schedule(kind="one-cycle", warmup=0.2),
    )
