"""The recipe of the replay."""

from resvision.core.rundir import NO_STEPS
from resvision.motion.augment import MotionAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings


def motion_replay(model: str, data: str) -> Run:
    """No steps: the training tracks are kept, and their futures are replayed to cars whose past is like theirs.

    Receipt: none yet.
    """
    return Run(
        recipe="motion-replay",
        model=ModelSettings(name=model),
        data=DataSettings(name=data),
        training=TrainingSettings(duration=NO_STEPS, batch_size=64),
        augment=MotionAugment(),
    )
