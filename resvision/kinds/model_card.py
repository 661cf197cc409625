"""What is known of a trained model without its net: enough to show it samples and to read its answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from resvision.core.data_names import IMAGENET
from resvision.core.errors import DataError
from resvision.core.samples import Timing
from resvision.core.views import View


@dataclass(frozen=True)
class ModelCard:
    """A trained model in words.

    name     of the net
    title    the run's folder, the weights' file or the bundle, for errors
    data     the name of the data set that it was trained on
    classes  in the order of their indices; empty where it was trained on none
    view     how images are shown to it
    side_px  side of the square that it was trained on, None where there was none
    timing   how its samples were cut out of recordings, all open where they were not
    columns  of a table of samples, as `role=column`, by which its data were read
    """

    name: str
    title: str
    data: str
    classes: tuple[str, ...]
    view: View
    side_px: int | None
    timing: Timing = field(default=Timing(), kw_only=True)
    columns: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def card(self) -> "ModelCard":
        """Itself, which is all that is asked of a model without its net."""
        return self

    def indices_of(self, classes: Sequence[str], *, data: str) -> list[int]:
        """The model's index of each class of a data set, matched by name.

        ImageNet's thousand, and a thousand WordNet ids, are matched by their order, which is the same everywhere, while
        their English names are not. Raises DataError for a class that it does not know.
        """
        wordnet = data == IMAGENET or all(name[:1] == "n" and name[1:].isdecimal() for name in classes)
        if self.data == IMAGENET and wordnet and len(classes) == len(self.classes):
            return [*range(len(classes))]
        foreign = [name for name in classes if name not in self.classes]
        if foreign:
            raise DataError(
                f"{data}: has classes that the run was not trained on: {', '.join(foreign[:5])};"
                f" the run knows {', '.join(self.classes[:10])}"
            )
        return [self.classes.index(name) for name in classes]
