"""The recipe of the replay."""

from resvision.core.rundir import NO_STEPS
from resvision.motion.augment import MotionAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings


def motion_replay(model: str, data: str) -> Run:
    """No steps: the training tracks are kept, and their futures are replayed to cars whose past is like theirs.

    Receipt, 2026-11-29: 5 s ahead, 0.5 s apart, a start each 0.1 s; FDE at 3 s of the most alike track on the test
    recordings of `ngsim` 3.19 m, where constant velocity has 2.48 m, and of `traffic-simulated` 2.72 m, where it has
    2.90 m; the best of the five most alike 1.74 and 1.36 m.
    """
    return Run(
        recipe="motion-replay",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration=NO_STEPS, batch_size=64),
        augment=MotionAugment(),
    )
