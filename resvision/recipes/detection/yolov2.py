"""The recipe of YOLOv2."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

SIDES_PX = tuple(range(320, 609, 32))
"""Sides of the squares that are drawn from for every ten steps: section 2, "Multi-Scale Training"."""

STEPS = 80_200

AUGMENT = BoxAugment(
    crop="scale-jitter",
    scale_range=(0.7, 1.4),
    sides_px=SIDES_PX,
    flip=True,
    contrast=0.5,
    saturation=0.5,
    hue_degrees=36.0,
    colour_share=1.0,
)


def yolov2_2017(model: str, data: str) -> Run:
    """Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242: 80,200 steps of 64 images of 320 to 608 px.

    As yolov2-voc.cfg has it: the rate is 0.001 and falls to a tenth after 40,000 and 60,000 steps, momentum 0.9, decay
    5e-4; brightness and saturation change by a factor of up to 1.5, colours turn by up to 36 degrees, left and right
    are swapped in half. The text of the paper has 160 epochs with drops after 60 and 90.

    Three things differ. The rate rises evenly over the first 1,000 steps, where the code raises it by the fourth power.
    Images keep their proportions and are scaled as a whole by 0.7 to 1.4; in the code each edge moves by up to 0.3 of a
    side. Factors of brightness and saturation below 1 go to 0.5, in the code to 1 / 1.5.

    The paper's Darknet-19 was trained on ImageNet, at last at 448 px. Nobody publishes it in a form that is read here
    but for Darknet's own files: name a run or a file by `--set model.encoder_from=...`. Images of ten sizes are not
    compiled.

    Receipt: not run in full. The paper reports 76.8 % mAP on VOC 2007 at 416 px and 78.6 % at 544 px, trained on 07+12.
    """
    return Run(
        recipe="yolov2-2017",
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=416),
        training=TrainingSettings(duration=f"{STEPS} steps", batch_size=64),
        augment=AUGMENT,
        optimizer=OptimizerSettings(lr=0.001, momentum=0.9, weight_decay=5e-4),
        schedule=Schedule(kind="step", warmup=1000 / STEPS, milestones=(40_000 / STEPS, 60_000 / STEPS)),
        machine=Machine(precision="fp32", compile=False),
    )
