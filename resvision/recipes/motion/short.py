"""The short recipe of motion prediction."""

from resvision import catalog
from resvision.core import references
from resvision.core.settings import Scalar
from resvision.motion.augment import MotionAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def motion_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 20 epochs in batches of 64, half of the windows mirrored, averaged weights.

    Nets say how a car departs from constant velocity (`model.options.reference=agent` has them say where it will be, as
    the papers do): on the recordings of a few hours that is where they start from, and need not learn.

    Receipt, 2026-11-28: `vector` on `ngsim`, 5 s ahead, 0.5 s apart, a start each 0.1 s, `depth=4`, `width=64`, 24
    epochs, weight decay 0.3, averaged by 0.999, the best weights by the validation recordings; bf16, one thread of an
    Intel Xeon with AMX, under two minutes each: FDE at 3 s on the test recordings 2.22, 2.19 and 2.21 m under seeds 0
    to 2, constant velocity 2.48 m on the same windows.
    """
    # A net of a user's own has options of its own, and is not imported to be asked for them.
    known = not references.is_reference(model) and "reference" in catalog.options(model)
    options: dict[str, Scalar] = {"reference": "constant-velocity"} if known else {}
    return Run(
        recipe="motion-short",
        model=ModelSettings(name=model, options=options),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="20 epochs", batch_size=64, ema_decay=0.99, clip_norm=10.0),
        augment=MotionAugment(mirror=True),
        optimizer=OptimizerSettings(name="adamw", lr=0.001, weight_decay=0.01),
        schedule=Schedule(kind="one-cycle", warmup=0.15),
    )
