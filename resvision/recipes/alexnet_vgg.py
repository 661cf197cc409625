"""The recipes of AlexNet and VGG, and short ones for nets without normalization that end in large linear layers.

Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, and Simonyan and Zisserman 2014,
https://arxiv.org/abs/1409.1556, train alike. Both divide the rate three times, when the validation error stands still;
here the drops are set at quarters of the run. Both draw crops of 224 or 227 px from images whose shorter side is 256
(AlexNet) or 256..512 (VGG); here it is 256..480. Their changes of colour are left out. The decay acts on weights, not
on biases.
"""

from dataclasses import replace

from resvision.catalog import find, options
from resvision.loading.augment import ImageAugment
from resvision.recipes.enlarged import enlarged_short
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def alexnet_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 30 epochs; sets of small images are enlarged to 67 px, photos keep their size.

    67 px is the least that leaves the net of 2012 a map, of 1x1. Why AdamW, and so on: `vgg_short`.

    Receipt, 2026-11-22, one thread of a two-core Xeon with AMX beside other work, bf16, one seed, scaled down to 67 px,
    a quarter of the width and 8 epochs: `resvision train MODEL --data digits --set model.options.width=W --epochs 8`
    gave these errors on the 397 test images.

        alexnet        W = 16   2.52 %   37 s in all
        alexnet_2012   W = 8    2.27 %   53 s

    On 2026-11-28, beside much other work, 67 px and 8 epochs with W = 24, a quarter of the width:

        zf5            1.76 %   150 s in all
        sppnet_zf5     1.26 %   199 s; 2.77 %, 175 s with `augment.sides_px=54,67`, 4.53 % with 67,54, whose last epoch
                       is not the size of the test

    `resvision train alexnet --data fashion-mnist --set model.options.width=16 --epochs 2` gave 13.36 % on the 10,000
    test images after 279 s.
    """
    return _short("alexnet-short", model, data, small_px=67)


def vgg_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 30 epochs; sets of small images are shown at 32 px, photos keep their size.

    32 px is the least that leaves a map, of 1x1, which the average before fc6 repeats 7x7 times.

    Weights are drawn by He's rule, "he" of the net's `init`, and the gradient is clipped to a norm of 1. In a VGG-19 of
    a quarter of the width Glorot's rule, which counts no ReLU, leaves logits with a deviation of 3e-4 and gradients
    near 1e-4 of the weights. AdamW's steps have one size at every depth.

    Receipt, 2026-11-22, one thread of a two-core Xeon with AMX beside other work, bf16, one seed, scaled down to 32 px,
    a quarter of the width and 8 epochs: `resvision train MODEL --data digits --set model.options.width=16 --epochs 8`
    gave these errors on the 397 test images.

        vgg11       2.02 %    57 s in all        vgg11_bn    1.51 %    67 s in all
        vgg11_lrn   2.52 %    86 s               vgg13_bn    1.51 %    88 s
        vgg13       1.76 %    64 s               vgg16_bn    2.77 %    86 s
        vgg16_c     1.26 %   115 s               vgg19_bn    2.27 %   102 s
        vgg16       2.02 %    76 s
        vgg19       2.52 %   101 s

    The same command with vgg19, and one thing changed: 35.77 % with `init=glorot`; 5.54 % with Nesterov SGD, lr 0.02,
    decay 5e-4, and 71.28 % with this SGD without clipping; 3.02 %, two images more, with AdamW without clipping. With
    Glorot's rule and SGD without clipping it stayed at chance, 91.69 %.
    """
    return _short("vgg-short", model, data, small_px=32)


def _short(name: str, model: str, data: str, *, small_px: int) -> Run:
    run = enlarged_short(name, model, data, small_px=small_px, batch_size=32, lr=5e-4, weight_decay=0.05)
    return replace(
        run,
        model=replace(run.model, options={"init": "he"} if "init" in options(model) else {}),
        training=replace(run.training, clip_norm=1.0),
        optimizer=replace(run.optimizer, name="adamw", nesterov=False),
    )


def alexnet_2012(model: str, data: str) -> Run:
    """Krizhevsky et al. 2012, section 5, not scaled down: 90 epochs in batches of 128, lr 0.01, decay 5e-4.

    Receipt: none yet. The paper reports validation errors of 40.7 % top-1 and 18.2 % top-5 over ten crops.
    """
    return _paper("alexnet-2012", model, data, epochs=90, batch_size=128)


def vgg_2014(model: str, data: str) -> Run:
    """Simonyan and Zisserman 2014, section 3.1, not scaled down: 74 epochs in batches of 256, lr 0.01, decay 5e-4.

    The paper starts deeper nets with layers of a trained net A, and found later that Glorot's rule does as well, which
    is taken here for all.

    Receipt: none yet. The paper reports validation errors of 25.6 % top-1 and 8.1 % top-5 for net D at one scale.
    """
    return _paper("vgg-2014", model, data, epochs=74, batch_size=256)


def _paper(name: str, model: str, data: str, *, epochs: int, batch_size: int) -> Run:
    return Run(
        recipe=name,
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=find(model).input[1]),
        training=TrainingSettings(duration=f"{epochs} epochs", batch_size=batch_size),
        augment=ImageAugment(crop="scale-jitter", flip=True),
        optimizer=OptimizerSettings(lr=0.01, momentum=0.9, weight_decay=5e-4),
        schedule=Schedule(kind="step", milestones=(0.25, 0.5, 0.75), gamma=0.1),
        machine=Machine(precision="fp32"),
    )
