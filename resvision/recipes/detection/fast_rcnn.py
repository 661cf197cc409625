"""The recipe of Fast R-CNN."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


def fast_rcnn_2015(model: str, data: str) -> Run:
    """Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.3: 40,000 steps of two images, mirrored.

    The rate is 0.001 and falls to a tenth after 30,000 steps, momentum 0.9, decay 5e-4, biases at twice the rate. The
    encoder, with VGG-16 fc6 and fc7 too, starts with weights of ImageNet, of which torchvision's are taken; conv1 and
    conv2 are frozen (section 4.5).

    The paper resizes the shorter side to 600 px, the longer to 1,000 at most; here images are fitted into squares of
    800 px, where a photo of 4:3 has its 600. Regions come from selective search, unless `--set data.proposals=FILE`
    names others.

    Receipt: not run in full. The paper reports 66.9 % mAP on VOC 2007 with VGG-16 trained on 07.
    """
    frozen = 1 if model == "fast_rcnn_vgg16" else 2  # of VGG-16 the first stage ends with conv2
    return Run(
        recipe="fast-rcnn-2015",
        model=ModelSettings(name=model, encoder_from="torchvision", frozen_stages=frozen),
        data=DataSettings(name=data, image_size=800),
        training=TrainingSettings(duration="40000 steps", batch_size=2),
        augment=BoxAugment(flip=True),
        optimizer=OptimizerSettings(lr=0.001, momentum=0.9, weight_decay=5e-4, bias_factor=2.0),
        schedule=Schedule(kind="step", milestones=(3 / 4,)),
        machine=Machine(precision="fp32"),
    )
