"""Recipes of Faster R-CNN: trained jointly, and in four steps."""

from dataclasses import replace

from resvision.core.settings import Scalar
from resvision.detection.augment import BoxAugment
from resvision.recipes.detection.short import detection_short
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule
from resvision.training_graph import FitPhase, Phase, RunPhase


def faster_rcnn_2015(model: str, data: str) -> Run:
    """Ren et al. 2015, https://arxiv.org/abs/1506.01497, trained jointly: 70,000 steps of two images, mirrored.

    As in the released code for VOC: the rate is 0.001 and falls to a tenth after 50,000 steps, momentum 0.9, decay
    5e-4, biases at twice the rate; the encoder, with VGG-16 fc6 and fc7 too, starts with weights of ImageNet, of which
    torchvision's are taken, and conv1 and conv2 are frozen.

    The paper resizes the shorter side to 600 px, the longer to 1,000 at most; here images are fitted into squares of
    800 px, where a photo of 4:3 has its 600. The training that its text describes is one of four steps in turn.

    Receipt: not run in full. The paper reports 69.9 % mAP on VOC 2007 with VGG-16, trained in four steps on 07.
    """
    return Run(
        recipe="faster-rcnn-2015",
        model=ModelSettings(name=model, encoder_from="torchvision", frozen_stages=_frozen(model)),
        data=DataSettings(name=data, image_size=800),
        training=TrainingSettings(duration="70000 steps", batch_size=2),
        augment=BoxAugment(flip=True),
        optimizer=OptimizerSettings(lr=0.001, momentum=0.9, weight_decay=5e-4, bias_factor=2.0),
        schedule=Schedule(kind="step", milestones=(5 / 7,)),
        machine=Machine(precision="fp32"),
    )


def faster_rcnn_4step_2015(model: str, data: str) -> tuple[Phase, ...]:
    """Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3.2: in four steps of 80k, 40k, 80k and 40k batches.

    First the proposal network, then Fast R-CNN on its proposals, each from weights of ImageNet; then the proposal
    network on the maps of the second step, and at last the head again, both with these maps frozen. The rate is 0.001
    and falls to a tenth after three quarters, momentum 0.9, decay 5e-4, biases at twice the rate. A batch is one image
    for the proposal network, two for the head, of each of which 64 regions are drawn, background from overlap 0.1 on.

    As in the released code for VOC, but in three points: the last step takes its proposals from the frozen network as
    it goes, and not from a file; offsets from regions have the fixed deviations of joint training, and not those that
    are measured; images are fitted into squares of 800 px, as in `faster-rcnn-2015`. The score of the first step is
    that of a head which is not trained yet; how good its proposals are is said by the phase that keeps them.

    Receipt: not run in full. The paper reports 69.9 % mAP on VOC 2007 with VGG-16 and 59.9 % with ZF, trained on 07.
    """
    joint = faster_rcnn_2015(model, data)
    return in_four_steps(
        replace(joint, recipe="faster-rcnn-4step-2015", schedule=Schedule(kind="step", milestones=(3 / 4,))),
        durations=("80000 steps", "40000 steps"),
        images=(1, 2),
        loss={"regions": 64, "lowest_background": 0.1},
        before=1_000_000,
    )


def faster_rcnn_4step_short(model: str, data: str) -> tuple[Phase, ...]:
    """The four steps of Ren et al. 2015, each as in `detection-short`: 20 epochs for proposals, 10 for regions.

    Receipt, 2026-11-28: `faster_rcnn` on `digit-boxes-composed` over a `resnet18` of width 24 with 64 channels and
    `hidden=256`, weights of a classifier of digits to start with, `augment.mosaic=0.5`, 192 px, one seed, one thread of
    an Intel Xeon with AMX beside other work: AP 53.3 %, AP50 81.4 % on the 150 test scenes, 13 minutes.
    """
    return in_four_steps(
        replace(detection_short(model, data), recipe="faster-rcnn-4step-short"),
        durations=("20 epochs", "10 epochs"),
        images=(8, 8),
        loss={},
    )


def in_four_steps(
    joint: Run,
    *,
    durations: tuple[str, str],
    images: tuple[int, int],
    loss: dict[str, Scalar],
    before: int | None = None,
) -> tuple[Phase, ...]:
    """The phases of four steps, of which each is a run like the joint one.

    durations, images  of a step and of its batches, for the proposal network and for the head
    loss               options of the head's loss
    before             boxes that become proposals for the second step, before suppression
    """

    def step(part: int, options: dict[str, Scalar], *, own_encoder: bool) -> Run:
        training = replace(joint.training, duration=durations[part], batch_size=images[part])
        model = joint.model if own_encoder else replace(joint.model, encoder_from=None, frozen_stages=0)
        return replace(joint, model=model, training=training, loss={**joint.loss, **options})

    proposals: dict[str, Scalar] = {"train": "proposals"}
    regions: dict[str, Scalar] = {"train": "regions", **loss}
    frozen: dict[str, Scalar] = {"train_maps": False}
    return (
        RunPhase(name="rpn", run=step(0, proposals, own_encoder=True)),
        FitPhase(
            name="proposals",
            fit="resvision.fits.proposals:region_proposals",
            parents={"net": "rpn"},
            options={} if before is None else {"before": before},
        ),
        RunPhase(name="fast-rcnn", run=step(1, regions, own_encoder=True), proposals="proposals"),
        RunPhase(name="shared-rpn", run=step(0, proposals | frozen, own_encoder=False), init_from="fast-rcnn"),
        RunPhase(name="faster-rcnn", run=step(1, regions | frozen, own_encoder=False), init_from="shared-rpn"),
    )


def _frozen(model: str) -> int:
    """The stages that are not trained: of VGG-16 the first, which ends with conv2, of ZF-5 none, else C1 and C2."""
    return {"faster_rcnn_vgg16": 1, "faster_rcnn_zf": 0}.get(model, 2)
