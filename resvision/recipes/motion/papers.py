"""Recipes of motion prediction as papers and their released code have them; none was run in full.

Adam of the papers is AdamW without decay, which is the same. Where a paper leaves the length open, it is ours.
"""

from dataclasses import replace

from resvision.motion.augment import MotionAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

MTP_STEPS, MTP_STEPS_PER_DROP = 200_000, 20_000
"""The length, which is ours, and the steps after which the rate falls by a tenth."""


def motion_regression_2020(model: str, data: str) -> Run:
    """Houston et al. 2020, https://arxiv.org/abs/2006.14480, as the example of l5kit has it: batches of 12, lr 0.001.

    Rasters are 112 m wide at 224 px, three quarters ahead; a channel for each of 11 frames of the target and of the
    others, and three of the map, so that a ResNet-50 takes 25. 50 positions are predicted, 0.1 s apart. The squared
    error is divided by all positions, known or not. Length: 100,000 steps, which is ours.

    Receipt: not run in full.
    """
    return Run(
        recipe="motion-regression-2020",
        model=ModelSettings(name=model),
        data=DataSettings(
            name=data,
            image_size=224,
            metres_per_px=0.5,
            ahead=0.75,
            drawn_past="channels",
            history_seconds=1.0,
            horizon_seconds=5.0,
            step_seconds=0.1,
        ),
        training=TrainingSettings(duration="100000 steps", batch_size=12),
        augment=MotionAugment(),
        loss={"mean_over": "all"},
        optimizer=OptimizerSettings(name="adamw", lr=0.001, weight_decay=0.0),
        machine=Machine(precision="fp32"),
    )


def mtp_2019(model: str, data: str) -> Run:
    """Cui et al. 2019, https://arxiv.org/abs/1809.10732, section IV: lr 1e-4, a tenth less every 20,000 steps.

    Rasters are 60 m wide at 300 px, with the past fading; 6 s are predicted, 0.5 s apart as in the devkit of nuScenes,
    whose share ahead, four fifths, is taken too. Batches of 64 for each of 16 GPUs are 64 here. Length: 200,000 steps,
    which is ours.

    Receipt: not run in full.
    """
    return _after_mtp("mtp-2019", model, data, size_px=300, metres_per_px=0.2)


def covernet_2020(model: str, data: str) -> Run:
    """Phan-Minh et al. 2020, https://arxiv.org/abs/1911.10298: up to 2,206 trajectories that cover within 2 m.

    Rasters are 50 m wide at 500 px, four fifths ahead, with the past fading, as in the devkit of nuScenes; 6 s are
    predicted, 0.5 s apart. What the paper leaves open, rate, batch and length, is that of `mtp-2019`.

    Receipt: not run in full. A later paper that trained it anew reports ADE 4.93 m and FDE 10.84 m on nuScenes.
    """
    run = _after_mtp("covernet-2020", model, data, size_px=500, metres_per_px=0.1)
    return replace(run, model=ModelSettings(name=model, options={"modes": 2206}), loss={"epsilon_m": 2.0})


def _after_mtp(name: str, model: str, data: str, *, size_px: int, metres_per_px: float) -> Run:
    drops = tuple(step / MTP_STEPS for step in range(MTP_STEPS_PER_DROP, MTP_STEPS, MTP_STEPS_PER_DROP))
    return Run(
        recipe=name,
        model=ModelSettings(name=model),
        data=DataSettings(
            name=data,
            image_size=size_px,
            metres_per_px=metres_per_px,
            ahead=0.8,
            drawn_past="fading",
            history_seconds=2.0,
            horizon_seconds=6.0,
            step_seconds=0.5,
        ),
        training=TrainingSettings(duration=f"{MTP_STEPS} steps", batch_size=64),
        augment=MotionAugment(),
        optimizer=OptimizerSettings(name="adamw", lr=1e-4, weight_decay=0.0),
        schedule=Schedule(kind="step", milestones=drops, gamma=0.9),
        machine=Machine(precision="fp32"),
    )
