"""The recipes of GoogLeNet and BN-Inception, and a short one.

Szegedy et al. 2014, Going Deeper with Convolutions, https://arxiv.org/abs/1409.4842, section 6, and Ioffe and Szegedy
2015, Batch Normalization, https://arxiv.org/abs/1502.03167, section 4.2. What the first does not give, the rate at the
start, the batch, the weight decay and the length, is that of Caffe's bvlc_googlenet; the second is given as changes of
the first. Their photometric distortions are left out, and steps are taken one after another, not by asynchronous
workers.
"""

from resvision.loading.augment import ImageAugment
from resvision.recipes.enlarged import enlarged_short
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

STEPS_PER_DROP = 320_000
"""8 epochs of 1.28 million images in batches of 32, after which the rate falls by 4 %."""


def inception_short(model: str, data: str) -> Run:
    """One-cycle Nesterov SGD over 30 epochs; sets of small images are enlarged to 64 px, photos keep their size.

    Receipt, 2026-11-22, one thread of a two-core Xeon with AMX beside other trainings, bf16, one seed, scaled down to
    64 px, a quarter of the width and fewer epochs: `resvision train MODEL --data digits --set model.options.width=16
    --epochs E` gave these errors on the 397 test images.

        googlenet        E = 5   3.02 %   39 s in all
        googlenet_2014   E = 8   4.79 %   79 s
        bn_inception     E = 5   3.78 %   41 s
    """
    return enlarged_short("inception-short", model, data, small_px=64, batch_size=32, lr=0.02, weight_decay=2e-4)


def googlenet_2014(model: str, data: str) -> Run:
    """Batch 32, lr 0.01 times 0.96 every 320,000 of 10 million steps, averaged weights; crops of 8 to 100 % area.

    Receipt: not run in full. The paper reports a top-5 validation error of 10.07 % for one crop.
    """
    return _paper("googlenet-2014", model, data, lr=0.01, steps=10_000_000, per_drop=STEPS_PER_DROP, decay=2e-4)


def bn_inception_2015(model: str, data: str) -> Run:
    """BN-x30: lr 0.045, which falls six times as often as GoogLeNet's, a fifth of its weight decay, 6 million steps.

    Receipt: not run in full. The paper reports validation errors of 25.2 % top-1 and 7.82 % top-5 for one crop.
    """
    return _paper("bn-inception-2015", model, data, lr=0.045, steps=6_000_000, per_drop=STEPS_PER_DROP / 6, decay=4e-5)


def _paper(name: str, model: str, data: str, *, lr: float, steps: int, per_drop: float, decay: float) -> Run:
    drops = tuple(k * per_drop / steps for k in range(1, int(steps / per_drop) + 1))
    return Run(
        recipe=name,
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration=f"{steps} steps", batch_size=32, ema_decay=0.9999),
        augment=ImageAugment(crop="random-resized", crop_scale=(0.08, 1.0), flip=True),
        optimizer=OptimizerSettings(lr=lr, momentum=0.9, weight_decay=decay),
        schedule=Schedule(kind="step", milestones=drops, gamma=0.96),
        machine=Machine(precision="fp32"),
    )
