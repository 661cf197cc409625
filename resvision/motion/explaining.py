"""The score of a forecast whose grounds in the raster are looked for; what is told beside the raster stays as it is.

Glossary
    N windows, M modes, T steps
    output  (N, M + 2): the logits of the modes, and x and y of the most probable one's end, metres in the agent's frame
"""

import torch
from torch import Tensor

from resvision.contracts import to_device
from resvision.core.errors import SettingsError
from resvision.kinds.motion.windows import Window
from resvision.motion.batches import inputs_of
from resvision.motion.forecaster import Forecaster, MotionInputs
from resvision.tasks import ExplainedScore, Model, Question, Seen, images_of


def best_trajectory(model: Model, system: Forecaster, seen: Seen, window: Window, question: Question) -> ExplainedScore:
    """The logit of the most probable trajectory, or of a single one the distance ahead at which it ends.

    Raises SettingsError for a question about a class or a point.
    """
    if question.label is not None or question.points is not None:
        raise SettingsError("--class, --point: a forecast has neither; the most probable trajectory is explained")
    images = images_of(model, seen.pixels)
    beside = to_device(inputs_of([window], seen.pixels.transpose(2, 0, 1)[None].copy()), images.device)
    with torch.no_grad():
        probabilities = _forecast(system, beside, images)[0][0].softmax(dim=0)
    mode, single = int(probabilities.argmax()), len(probabilities) == 1

    def net(images: Tensor) -> Tensor:
        logits, ends = _forecast(system, beside, images)
        return torch.cat([logits, ends[:, mode]], dim=1)

    seconds = window.step_seconds * window.span.steps
    return ExplainedScore(
        images=images,
        border_px=0,
        net=net,
        score=lambda output: output[:, -2] if single else output[:, mode],
        label="the trajectory" if single else "the most probable trajectory",
        words=f"metres ahead after {seconds:g} s" if single else "logit of the most probable trajectory",
        share=float(probabilities[mode]),
    )


def _forecast(system: Forecaster, beside: MotionInputs, images: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (N, M) and the ends (N, M, 2) for images (N, C, S, S) of one window, of which the rest is `beside`."""
    spread = MotionInputs(*(member.expand(len(images), *member.shape[1:]) for member in beside))
    positions, logits = system.forecast(spread._replace(images=images))
    return logits, positions[:, :, -1]
