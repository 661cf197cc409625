"""One image of the worst in three pictures: its true boxes, the detections, and the errors among them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.results import Detections
from resvision.kinds.detection.boxes import BoxTargets
from resvision.kinds.detection.matches import Outcome, judged
from resvision.kinds.detection.pictures import Colour, Outline, class_colours, drawn
from resvision.kinds.detection.scores import Faults, WorstImage
from resvision.kinds.kind import Panel

SHOWN_PX, LETTERS_PX = 560, 19
"""The longer side of each picture and the height of its captions; a page shows it at some six tenths of its size."""
DARK = 0.55
"""The brightness that is left to an image below its errors."""
ERRORS: dict[str, Colour] = {
    "missed": (255, 176, 0),
    "invented": (240, 40, 50),
    "wrong class": (214, 82, 240),
    "wrong place": (52, 160, 255),
    "found twice": (170, 176, 184),
}
_NAMES = {
    Outcome.INVENTED: "invented",
    Outcome.WRONG_CLASS: "wrong class",
    Outcome.WRONG_PLACE: "wrong place",
    Outcome.TWICE: "found twice",
}


@dataclass(frozen=True)
class JudgedImage:
    """The detections of one image from a score on, and what each is.

    outcomes  (M,) of `Outcome`; truths, (M,), the true box that each is about, -1 for none
    missed    indices of the true boxes that no detection is about
    """

    result: Detections
    targets: BoxTargets
    outcomes: list[Outcome]
    truths: list[int]
    missed: list[int]

    @property
    def faults(self) -> Faults:
        """The numbers of boxes by what they are."""
        counts = Counter(self.outcomes)
        return Faults(
            right=counts[Outcome.RIGHT],
            missed=len(self.missed),
            invented=counts[Outcome.INVENTED],
            wrong_class=counts[Outcome.WRONG_CLASS],
            wrong_place=counts[Outcome.WRONG_PLACE],
            twice=counts[Outcome.TWICE],
        )


def judge_image(result: Detections, targets: BoxTargets, score: float) -> JudgedImage:
    """Hold the detections from a score on against the true boxes, both in pixels of the image."""
    shown = result.at_least(score)
    order = np.argsort(-shown.scores, kind="stable")
    shown = shown.at(order)
    errors = judged(shown.boxes, shown.labels, targets).errors
    about = {*errors.truths.tolist()}
    missed = [index for index in np.flatnonzero(~targets.crowd).tolist() if index not in about]
    return JudgedImage(shown, targets, [*map(Outcome, errors.outcomes.tolist())], errors.truths.tolist(), missed)


def in_words(faults: Faults) -> str:
    """`5 right, 2 missed, 1 wrong class`."""
    counts = {
        "right": faults.right,
        "missed": faults.missed,
        "invented": faults.invented,
        "wrong class": faults.wrong_class,
        "wrong place": faults.wrong_place,
        "found twice": faults.twice,
    }
    return ", ".join(f"{count} {words}" for words, count in counts.items() if count)


def require_same_objects(worst: WorstImage, targets: BoxTargets) -> None:
    """Raise DataError where an image has another number of true boxes than when it was scored."""
    current = int((~targets.crowd).sum())
    if current != worst.objects:
        scored = counted(worst.objects, "box")
        raise DataError(f"{worst.source}: had {scored} when the run was scored, has {current}; it has changed")


def panels(image: Pixels, judgement: JudgedImage, classes: Sequence[str]) -> tuple[Panel, ...]:
    """Truth, detections and errors; `image` is (H, W) or (H, W, C)."""
    result, targets = judgement.result, judgement.targets
    colours = class_colours(len(classes))
    truth = [
        Outline(box, colours[label], classes[label] + (" (crowd)" if crowd else ""), dashed=bool(crowd))
        for box, label, crowd, *_ in zip(*targets, strict=True)
    ]
    pictures = {"truth": truth, "detections": outlines_of(result), "errors": _errors(judgement, classes)}
    return tuple(
        Panel(
            name,
            drawn(image, outlines, longest_px=SHOWN_PX, letters_px=LETTERS_PX, dark=DARK if name == "errors" else 1.0),
            lettered=True,
        )
        for name, outlines in pictures.items()
    )


def outlines_of(result: Detections) -> list[Outline]:
    """The objects that were found, in the colours of their classes, with name and score."""
    colours = class_colours(len(result.classes))
    return [
        Outline(box, colours[label], f"{result.classes[label]}: {score:.0%}")
        for box, label, score in zip(result.boxes, result.labels.tolist(), result.scores, strict=True)
    ]


def _errors(judgement: JudgedImage, classes: Sequence[str]) -> list[Outline]:
    """Each error in its own colour; the true box that it is about is dashed."""
    result, targets = judgement.result, judgement.targets
    outlines = [
        Outline(targets.boxes[index], ERRORS["missed"], classes[targets.labels[index]]) for index in judgement.missed
    ]
    for row, (outcome, truth) in enumerate(zip(judgement.outcomes, judgement.truths, strict=True)):
        if outcome not in _NAMES:
            continue
        colour, said = ERRORS[_NAMES[outcome]], classes[result.labels[row]]
        true = f", is {classes[targets.labels[truth]]}" if outcome is Outcome.WRONG_CLASS else ""
        outlines.append(Outline(result.boxes[row], colour, f"{said}: {result.scores[row]:.0%}{true}"))
        if truth >= 0:
            outlines.append(Outline(targets.boxes[truth], (255, 255, 255), dashed=True))
    return outlines
