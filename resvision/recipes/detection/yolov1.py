"""The recipe of YOLO."""

from resvision.detection.augment import BoxAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

EPOCHS = 135


def yolov1_2016(model: str, data: str) -> Run:
    """Redmon et al. 2016, https://arxiv.org/abs/1506.02640, section 2.2: 135 epochs in batches of 64 at 448 px.

    The rate rises from a tenth in the first epochs, of which the paper does not say how many (here 2), stays for 75
    epochs, and falls to a tenth twice, 30 epochs before the end and 60. Images are scaled and shifted by up to 20 %,
    brightness and saturation change by a factor of up to 1.5; here factors below 1 go to 0.5 in the place of 1 / 1.5,
    and left and right are swapped in half, as the released code does.

    The paper's rate is 0.01 and its decay 5e-4, in a code that follows half the gradient of the printed loss; with the
    printed loss 0.005 and 1e-3 are the same steps.

    The paper's net begins with 20 convolutions that were trained on ImageNet as `extraction`. Nobody publishes them in
    a form that is read here but for Darknet's own files: name a run or a file by `--set model.encoder_from=...`.

    Receipt: not run in full. The paper reports 63.4 % mAP on VOC 2007, trained on 07+12, and 52.7 % for Fast YOLO.
    """
    return Run(
        recipe="yolov1-2016",
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=448),
        training=TrainingSettings(duration=f"{EPOCHS} epochs", batch_size=64),
        augment=BoxAugment(
            crop="scale-jitter",
            scale_range=(0.8, 1.2),
            flip=True,
            contrast=0.5,
            saturation=0.5,
            colour_share=1.0,
        ),
        optimizer=OptimizerSettings(lr=0.005, momentum=0.9, weight_decay=1e-3),
        schedule=Schedule(
            kind="step",
            warmup=2 / EPOCHS,
            warmup_factor=0.1,
            milestones=((EPOCHS - 60) / EPOCHS, (EPOCHS - 30) / EPOCHS),
        ),
        machine=Machine(precision="fp32"),
    )
