"""The recipe of "Delving Deep into Rectifiers", He et al. 2015, https://arxiv.org/abs/1502.01852, section 3."""

from resvision.data.augment import Augment
from resvision.recipes.small_images import FACING_ONE_WAY
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def prelunet_2015(model: str, data: str) -> Run:
    """Batch 128, lr 0.01 divided by 10 on two plateaus, weight decay 5e-4, about 80 epochs; shorter side 256..480.

    The plateaus are set at half and three quarters of the run. The paper draws the shorter side from 256..512, and
    has colour augmentation, which is left out. Slopes and biases do not decay.

    Receipt: not run in full.
    """
    return Run(
        recipe="prelunet-2015",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="80 epochs", batch_size=128),
        augment=Augment(crop="scale-jitter", flip=data not in FACING_ONE_WAY),
        optimizer=OptimizerSettings(lr=0.01, momentum=0.9, weight_decay=5e-4),
        schedule=Schedule(kind="step", milestones=(0.5, 0.75), gamma=0.1),
        machine=Machine(precision="fp32"),
    )
