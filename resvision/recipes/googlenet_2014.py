"""The recipe of "Going Deeper with Convolutions", Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, section 6.

What the paper does not give, lr, batch, weight decay and length, is that of Caffe's bvlc_googlenet.
"""

from resvision.data.augment import Augment
from resvision.recipes.small_images import FACING_ONE_WAY
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

DROPS = tuple(k / 31.25 for k in range(1, 32))
"""Every 8 epochs of 1.28 million images, 320,000 of 10 million steps."""


def googlenet_2014(model: str, data: str) -> Run:
    """Batch 32, lr 0.01 times 0.96 every 8 epochs, 250 epochs of ImageNet, averaged weights; crops of 8 to 100 % area.

    The photometric distortions are left out, and one process trains where the paper's were asynchronous.

    Receipt: not run in full.
    """
    return Run(
        recipe="googlenet-2014",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="10000000 steps", batch_size=32, ema_decay=0.9999),
        augment=Augment(crop="random-resized", crop_scale=(0.08, 1.0), flip=data not in FACING_ONE_WAY),
        optimizer=OptimizerSettings(lr=0.01, momentum=0.9, weight_decay=2e-4),
        schedule=Schedule(kind="step", milestones=DROPS, gamma=0.96),
        machine=Machine(precision="fp32"),
    )
