"""The worst test images of a run as pictures inside a page, as data URIs, from the data that the run was tested on.

A run directory holds neither images nor results for them: images are read anew and, where the kind of the run shows
results, the net predicts them anew.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from PIL import Image

from resvision.core import references
from resvision.core.errors import DataError, ResVisionError, printable
from resvision.core.samples import Reader, Sample
from resvision.data import identities
from resvision.data.sets import open_splits, require_place
from resvision.data.splits import Splits
from resvision.kinds.kind import Example, Exhibit, Panel
from resvision.report.heat import with_heat
from resvision.report.record import RunRecord

SINGLE_PX = 192  # of a single picture's longer side, twice what the page shows; larger ones are shrunk
SINGLE_PIXELATED_PX = 95  # the page shows it larger than it is
PANEL_PX = 320  # of one of several pictures
LETTERED_PX = 640  # of one with writing in it
PIXELATED_PX = 128  # a picture this small is no larger as a PNG, and its pixels are shown as they are
UNSCORED = "The run has not been scored yet."


class Picture(NamedTuple):
    """A PNG or JPEG of `width` x `height` pixels as a data URI; `pixelated` where single pixels are to be seen."""

    name: str
    uri: str
    width: int
    height: int
    pixelated: bool


class GalleryImage(NamedTuple):
    """A test image with its caption, of which `title` is bold, and its pictures."""

    source: str
    lead: str
    title: str
    text: str
    pictures: tuple[Picture, ...]


class Gallery(NamedTuple):
    """Test images, the worst first, with names and colours of the legend; or a sentence on why there are none.

    single  whether each has one picture, so that they stand in a grid
    small   whether the pictures of each are few and small, so that several images stand side by side
    note    a sentence on the heat that lies over pictures, or on why there is none; "" for neither
    """

    images: tuple[GalleryImage, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    single: bool = False
    small: bool = False
    reason: str = ""
    note: str = ""


def gallery_of(record: RunRecord, *, allow_code: bool = False, advance: Callable[[], None] = lambda: None) -> Gallery:
    """The worst test images of a run; a reason where data cannot be read, or the net not be loaded.

    A data set, net or task that is a user's own code runs only with `allow_code`. `advance` is called after each image
    that is shown, and again after each that is explained.
    """
    if record.scores is None:
        return Gallery(reason=UNSCORED)
    examples = record.kind.worst(record.scores)
    if not examples:
        return Gallery(reason=record.kind.none_wrong(record.scores))
    answers: list[tuple[Any, Any]] = []
    exhibits: list[Exhibit] = []
    samples: list[Sample[Any]] = []
    try:
        for sample, result, exhibit in _exhibits(record, examples, allow_code=allow_code):
            samples.append(sample)
            exhibits.append(exhibit)
            answers.append((sample.target, result))
            advance()
        legend = tuple(record.kind.legend(record.scores, answers))
    except (ResVisionError, ModuleNotFoundError) as error:
        return Gallery(reason=f"The pictures are left out: {error}")
    return gallery(
        exhibits, legend, lambda: with_heat(record, exhibits, samples, allow_code=allow_code, advance=advance)
    )


def gallery(
    exhibits: Sequence[Exhibit],
    legend: tuple[tuple[str, str], ...],
    explain: Callable[[], tuple[list[Exhibit], str]],
) -> Gallery:
    """The gallery of exhibits; `explain` gives them with what the net looked at, and a sentence on that."""
    single = all(len(exhibit.panels) == 1 for exhibit in exhibits)
    explained, note = explain()
    still_single = all(len(exhibit.panels) == 1 for exhibit in explained)
    shown = tuple(shown_exhibits(explained, small=single))
    return Gallery(shown, legend, single=still_single, small=single and not still_single, note=note)


def _exhibits(
    record: RunRecord, examples: Sequence[Example], *, allow_code: bool
) -> Iterator[tuple[Sample[Any], Any, Exhibit]]:
    """The samples, the net's results where the kind asks for them, and how the kind shows the two.

    Raises DataError where the data are not what the run was scored on, and for code that is not to run.
    """
    _require_allowed(record, allow_code=allow_code)
    test = _scored_split(record)
    predict = _predictor(record, allow_code=allow_code) if record.kind.predicts_examples else None
    for rank, example in enumerate(examples):
        with references.own_code(str(record.setting("data.name")), error=DataError):
            sample, source = test[example.image], printable(test.source(example.image))
        if PurePath(source).name != PurePath(printable(example.source)).name:
            raise DataError(f"{example.source}: is no longer the test image {example.image}, which is {source}")
        result = None if predict is None else predict(sample, source)
        with references.own_code(record.task_name, error=DataError):
            exhibit = record.kind.exhibit(record.scores, rank, sample.image, sample.target, result)
        yield sample, result, exhibit


def _require_allowed(record: RunRecord, *, allow_code: bool) -> None:
    """DataError where a data set, or a net that is to predict, is a user's own code that may not run."""
    name, model = str(record.setting("data.name")), str(record.setting("model.name"))
    code = [model] if record.kind.predicts_examples and references.is_reference(model) else []
    if references.is_reference(name) and not Path(name).is_dir():
        code.append(name)
    if code and not allow_code:
        raise DataError(f"{code[0]} is code of your own, which a report runs only with --allow-code")


def open_data(record: RunRecord, *, allow_code: bool) -> Splits:
    """The splits of a run's data set; DataError where it is not there, or is code that may not run."""
    name, root = str(record.setting("data.name")), record.setting("data.root")
    if references.is_reference(name) and not Path(name).is_dir() and not allow_code:
        raise DataError(f"{name} is code of your own, which a report runs only with --allow-code")
    require_place(name, record.name)
    return open_splits(
        name,
        root=Path(root) if root else None,
        channels=record.setting("data.channels"),
        image_size=record.setting("data.image_size"),
        task=record.task_name,
        columns=record.setting("data.columns") or (),
        allow=record.setting("data.allow") or (),
        **record.cutting,
    )


def _scored_split(record: RunRecord) -> Reader[Any]:
    """The test split of the run; DataError where it is not what the run was scored on."""
    name, splits = str(record.setting("data.name")), open_data(record, allow_code=True)
    known = identities.read(record.folder)
    test = splits.test if known is None else known.own_test(splits).reader
    if len(test) != record.scores.images or tuple(test.classes) != record.scores.classes:
        raise DataError(f"{name} has changed since the run was scored")
    return test


def _predictor(record: RunRecord, *, allow_code: bool) -> Callable[[Sample[Any], str], Any]:
    """The net's result for a labelled sample and its name."""
    from resvision.inference.load import load  # a page without predictions needs no net
    from resvision.prediction.predictions import result_of

    trained = load(record.folder, allow_code=allow_code)
    return lambda sample, name: result_of(trained, sample, name=name, grey=True)


def shown_exhibits(exhibits: Sequence[Exhibit], *, small: bool) -> list[GalleryImage]:
    """Exhibits as the page holds them, their pictures `small` where each has one, or is one of many on a page."""
    return [
        GalleryImage(
            exhibit.source,
            exhibit.lead,
            exhibit.title,
            exhibit.text,
            tuple(picture_of(panel, single=small) for panel in exhibit.panels),
        )
        for exhibit in exhibits
    ]


def picture_of(panel: Panel, *, single: bool) -> Picture:
    """A picture as the page holds it, shrunk if it is large.

    A single one is a PNG, since the page shows it small. One of several is a JPEG unless it is small or has a palette,
    and so is one under colours.
    """
    picture = panel.picture.copy()
    longest_px = LETTERED_PX if panel.lettered else SINGLE_PX if single else PANEL_PX
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    pixelated = max(picture.size) <= (SINGLE_PIXELATED_PX if single else PIXELATED_PX)
    form = "png" if (single and not panel.heated) or pixelated or picture.mode == "P" else "jpeg"
    return Picture(panel.name, _uri(picture, form), *picture.size, pixelated)


def _uri(picture: Image.Image, form: str) -> str:
    stream = BytesIO()
    if form == "jpeg":
        picture = picture.convert("RGB")  # it knows no transparency
    picture.save(stream, format=form, optimize=True, quality=85)
    return f"data:image/{form};base64,{b64encode(stream.getvalue()).decode()}"
