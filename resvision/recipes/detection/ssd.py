"""The recipe of SSD."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


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
