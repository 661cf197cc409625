"""Curves of precision over recall, as plots: the trade of an increasing number of detections."""

from resvision.kinds.detection.average_precision import RECALLS
from resvision.kinds.detection.matches import THRESHOLDS
from resvision.kinds.detection.pictures import class_colours, hex_of
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.kind import Line, Plot

AXES = ("recall", "precision")
MOST_CLASSES = 10
"""The largest number of classes with a line each; of more, those of lowest AP have one."""
_DRAWN = (0, 2, 5, 7, 9)  # thresholds with a line of their own
_SHADES = ("#08306b", "#2171b5", "#4292c6", "#6baed6", "#9ecae1")


def plots(scores: DetectionScores) -> list[Plot]:
    """Precision over recall at some thresholds of IoU, the mean over the classes; and of each class at 0.5."""
    return [_by_threshold(scores), *_by_class(scores)]


def _by_threshold(scores: DetectionScores) -> Plot:
    lines = [
        Line(f"IoU {THRESHOLDS[row]:.2f}, AP {scores.precision[row].mean():.1%}", RECALLS, scores.precision[row], shade)
        for row, shade in zip(_DRAWN, _SHADES, strict=True)
    ]
    caption = (
        "The mean over the classes at some of the ten thresholds of IoU; precision is the highest at a recall or above"
        " it, and AP its mean"
    )
    return Plot("Precision over recall by IoU", AXES, tuple(lines), caption)


def _by_class(scores: DetectionScores) -> list[Plot]:
    colours = class_colours(len(scores.classes))
    known = [
        (label, name, curve)
        for label, (name, curve) in enumerate(zip(scores.classes, scores.class_precision, strict=False))
        if curve is not None
    ]
    if not known:
        return []
    shown = sorted(known, key=lambda one: one[2].mean())[:MOST_CLASSES] if len(known) > MOST_CLASSES else known
    lines = tuple(
        Line(f"{name}, AP50 {curve.mean():.1%}", RECALLS, curve, hex_of(colours[label])) for label, name, curve in shown
    )
    some = f", the {len(shown)} classes of lowest AP50 of {len(known)}" if len(shown) < len(known) else ""
    return [Plot("Precision over recall by class", AXES, lines, f"At an IoU of 0.50{some}")]
