"""Weights in a file, used without a run: the net, the view and the classes that the file or its user says.

A file that `convert` wrote has them in its header. Whoever uses another file says what it does not: how pixels are
normalized at least, since without that a net answers anything, and in silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from resvision import catalog
from resvision.assembly import UNKNOWN_DATA, NetWeights
from resvision.conversion import Fitted, fit_to, fitting_option, readings
from resvision.core import references
from resvision.core.class_names import is_class_name
from resvision.core.errors import RunError, SettingsError, WeightsError, printable
from resvision.core.files import SMALL, read_text
from resvision.core.settings import Scalar
from resvision.core.views import View
from resvision.tasks import task_of
from resvision.training.checkpoints import State
from resvision.training.initial import read_initial
from resvision.weights.about import About, read_about
from resvision.weights.foreign import require_regular

IMAGENETS = "0.485,0.456,0.406 0.229,0.224,0.225"

Normalization = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation in units of 0..1, each one number for all channels or one for each."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Facts that a person gives about weights: the view, or parts of it; classes in order; options of the net.

    `classes_of_data` are those of the images that they are scored on, for weights whose classes nobody names.
    """

    view: View | None = None
    normalize: Normalization | None = None
    image_size: Sequence[int] = ()
    classes: Sequence[str] | None = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    classes_of_data: Sequence[str] | None = None

    @property
    def says_something(self) -> bool:
        """Whether anything is known."""
        return self != Known()


class FromFile(NamedTuple):
    """Weights of a file, ready for a net of ours, and the choices that nothing settles, as a line; "" without."""

    weights: NetWeights
    state: State
    doubt: str


def read_file(model: str, file: Path, known: Known) -> FromFile:
    """Read weights of a net of ours, under our names.

    Raises WeightsError where they are of another net, SettingsError where nobody says how pixels are normalized, and
    RunError, with the remedy, for a file that is not safetensors.
    """
    require_regular(file, printable(file))
    state = read_initial(file)
    header = read_about(file)
    if header is not None:
        require_same_net(file, header, model, known.options)
    about = header or About(model=model)
    # The number of classes follows from the shapes, as it does for a file that says nothing of itself.
    own = {key: value for key, value in about.options.items() if key != "num_classes"}
    fitted = fit_to(model, state, {**own, **known.options})
    require_fit(file, fitted, state)
    named = known.classes or about.classes
    origin = "--classes" if known.classes else f"{printable(file)}, its header" if named else "--data"
    classes = classes_of(file, fitted, named or known.classes_of_data, option=origin)
    view = view_of(fitted, known, about.view, asked_by=str(printable(file)))
    weights = NetWeights(model, str(file.resolve()), UNKNOWN_DATA, view, classes, fitted.options)
    doubts = [] if about.settled else [doubt_of(fitted)]
    if named is None and known.classes_of_data is not None:
        doubts.append("does not name its classes, which are taken to be in the order of the data's")
    return FromFile(weights, fitted.fit.state, "; ".join(filter(None, doubts)))


def require_same_net(file: Path, about: About, model: str, options: Mapping[str, Scalar]) -> None:
    """Raise WeightsError where a file says that its weights are of another net than `model` with `options`.

    Code that the file names is not imported: a stranger may have written it. What a person names is.
    """
    if references.is_reference(about.model) and about.model != model:
        raise WeightsError(f"{printable(file)}: holds weights of {printable(about.model)[:80]}; {model} is another net")
    theirs, ours = catalog.identity(about.model, about.options), catalog.identity(model, {**about.options, **options})
    if theirs != ours:
        different = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
        them, us = (", ".join(f"{key}={net.get(key)}" for key in different) for net in (theirs, ours))
        if theirs["builder"] != ours["builder"]:
            raise WeightsError(f"{printable(file)}: holds weights of {about.model}; {model} is another net")
        raise WeightsError(f"{printable(file)}: holds weights of a net with {them}; {model} here has {us}")


def require_fit(file: Path, fitted: Fitted, state: State) -> None:
    """Raise WeightsError where not all of a file's tensors and of the net's fit each other."""
    if not (faults := fitted.fit.faults):
        return
    some = "; ".join(printable(fault)[:100] for _, fault in sorted(faults.items())[:3])
    option = fitting_option(fitted.model, fitted.options, state)
    remedy = f"say --option {option}" if option else f"`resvision convert {printable(file)} {fitted.model}` tells more"
    raise WeightsError(f"{printable(file)}: {len(faults)} keys differ from {fitted.model}: {some}; {remedy}")


def view_of(fitted: Fitted, known: Known, own: View | None, *, asked_by: str) -> View:
    """The view of a net's images: as a person says it, or else as the file does. Raises SettingsError."""
    channels = int(fitted.options.get("in_channels") or catalog.find(fitted.model).input[0])
    view = known.view
    try:
        if view is None and known.normalize is not None:
            mean, std = (_of_channels(values, channels) for values in known.normalize)
            row, task = catalog.find(fitted.model), task_of(catalog.find(fitted.model).task)
            view = task.usual_view(tuple(known.image_size), mean=mean, std=std, input_px=row.input[1])
        elif view is None and own is not None and known.image_size:
            row, task = catalog.find(fitted.model), task_of(catalog.find(fitted.model).task)
            view = task.usual_view(tuple(known.image_size), mean=own.mean, std=own.std, input_px=row.input[1])
    except ValueError as error:
        remedy = "; mean and std are in units of 0..1" if "mean must" in str(error) else ""
        raise SettingsError(f"--normalize, --image-size: {error}{remedy}") from None
    view = view or own
    if view is None:
        raise SettingsError(
            f"{asked_by}: does not say how its net's pixels are normalized; say --normalize MEAN STD in units of 0..1,"
            f" such as --normalize {IMAGENETS}, those of ImageNet"
        )
    if view.channels != channels:
        raise SettingsError(f"--normalize: gives {view.channels} channels, but {fitted.model} takes {channels} here")
    return view


def own_view(file: Path) -> View | None:
    """The view in the header of a file, None where it has none or is not safetensors."""
    try:
        about = read_about(file)
    except RunError:
        return None
    return None if about is None else about.view


def classes_of(file: Path, fitted: Fitted, names: Sequence[str] | None, *, option: str) -> tuple[str, ...]:
    """The classes in the order of the logits, numbered where nobody names them; SettingsError for another number."""
    count = int(fitted.options["num_classes"])
    if names is None:
        return tuple(str(number) for number in range(count))
    if wrong := [name for name in names if not is_class_name(name)]:
        raise SettingsError(f"{option}: {wrong[0]!r:.60} cannot name a class; write a word or a few on one line")
    if len(names) != count or len({*names}) != count:
        raise SettingsError(
            f"{option}: {len({*names})} different classes, but {printable(file)} has weights for {count} classes"
        )
    return tuple(names)


def read_classes(file: Path) -> tuple[str, ...]:
    """The names in a text file, one a line, in the order of the logits; SettingsError where there are none."""
    try:
        lines = read_text(file, SMALL).removeprefix("\ufeff").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(f"--classes {printable(file)}: cannot be read: {reason}") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise SettingsError(f"--classes {printable(file)}: holds no names; write one a line")
    return names


def doubt_of(fitted: Fitted) -> str:
    """A line about the choices that weights cannot tell; "" where there are none."""
    candidates = readings(fitted.model, fitted.options, padding=None)
    if len(candidates) < 2:
        return ""
    others = " or ".join(str(reading) for reading in candidates[1:])
    return (
        f"the weights cannot tell whether they are of a net with {candidates[0]}, as read here, or with {others};"
        " `resvision convert --verify FOLDER` tells by labelled images"
    )


def _of_channels(values: Sequence[float], channels: int) -> tuple[float, ...]:
    return tuple(values) * channels if len(values) == 1 else tuple(values)
