"""The suppression of boxes that a person asks for, by options of predictions."""

from collections.abc import Sequence

from resvision.core.errors import SettingsError, nearest
from resvision.kinds.detection.suppression import Suppression
from resvision.kinds.prediction_options import PredictionOptions


def suppression_of(usual: Suppression, options: PredictionOptions, classes: Sequence[str]) -> Suppression:
    """The suppression with what a person asks for; SettingsError for values that cannot be."""
    try:
        return Suppression(
            score=usual.score if options.score is None else options.score,
            iou=usual.iou if options.iou is None else options.iou,
            most=usual.most if options.most is None else options.most,
            groups=usual.groups if options.suppress is None else groups_of(options.suppress, classes),
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None


def groups_of(text: str, classes: Sequence[str]) -> tuple[int, ...] | None:
    """The group of each class in a text such as `per-class`, `all` or "cat,dog;car,bus"; None for one of each class.

    Raises SettingsError for a class that there is not, or that is named twice.
    """
    if text == "per-class":
        return None
    if text == "all":
        return (0,) * len(classes)
    if not text.strip(",; "):
        raise SettingsError("suppress: names no class; say per-class, all, or groups as 'cat,dog;car,bus'")
    groups: dict[str, int] = {}
    for number, members in enumerate(text.split(";")):
        for name in filter(None, map(str.strip, members.split(","))):
            if name not in classes:
                near = ", ".join(nearest(name, classes) or classes[:10])
                raise SettingsError(f"suppress: no class {name!r}; the nearest are {near}; or say per-class or all")
            if name in groups:
                raise SettingsError(f"suppress: class {name!r} is named twice; a class has one group")
            groups[name] = number
    return tuple(groups.get(name, len(classes) + label) for label, name in enumerate(classes))
