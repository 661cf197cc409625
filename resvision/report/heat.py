"""The grounds of mistakes: beside each exhibit, what the net looked at for the false answer and for the true one."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from resvision.core import references
from resvision.core.errors import ResVisionError
from resvision.core.samples import Sample
from resvision.kinds.kind import Exhibit, Panel
from resvision.kinds.prediction_options import PredictionOptions
from resvision.report.record import RunRecord

if TYPE_CHECKING:
    from resvision.inference.load import Trained

NOTE = (
    "Colours show by Grad-CAM at {layer} what the net looked at for each class: the brighter, the more its score rests"
    " on the place. The strongest place of every picture is the brightest, however low the score."
)

LEFT_OUT = "What the net looked at is left out"


def with_heat(
    record: RunRecord,
    exhibits: Sequence[Exhibit],
    samples: Sequence[Sample[Any]],
    *,
    allow_code: bool,
    advance: Callable[[], None] = lambda: None,
) -> tuple[list[Exhibit], str]:
    """The exhibits with a picture for each class that they ask about, and a sentence on these pictures.

    Where the net cannot be loaded or explained, the exhibits as they are, and the reason.
    """
    own_net = references.is_reference(str(record.setting("model.name"))) and not allow_code
    if own_net or not any(exhibit.asked for exhibit in exhibits):
        return [*exhibits], ""
    try:
        from resvision.inference.evaluate import with_own_proposals
        from resvision.inference.load import load  # a page without explanations needs no net

        trained = load(record.folder, allow_code=allow_code)
        options = with_own_proposals(trained, PredictionOptions())
        if options.proposals is not None:
            trained = trained.task.configured(trained, options)
        return heated(trained, exhibits, samples, advance=advance)
    except (ResVisionError, ModuleNotFoundError) as error:
        return [*exhibits], f"{LEFT_OUT}: {error}"


def heated(
    trained: "Trained",
    exhibits: Sequence[Exhibit],
    samples: Sequence[Sample[Any]],
    *,
    advance: Callable[[], None] = lambda: None,
) -> tuple[list[Exhibit], str]:
    """The exhibits with a picture for each class that they ask about, and a sentence on these pictures.

    Where the net cannot be explained, the exhibits as they are, and the reason; "" where they ask about nothing.
    """
    if not any(exhibit.asked for exhibit in exhibits):
        return [*exhibits], ""
    from resvision.inference.explain import explain_sample
    from resvision.inference.heat_pictures import overlay

    explained: list[Exhibit] = []
    layer: str | None = None
    try:
        for exhibit, sample in zip(exhibits, samples, strict=True):
            explanation = explain_sample(trained, sample, exhibit.asked, name=exhibit.source)
            layer = explanation.layer or layer
            panels = [
                Panel(asked.words, overlay(sample.image, explanation, heat), heated=True)
                for asked, heat in zip(exhibit.asked, explanation.heats, strict=True)
            ]
            explained.append(exhibit._replace(panels=(*exhibit.panels, *panels)))
            advance()
    except ResVisionError as error:
        return [*exhibits], f"{LEFT_OUT}: {error}"
    return explained, NOTE.format(layer=layer)
