"""The grounds of mistakes: beside each exhibit, what the net looked at for the false answer and for the true one."""

from collections.abc import Callable, Sequence

from resvision.core import references
from resvision.core.errors import ResVisionError
from resvision.core.images import Pixels
from resvision.kinds.kind import Exhibit, Panel
from resvision.report.record import RunRecord

NOTE = (
    "Colours show by Grad-CAM at {layer} what the net looked at for each class: the brighter, the more its score rests"
    " on the place. The strongest place of every picture is the brightest, however low the score."
)


def with_heat(
    record: RunRecord,
    exhibits: Sequence[Exhibit],
    images: Sequence[Pixels],
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
        from resvision.inference.explain import explain_image  # a page without explanations needs no net
        from resvision.inference.heat_pictures import overlay
        from resvision.inference.load import load

        trained = load(record.folder, allow_code=allow_code)
        heated: list[Exhibit] = []
        layer: str | None = None
        for exhibit, image in zip(exhibits, images, strict=True):
            explanation = explain_image(trained, image, exhibit.asked, name=exhibit.source)
            layer = explanation.layer or layer
            panels = [
                Panel(asked.words, overlay(image, explanation, heat), heated=True)
                for asked, heat in zip(exhibit.asked, explanation.heats, strict=True)
            ]
            heated.append(exhibit._replace(panels=(*exhibit.panels, *panels)))
            advance()
    except (ResVisionError, ModuleNotFoundError) as error:
        return [*exhibits], f"What the net looked at is left out: {error}"
    return heated, NOTE.format(layer=layer)
