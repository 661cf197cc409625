"""Recipes of detection: a short one for any detector and any data, and those of the papers.

A recipe's docstring names the settings that its paper does not give, and what could not be run here.
"""

from dataclasses import replace

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

TURNED_DIGITS = "digit-boxes-composed"
"""A set whose objects are others in a mirror."""


def detection_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 40 epochs in batches of 8, at 0.7 to 1.4 times the size, mirrored, averaged weights.

    Receipts, 2026-11-28: from scratch, one seed, bf16, last weights, one thread of an Intel Xeon with AMX beside other
    work.

    BCCD, `resvision train retinanet --data FOLDER --allow degenerate-boxes --epochs 24`, images fitted into 320 px as
    those of a folder are, over `resnet18` of width 32 with 128 channels and `anchor_scale=2`,
    `augment.scale_range=0.8,1.25`, brightness and contrast as they are: AP 55.3 %, AP50 89.7 % on the 87 images of
    val, 26 minutes.

    `resvision train retinanet --data digit-boxes-composed` over `resnet18` of width 24 with 48 channels, 192 px,
    batches of 16, lr 0.002: AP 61.9 %, AP50 84.9 % on the 150 test scenes, 27 minutes.
    """
    return Run(
        recipe="detection-short",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="40 epochs", batch_size=8, ema_decay=0.99, clip_norm=10.0),
        augment=BoxAugment(
            crop="scale-jitter",
            scale_range=(0.7, 1.4),
            flip=data != TURNED_DIGITS,
            brightness_levels=32,
            contrast=0.5,
        ),
        optimizer=OptimizerSettings(name="adamw", lr=0.001, weight_decay=0.01),
        schedule=Schedule(kind="one-cycle", warmup=0.15),
    )


def faster_rcnn_2015(model: str, data: str) -> Run:
    """Ren et al. 2015, https://arxiv.org/abs/1506.01497, trained jointly: 70,000 steps of two images, mirrored.

    As in the released code for VOC: the rate is 0.001 and falls to a tenth after 50,000 steps, momentum 0.9, decay
    5e-4, biases at twice the rate; the encoder, with VGG-16 fc6 and fc7 too, starts with weights of ImageNet, of which
    torchvision's are taken, and conv1 and conv2 are frozen.

    The paper resizes the shorter side to 600 px, the longer to 1,000 at most; here images are fitted into squares of
    800 px, where a photo of 4:3 has its 600. The training that its text describes is one of four steps in turn.

    Receipt: not run in full. The paper reports 69.9 % mAP on VOC 2007 with VGG-16, trained in four steps on 07.
    """
    frozen = 1 if model == "faster_rcnn_vgg16" else 2  # of VGG-16 the first stage ends with conv2
    return Run(
        recipe="faster-rcnn-2015",
        model=ModelSettings(name=model, encoder_from="torchvision", frozen_stages=frozen),
        data=DataSettings(name=data, image_size=800),
        training=TrainingSettings(duration="70000 steps", batch_size=2),
        augment=BoxAugment(flip=True),
        optimizer=OptimizerSettings(lr=0.001, momentum=0.9, weight_decay=5e-4, bias_factor=2.0),
        schedule=Schedule(kind="step", milestones=(5 / 7,)),
        machine=Machine(precision="fp32"),
    )


def ssd_2016(model: str, data: str) -> Run:
    """Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 3.1: 120,000 steps of 32 images of 300 px.

    As in the released code for VOC 07+12: the rate is 0.001 and falls to a tenth after 80,000 and 100,000 steps,
    momentum 0.9, decay 5e-4, biases at twice the rate; half of the images are first laid into an area up to four times
    as wide (section 3.6), crops overlap an object by 0.1 to 0.9 or are free, colours change, left and right are
    swapped in half. The encoder starts with weights of ImageNet, of which torchvision's are taken.

    The paper's VGG-16 has fc6 and fc7 as convolutions, thinned out of the trained ones; ours are new. Priors of SSD300
    have the paper's sizes for VOC.

    Receipt: not run in full. The paper reports 74.3 % mAP on VOC 2007 for SSD300 trained on 07+12, and 77.2 % where
    images are laid into larger areas.
    """
    return Run(
        recipe="ssd-2016",
        model=ModelSettings(
            name=model, encoder_from="torchvision", options={"priors": "voc"} if model == "ssd300_vgg16" else {}
        ),
        data=DataSettings(name=data, image_size=300),
        training=TrainingSettings(duration="120000 steps", batch_size=32),
        augment=BoxAugment(
            crop="overlap",
            expand=0.5,
            fill="mean",
            flip=True,
            brightness_levels=32.0,
            contrast=0.5,
            saturation=0.5,
            hue_degrees=18.0,
            least_share=0.0,  # the centre of a box decides
        ),
        optimizer=OptimizerSettings(lr=0.001, momentum=0.9, weight_decay=5e-4, bias_factor=2.0),
        schedule=Schedule(kind="step", milestones=(2 / 3, 5 / 6)),
        machine=Machine(precision="fp32"),
    )


def refinedet_2018(model: str, data: str) -> Run:
    """Zhang et al. 2018, https://arxiv.org/abs/1711.06897, section 3.3: 120,000 steps of 32 images of 320 px.

    As in the released code for VOC 07+12: the rate is 0.001 and falls to a tenth after 80,000 and 100,000 steps,
    momentum 0.9, decay 5e-4; images are cut, laid into larger areas, coloured and mirrored as for SSD, from whose
    recipe the rest comes, too: biases learn at twice the rate. RefineDet512 is the same with `--set
    data.image_size=512`.

    The paper's VGG-16 has fc6 and fc7 as convolutions, thinned out of the trained ones; ours are new.

    Receipt: not run in full. The paper reports 80.0 % mAP on VOC 2007 at 320 px and 81.8 % at 512 px.
    """
    return replace(
        ssd_2016(model, data),
        recipe="refinedet-2018",
        model=ModelSettings(name=model, encoder_from="torchvision"),
        data=DataSettings(name=data, image_size=320),
    )


def retinanet_2017(model: str, data: str) -> Run:
    """Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 4.1: 90,000 steps of 16 images, mirrored.

    The rate is 0.01 and falls to a tenth after 60,000 and 80,000 steps, momentum 0.9, decay 1e-4; the encoder starts
    with weights of ImageNet, of which torchvision's are taken.

    Frozen normalization and a first stage that is not trained are those of the authors' Detectron; the paper does not
    speak of them. It resizes the shorter side to 600 px; here images are fitted into squares of 800 px, where a photo
    of 4:3 has its 600.

    Receipt: not run in full. The paper reports 34.3 AP with ResNet-50 and 36.0 with ResNet-101 at 600 px, on COCO
    minival.
    """
    return Run(
        recipe="retinanet-2017",
        model=ModelSettings(name=model, encoder_from="torchvision", frozen_norms=True, frozen_stages=2),
        data=DataSettings(name=data, image_size=800),
        training=TrainingSettings(duration="90000 steps", batch_size=16),
        augment=BoxAugment(flip=True),
        optimizer=OptimizerSettings(lr=0.01, momentum=0.9, weight_decay=1e-4),
        schedule=Schedule(kind="step", milestones=(2 / 3, 8 / 9)),
        machine=Machine(precision="fp32"),
    )
