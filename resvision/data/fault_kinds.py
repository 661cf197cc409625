"""Kinds of faults that a person may allow by name: what they concern is then left out of the set, and counted.

KINDS is the only table of them. A fault of no kind, such as a file that cannot be read, is never allowed.
"""

from collections import Counter
from collections.abc import Sequence

from resvision.core.errors import SettingsError, unknown_name
from resvision.core.plurals import counted
from resvision.data.faults import Fault, fault
from resvision.data.places import Place

KINDS = {
    "degenerate-boxes": "boxes without extent, or of a single pixel, are left out",
    "outside-boxes": "boxes that reach out of their image are left out",
    "unknown-classes": "boxes of a class that the set does not name, or training lacks, are left out",
    "duplicate-boxes": "boxes that an image has twice, with one class, are left out once",
    "clashing-ids": "boxes of COCO whose annotation has the id of an earlier one are left out",
    "unlabelled-images": "images without labels are taken as background, without any box",
    "missing-images": "labels whose image is not there are left out",
    "other-sizes": "images whose labels state another size are left out",
    "rotated-images": "images that EXIF turns, whose labels do not say in which frame they lie, are left out",
    "rotated-as-stored": "labels of such images lie in the image as it is stored, and are turned with it",
    "rotated-upright": "labels of such images lie in the upright image",
    "shared-images": "images that judge as well are left out of training",
    "gaps": "no sample reaches over frames in which its vehicle is not seen",
    "jumps": "vehicles that jump faster than any car can are left out",
    "turning-headings": "vehicles that stand keep the heading with which they came",
    "duplicate-frames": "states of a vehicle at a frame of which it has one are left out",
    "other-steps": "recordings of another time step than most are left out",
    "shared-cars": "recordings that show a car of those that judge are left out of training",
}
"""What becomes of each kind of fault where it is allowed."""

FRAMES = ("rotated-images", "rotated-as-stored", "rotated-upright")
"""The answers to one question, of which a person gives one."""

_NOUNS = {
    "images": "image",
    "boxes": "box",
    "classes": "box",
    "sizes": "image",
    "ids": "box",
    "gaps": "vehicle",
    "jumps": "vehicle",
    "headings": "vehicle",
    "frames": "state",
    "steps": "recording",
    "cars": "scene",
}


def require_kinds(allow: Sequence[str]) -> None:
    """Raise UnknownNameError for a kind that there is not, SettingsError for two answers to one question."""
    for kind in allow:
        if kind not in KINDS:
            raise unknown_name("kind of faults", kind, KINDS, remedy=f"--allow takes {', '.join(KINDS)}")
    answers = [kind for kind in FRAMES if kind in allow]
    if len(answers) > 1:
        raise SettingsError(f"data.allow: {' and '.join(answers)} contradict each other; keep one of them")


class Ledger:
    """The faults of a set, and what was left out since its kind of fault is allowed.

    left_out  how often each kind was
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        require_kinds(allow)
        self.allow = frozenset(allow)
        self.faults: list[Fault] = []
        self.left_out: Counter[str] = Counter()

    def add(self, kind: str, where: Place | str, what: str) -> None:
        """Count what is left out where its kind is allowed; otherwise it is a fault."""
        if kind in self.allow:
            self.left_out[kind] += 1
        else:
            self.faults.append(fault(where, what)._replace(kind=kind))

    def notes(self) -> list[str]:
        """The sentence on the faults that are allowed; none where there are none."""
        parts = [f"{counted(count, _noun(kind))} by {kind}" for kind, count in sorted(self.left_out.items()) if count]
        return [f"allowed: {', '.join(parts)}"] if parts else []


def _noun(kind: str) -> str:
    return _NOUNS.get(kind.rpartition("-")[2], "image")
