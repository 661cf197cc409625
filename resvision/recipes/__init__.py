"""Named trainings: a recipe is a function of a model's and a data set's name; its docstring is its receipt.

It gives a Run, or several phases: Runs, each of which starts with the result of the one before it, or a graph of runs
and fits with named parents.

RECIPES is the table: a name, where its function stands, and a line of help. Listing it loads no torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from resvision.catalog import find
from resvision.core import references
from resvision.core.errors import SettingsError, unknown_name
from resvision.core.settings import checked, with_leaf

if TYPE_CHECKING:
    from resvision.run import Run
    from resvision.training_graph import FitPhase, Phase

Tree = TypeVar("Tree")


class Recipe(NamedTuple):
    """A row of the table."""

    function: str
    summary: str


RECIPES = {
    "small-images-short": Recipe(
        "resvision.recipes.small_images:small_images_short",
        "one-cycle SGD, 20 epochs, shifts, for images up to about 64 px; default of CIFAR nets and MLPs",
    ),
    "photos-short": Recipe(
        "resvision.recipes.photos:photos_short",
        "one-cycle SGD, 30 epochs, random resized crops, for folders of photos; default of ImageNet nets",
    ),
    "lenet-short": Recipe(
        "resvision.recipes.lenet_1998:lenet_short",
        "one-cycle SGD, 20 epochs, 32 px, grey, for the distances of LeNet-5; its default",
    ),
    "alexnet-short": Recipe(
        "resvision.recipes.alexnet_vgg:alexnet_short",
        "one-cycle AdamW, 30 epochs, clipped, small images enlarged to 67 px; default of both AlexNets",
    ),
    "vgg-short": Recipe(
        "resvision.recipes.alexnet_vgg:vgg_short",
        "one-cycle AdamW, 30 epochs, clipped, small images enlarged to 32 px; default of the VGG nets",
    ),
    "lenet-1998": Recipe(
        "resvision.recipes.lenet_1998:lenet_1998",
        "LeCun et al. 1998, section III: 20 passes over single images, not scaled down",
    ),
    "alexnet-2012": Recipe(
        "resvision.recipes.alexnet_vgg:alexnet_2012",
        "Krizhevsky et al. 2012, section 5: 90 epochs in batches of 128, three drops, not scaled down",
    ),
    "vgg-2014": Recipe(
        "resvision.recipes.alexnet_vgg:vgg_2014",
        "Simonyan, Zisserman 2014, section 3.1: 74 epochs in batches of 256, three drops, not scaled down",
    ),
    "cifar-2015": Recipe(
        "resvision.recipes.resnet_2015:cifar_2015",
        "He et al. 2015, section 4.2: 64k steps of 128, drops at 32k and 48k; warm start from depth 110 on",
    ),
    "imagenet-2015": Recipe(
        "resvision.recipes.resnet_2015:imagenet_2015",
        "He et al. 2015, section 3.4: 600k steps of 256, scale jitter 256..480, 224 px crops",
    ),
    "inception-short": Recipe(
        "resvision.recipes.inception:inception_short",
        "one-cycle SGD, 30 epochs, small images enlarged to 64 px; default of GoogLeNet and BN-Inception",
    ),
    "prelunet-short": Recipe(
        "resvision.recipes.prelunet:prelunet_short",
        "one-cycle SGD, 30 epochs, small images enlarged to 64 px; default of the PReLU-nets",
    ),
    "segmentation-short": Recipe(
        "resvision.recipes.segmentation:segmentation_short",
        "one-cycle AdamW, 40 epochs in batches of 8, crops at half to twice the size; default of segmentation",
    ),
    "fcn-2015": Recipe(
        "resvision.recipes.segmentation:fcn_2015",
        "Long et al. 2015, section 4.3: 32s, 16s, 8s one after another, 100k steps each",
    ),
    "unet-2015": Recipe(
        "resvision.recipes.segmentation:unet_2015",
        "Ronneberger et al. 2015: tiles of 572 px, momentum 0.99, border weights, elastic deformation",
    ),
    "pspnet-2017": Recipe(
        "resvision.recipes.segmentation:pspnet_2017",
        "Zhao et al. 2017, section 5.1: 150k steps of 16 crops of 473 px, poly schedule, auxiliary loss 0.4",
    ),
    "deeplabv3-2017": Recipe(
        "resvision.recipes.segmentation:deeplabv3_2017",
        "Chen et al. 2017, section 4.1: output stride 16, then 8 with frozen normalization, 30k steps each",
    ),
    "googlenet-2014": Recipe(
        "resvision.recipes.inception:googlenet_2014",
        "Szegedy et al. 2014, section 6: 10M steps of 32, lr falls by 4 % every 8 epochs, crops of 8 to 100 % area",
    ),
    "bn-inception-2015": Recipe(
        "resvision.recipes.inception:bn_inception_2015",
        "Ioffe, Szegedy 2015, section 4.2, BN-x30: 6M steps of 32 at lr 0.045, which falls six times as often",
    ),
    "prelunet-2015": Recipe(
        "resvision.recipes.prelunet:prelunet_2015",
        "He et al. 2015, Delving Deep, section 3: 80 epochs of 128, scale jitter 256..480",
    ),
}


DECIDED = {
    "format": "this version of resvision",
    "recipe": "--recipe",
    "model.name": "the MODEL that is named",
    "model.num_classes": "the data",
    "data.name": "--data",
    "data.classes": "the data",
    "data.train_images": "the data",
    "data.validation_images": "the data and --validation",
    "data.test_images": "the data",
    "data.split_rule": "the data",
    "data.fingerprint": "the data",
    "data.preprocess": "the data, data.channels and data.image_size",
}
"""Leaves of a Run that follow from something else."""


def recipe(name: str) -> Callable[[str, str], "Run | tuple[Run, ...] | tuple[Phase, ...]"]:
    """The recipe function by its name, or by `package.module:function`; UnknownNameError otherwise.

    It gives a Run; Runs, each of which starts with the result of the one before it; or the phases of a graph.
    """
    if name not in RECIPES and not references.is_reference(name):
        raise unknown_name("recipe", name, RECIPES)
    found: Callable[[str, str], Run | tuple[Run, ...] | tuple[Phase, ...]] = references.load(
        RECIPES[name].function if name in RECIPES else name, kind="recipe"
    )
    return found


def usual_changes(
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    validation: float | None = None,
    patience: int | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> dict[str, Any]:
    """What people change most, by its path in the Run; what is None is left to the recipe."""
    changes = {
        "training.duration": None if epochs is None else f"{epochs} epochs",
        "training.batch_size": batch_size,
        "optimizer.lr": lr,
        "training.seed": seed,
        "data.validation": validation,
        "training.patience": patience,
        "machine.device": device,
        "machine.precision": precision,
    }
    return {path: value for path, value in changes.items() if value is not None}


def compose(
    model: str,
    data: str,
    *,
    recipe_name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
) -> "Run":
    """The Run of a model on a data set, as `compose_phases` makes it; SettingsError for a recipe of several phases."""
    first, *others = compose_phases(model, data, recipe_name=recipe_name, changes=changes, settings=settings)
    if others or first.kind != "run":
        count = 1 + len(others)
        raise SettingsError(f"{recipe_name or model}: is made of {count} phases; `resvision train` carries them out")
    return first.run


def compose_phases(
    model: str,
    data: str,
    *,
    recipe_name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
) -> "tuple[Phase, ...]":
    """The phases of a model on a data set: its recipe, then `changes` by path, then `settings` as `a.b=value`, in each.

    They hold for every run; of a fit that names its data, those that begin with `data.` do. Without a recipe's name
    the model's row in the catalog chooses, for a net of the user's own its task. Most recipes are one run. Raises
    UnknownNameError or SettingsError.
    """
    if model in RECIPES:
        raise SettingsError(f"{model} is a recipe; say: train MODEL --recipe {model}")
    name = recipe_name or _usual(model, changes or {}, settings)
    with references.own_code(name):
        made = recipe(name)(model, data)
    changed: list[Phase] = []
    for phase in _as_phases(name, made):
        if phase.kind == "run":
            changed.append(replace(phase, run=_changed(phase.run, changes or {}, settings)))
        else:
            changed.append(_data_changed(phase, changes or {}, settings))
    return tuple(changed)


def _as_phases(name: str, made: Any) -> "tuple[Phase, ...]":
    """What the recipe of that name gave, as phases; SettingsError where it is something else."""
    from resvision.run import Run  # with torch, which a recipe needs too and a listing of recipes does not
    from resvision.training_graph import FitPhase, RunPhase, chain

    if isinstance(made, Run):
        return chain([made])
    parts = made if isinstance(made, tuple) and made else (made,)
    if all(isinstance(part, Run) for part in parts):
        return chain(parts)
    wrong = [part for part in parts if not isinstance(part, RunPhase | FitPhase)]
    if wrong:
        raise SettingsError(f"{name}: gave {type(wrong[0]).__name__}, not a resvision.Run")
    return parts


def _usual(model: str, changes: Mapping[str, Any], settings: Sequence[str]) -> str:
    """The name of the recipe of a model where none is named."""
    asked = "model.task=segmentation" in settings or changes.get("model.task") == "segmentation"
    return "segmentation-short" if asked and references.is_reference(model) else find(model).recipe


def _data_changed(fit: "FitPhase", changes: Mapping[str, Any], settings: Sequence[str]) -> "FitPhase":
    """The fit with what is set of its data, where it names its own."""
    if fit.data is None:
        return fit
    of_data = {path: value for path, value in changes.items() if path.startswith("data.")}
    return _changed(fit, of_data, [text for text in settings if text.strip().startswith("data.")])


def _changed(tree: Tree, changes: Mapping[str, Any], settings: Sequence[str]) -> Tree:
    for path, value in changes.items():
        tree = with_leaf(tree, _open_to_change(path), value)
    for text in settings:
        path, equals, written = text.partition("=")
        if not equals:
            raise SettingsError(f"--set {text}: write it as key=value, such as --set optimizer.lr=0.05")
        tree = with_leaf(tree, _open_to_change(path.strip()), written.strip(), text=True)
    return checked(tree)


def _open_to_change(path: str) -> str:
    """The path, unless the value there follows from something else."""
    for decided, reason in DECIDED.items():
        if path == decided or path.startswith(f"{decided}."):
            raise SettingsError(f"{path}: cannot be set, it is decided by {reason}")
    return path
