"""The recipes of SPP-net: He et al. 2014, https://arxiv.org/abs/1406.4729."""

from resvision.catalog import find, options
from resvision.loading.augment import ImageAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

PAPER_SIDES = (224, 180)


def sppnet_2014(model: str, data: str) -> Run:
    """He et al. 2014, sections 2.3 and 3.1, not scaled down: images of 224 and 180 px by turns, an epoch each.

    Both show the same part of an image. A net that takes one size alone sees 224 px, `augment.sides_px=` leaves it at
    that for any. As in the paper the rate is 0.01 and falls to a tenth twice, when the validation error stands still;
    here the drops are set at three and five sixths of the run. It does not print the length, the batches and the decay:
    70 epochs of 128 are those of Zeiler and Fergus, whose net it is, decay 5e-4 and momentum 0.9 AlexNet's. It draws
    crops from images whose shorter side is 256; here it is 256..480. Its changes of colour are left out.

    Receipt: none yet. The paper reports validation errors over ten crops of 34.98 % top-1 and 14.14 % top-5 for a
    training at 224 px, and of 35.99 % and 14.76 % without the pyramid.
    """
    one_size = "input_size" in options(model)
    return Run(
        recipe="sppnet-2014",
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=find(model).input[1]),
        training=TrainingSettings(duration="70 epochs", batch_size=128),
        augment=ImageAugment(crop="scale-jitter", sides_px=() if one_size else PAPER_SIDES, flip=True),
        optimizer=OptimizerSettings(lr=0.01, momentum=0.9, weight_decay=5e-4),
        schedule=Schedule(kind="step", milestones=(1 / 2, 5 / 6), gamma=0.1),
        machine=Machine(precision="fp32"),
    )
