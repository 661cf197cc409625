"""What predicts: a run with torch, or a bundle with an engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from resvision.core.samples import Sample
from resvision.core.views import View
from resvision.kinds.kind import Kind
from resvision.kinds.model_card import ModelCard
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import SampleFile, Seen


class Predictor(Protocol):
    """A trained model that says what it sees; `kinds.model_card` explains its plain members."""

    @property
    def name(self) -> str:
        """The net."""
        ...

    @property
    def title(self) -> str:
        """The run's folder, the weights' file or the bundle."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of their indices."""
        ...

    @property
    def view(self) -> View:
        """The way from an image to what the net sees."""
        ...

    @property
    def card(self) -> ModelCard:
        """What is known of it without its net."""
        ...

    @property
    def kind(self) -> Kind[Any, Any, Any]:
        """The torch-free half of the task."""
        ...

    @property
    def at_a_time(self) -> int:
        """The number of views that are best shown together, where all become one size."""
        ...

    @property
    def lanes(self) -> int:
        """The number of threads that are best in `raw` at once; 1 where it uses all cores by itself."""
        ...

    @property
    def sees_views_alone(self) -> bool:
        """Whether `raw` reads the views and what stands beside them, and not the images that they were made of."""
        ...

    def configured(self, options: PredictionOptions) -> Self:
        """The same model with what a person asks of its predictions; SettingsError for values that cannot be."""
        ...

    def opened(self, file: Path) -> SampleFile | None:
        """Open a file that holds several samples; None for an image. DataError for one that holds none."""
        ...

    def seen_sample(self, sample: Sample[Any], name: str) -> Seen | None:
        """One labelled sample as the net sees it; None where it sees the sample's image by its view."""
        ...

    def beside(self, seen: Seen) -> Any:
        """What the net takes beside the pixels of a view; None where there is no more. DataError if it is missing."""
        ...

    def raw(self, seen: Sequence[Seen]) -> list[Any]:
        """The raw results for views of one size, each as `Kind.decode` takes it."""
        ...


AnyPredictor = TypeVar("AnyPredictor", bound=Predictor)
