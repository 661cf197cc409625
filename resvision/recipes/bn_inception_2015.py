"""The recipe of "Batch Normalization", Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, section 4.2.2: BN-x30.

What the paper changes in the recipe of GoogLeNet is its own; what it leaves is as in `googlenet_2014`.
"""

from resvision.data.augment import Augment
from resvision.recipes.small_images import FACING_ONE_WAY
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

STEPS = 6_000_000
DROPS = tuple(k * 320_000 / 6 / STEPS for k in range(1, 113))
"""Six times as often as GoogLeNet's."""


def bn_inception_2015(model: str, data: str) -> Run:
    """Batch 32, lr 0.045 times 0.96 every 53,333 steps, a fifth of GoogLeNet's weight decay, 6 million steps.

    The photometric distortions, which the paper reduces, are left out.

    Receipt: not run in full.
    """
    return Run(
        recipe="bn-inception-2015",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration=f"{STEPS} steps", batch_size=32, ema_decay=0.9999),
        augment=Augment(crop="random-resized", crop_scale=(0.08, 1.0), flip=data not in FACING_ONE_WAY),
        optimizer=OptimizerSettings(lr=0.045, momentum=0.9, weight_decay=4e-5),
        schedule=Schedule(kind="step", milestones=DROPS, gamma=0.96),
        machine=Machine(precision="fp32"),
    )
