"""The recipe of PReLU-net, and a short one: He et al. 2015, Delving Deep, https://arxiv.org/abs/1502.01852.

Slopes do not decay, nor do biases.
"""

from resvision.loading.augment import ImageAugment
from resvision.recipes.enlarged import enlarged_short
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def prelunet_short(model: str, data: str) -> Run:
    """One-cycle Nesterov SGD over 30 epochs; sets of small images are enlarged to 64 px, photos keep their size.

    Receipt, 2026-11-22, one thread of a two-core Xeon with AMX beside other trainings, bf16, one seed, scaled down to
    64 px, a sixth of the width and 4 epochs: `resvision train MODEL --data digits --set model.options.width=16
    --epochs 4` gave these errors on the 397 test images.

        prelunet_a   1.26 %   43 s in all
        prelunet_b   4.53 %   49 s
        prelunet_c   6.80 %   71 s
    """
    return enlarged_short("prelunet-short", model, data, small_px=64, batch_size=32, lr=0.01, weight_decay=5e-4)


def prelunet_2015(model: str, data: str) -> Run:
    """Section 3: batch 128, lr 0.01 divided by 10 on two plateaus, weight decay 5e-4, about 80 epochs.

    The plateaus are set at half and three quarters of the run. The shorter side is drawn from 256..480, in the paper
    from 256..512; its changes of colour are left out.

    Receipt: not run in full. The paper reports 10-crop validation errors of 25.59 % top-1 and 8.23 % top-5 for A,
    24.27 % and 7.38 % for C.
    """
    return Run(
        recipe="prelunet-2015",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="80 epochs", batch_size=128),
        augment=ImageAugment(crop="scale-jitter", flip=True),
        optimizer=OptimizerSettings(lr=0.01, momentum=0.9, weight_decay=5e-4),
        schedule=Schedule(kind="step", milestones=(0.5, 0.75), gamma=0.1),
        machine=Machine(precision="fp32"),
    )
