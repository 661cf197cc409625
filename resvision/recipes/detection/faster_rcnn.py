"""The recipe of Faster R-CNN, trained jointly."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule


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
