"""The recipes of "Deep Residual Learning for Image Recognition", He et al. 2015, https://arxiv.org/abs/1512.03385.

Both are fp32. They subtract the mean colour and divide by the deviation per channel, where the paper subtracts a mean
image. Weight decay acts on every parameter, norms and biases too.
"""

from resvision.catalog import find
from resvision.loading.augment import ImageAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

WARM_START_FROM_DEPTH = 110


def cifar_2015(model: str, data: str) -> Run:
    """Section 4.2: batch 128, lr 0.1 divided by 10 after 32k and 48k steps, 64k steps; pad 4, crop, mirror.

    From depth 110 on the first 400 steps run at lr 0.01; the paper waits until the training error is below 80 %,
    which it says takes about 400 steps.

    The paper determined the length on 45,000 images for training and 5,000 for validation, `--validation 0.1` here. Its
    results are of nets "trained on the training set", which is read as all 50,000, as here without that flag.

    Receipt: none yet. The paper reports test errors of 8.75 % (resnet20), 6.97 % (resnet56), 6.43 % (resnet110, best
    of five) on CIFAR-10.
    """
    deep = int(find(model).options.get("depth", 0)) >= WARM_START_FROM_DEPTH
    return Run(
        recipe="cifar-2015",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="64000 steps", batch_size=128),
        augment=ImageAugment(shift_px=4, flip=True, fill="mean"),
        optimizer=OptimizerSettings(lr=0.1, momentum=0.9, weight_decay=1e-4, norm_bias_decay=1e-4),
        schedule=Schedule(
            kind="step",
            milestones=(0.5, 0.75),
            gamma=0.1,
            warmup=400 / 64_000 if deep else 0.0,
            warmup_factor=0.1,
            warmup_shape="constant",
        ),
        machine=Machine(precision="fp32"),
    )


def imagenet_2015(model: str, data: str) -> Run:
    """Section 3.4: batch 256, lr 0.1 divided by 10 on plateaus, up to 60e4 steps; shorter side 256..480, 224 px crop.

    The plateaus are set at half and three quarters of the run. The colour augmentation of AlexNet is left out.

    Receipt: none yet. The paper reports 10-crop validation errors of 22.85 % top-1 and 6.71 % top-5 (resnet50_v1).
    """
    return Run(
        recipe="imagenet-2015",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="600000 steps", batch_size=256),
        augment=ImageAugment(crop="scale-jitter", flip=True),
        optimizer=OptimizerSettings(lr=0.1, momentum=0.9, weight_decay=1e-4, norm_bias_decay=1e-4),
        schedule=Schedule(kind="step", milestones=(0.5, 0.75), gamma=0.1),
        machine=Machine(precision="fp32"),
    )
