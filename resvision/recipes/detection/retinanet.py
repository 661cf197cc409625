"""The recipe of RetinaNet."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


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
