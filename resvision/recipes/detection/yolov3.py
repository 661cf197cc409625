"""The recipe of YOLOv3."""

from dataclasses import replace

from resvision.recipes.detection.yolov2 import AUGMENT, yolov2_2017
from resvision.run import Run
from resvision.training.schedules import Schedule

STEPS = 500_200


def yolov3_2018(model: str, data: str) -> Run:
    """Redmon and Farhadi 2018, https://arxiv.org/abs/1804.02767: 500,200 steps of 64 images of 320 to 608 px.

    As yolov3.cfg has it, with the rate of 0.001, which falls to a tenth after 400,000 and 450,000 steps; the rest is
    the recipe of YOLOv2, also what differs, but that images are scaled by 0.25 to 2 as in the code, which also
    stretches them by up to 0.3 of a side. Images are fitted into squares; around them the code has grey of half the
    greatest value, and the views of sets have theirs. The encoder was trained on ImageNet as `darknet53`: name a run or
    a file by `--set model.encoder_from=...`.

    Receipt: not run in full. The paper reports 31.0 AP and 55.3 AP50 on COCO test-dev at 416 px, 33.0 and 57.9 at
    608 px.
    """
    usual = yolov2_2017(model, data)
    return replace(
        usual,
        recipe="yolov3-2018",
        training=replace(usual.training, duration=f"{STEPS} steps"),
        augment=replace(AUGMENT, scale_range=(0.25, 2.0)),
        schedule=Schedule(kind="step", warmup=1000 / STEPS, milestones=(400_000 / STEPS, 450_000 / STEPS)),
    )
