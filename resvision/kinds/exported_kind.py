"""What a kind knows of a net once it is exported: how a graph is fed and read, and how its answers are scored."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.core.settings import Scalar
from resvision.kinds.graph import PIXELS, Graph
from resvision.kinds.model_card import ModelCard
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.scored import Scores
from resvision.kinds.seen_samples import SampleSource, Seen

S = TypeVar("S", bound=Scores)
S_co = TypeVar("S_co", bound=Scores, covariant=True)
T = TypeVar("T")

AS_EXPORTED = PredictionOptions()
"""Where a person asks for nothing else."""


class Exam(Protocol[S_co]):
    """The scoring of a model on a data set, sample by sample, in any order and whoever computes its answers."""

    def add(self, index: int, raw: Any, seen: Seen, target: Any) -> None:
        """Take in the raw result for sample `index`, as `Kind.decode` takes it, of the view `seen`."""
        ...

    def scores(self) -> S_co:
        """The scores of all samples; errors are those of the task's own scoring."""
        ...


class ExportedKind(Generic[S, T]):
    """The part of a `Kind` that bundles ask.

    name           the task's name
    graph_inputs   the inputs that `answers` can feed
    graph_outputs  the outputs that it reads; none where it reads the only one
    sample_source  "module:object" of the `SampleSource` of a task whose files hold several samples; "" where each is
                   an image
    """

    name: ClassVar[str]
    graph_inputs: ClassVar[frozenset[str]] = frozenset({PIXELS})
    graph_outputs: ClassVar[frozenset[str]] = frozenset()
    sample_source: ClassVar[str] = ""

    def samples(self) -> SampleSource | None:
        """The way to samples of a task whose files hold several; None where a file is an image."""
        source: SampleSource | None = (
            references.find(self.sample_source, noun="sample source") if self.sample_source else None
        )
        return source

    def answers(self, graph: Graph, seen: Sequence[Seen], fixed: Mapping[str, Scalar]) -> list[Any]:
        """What a graph says of views of one size, each as `chosen` takes it.

        fixed  what was fixed when the net was exported, by name

        Raises SettingsError for a graph of several outputs, where a kind does not know them.
        """
        outputs = graph({PIXELS: np.stack([one.pixels for one in seen])})
        if len(outputs) != 1:
            raise SettingsError(f"{self.name}: its Kind has no `answers` for a graph that gives {', '.join(outputs)}")
        (values,) = outputs.values()
        return [*values]

    def answer_fault(self, answer: Any, classes: Sequence[str]) -> str:
        """The fault of an answer that does not go with the classes, in words; "" for a good one."""
        return ""

    def chosen(
        self, answer: Any, fixed: Mapping[str, Scalar], options: PredictionOptions, *, classes: Sequence[str]
    ) -> Any:
        """What a person wants of an answer, as `decode` takes it, by options that `require_choosable` lets pass."""
        return answer

    def require_choosable(
        self, options: PredictionOptions, fixed: Mapping[str, Scalar], *, classes: Sequence[str]
    ) -> None:
        """Raise SettingsError for an option of predictions that cannot be chosen once a net is exported.

        fixed    what was fixed when it was, by name
        classes  of the model, in the order of their indices
        """
        for name, is_given in options.given().items():
            if is_given:
                value = f" at {fixed[name]}" if name in fixed else ""
                raise SettingsError(f"--{name}: was fixed{value} when the net was exported; export it again")

    def agreement(self, one: Any, other: Any) -> float:
        """The share of what two results for one image say alike, 0..1."""
        return float(one.to_json() == other.to_json())

    def exam(self, model: ModelCard, reader: Reader[T], protocol: str | None = None) -> Exam[S]:
        """An exam of a model on all samples of a reader, by the usual protocol or the one that is named.

        Raises DataError for classes that the model does not know, UnknownNameError for a protocol that there is not,
        SettingsError for one that asks for more than one view of an image, or for a task that has no exam.
        """
        raise SettingsError(f"{self.name}: is scored by its torch half alone; evaluate the run")
