"""The flags of `train`: settings that people change most, each declared once.

Flags is the table. `resvision train` makes an option of each line, `resvision.train` takes each as a keyword argument,
and both hand them to `changes_of`, which gives the path of each in the Run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict, get_args, get_type_hints

from resvision.core.errors import unknown_name


@dataclass(frozen=True)
class Flag:
    """A flag sets one leaf of the Run.

    path   the leaf, such as "optimizer.lr"
    help   the line of `resvision train --help`
    min    the smallest value that the command line takes; the Run checks every value once more
    write  how the Run writes the value, if not as it is given
    """

    path: str
    help: str
    min: int | None = None
    write: Callable[[Any], Any] | None = None


class Flags(TypedDict, total=False):
    """The values of the flags; one that is missing or None is left to the recipe."""

    epochs: Annotated[
        int | None,
        Flag(
            "training.duration",
            "Train for this number of passes over the training images.",
            min=1,
            write="{} epochs".format,
        ),
    ]
    batch_size: Annotated[int | None, Flag("training.batch_size", "Take this number of images in each step.", min=1)]
    lr: Annotated[float | None, Flag("optimizer.lr", "Set the highest learning rate of the schedule.")]
    from_scratch: Annotated[
        bool | None,
        Flag("model.encoder_from", "Leave out the pre-trained encoder that a recipe asks for.", write=lambda _: None),
    ]
    seed: Annotated[
        int | None, Flag("training.seed", "Draw initial weights, order and augmentation from this seed.", min=0)
    ]
    columns: Annotated[
        str | None,
        Flag(
            "data.columns",
            "Name the columns of a table of images, as path=file,label=breed.",
            write=lambda text: text.split(","),
        ),
    ]
    allow: Annotated[
        str | None,
        Flag(
            "data.allow",
            "Leave out what faults of these kinds concern, as outside-boxes,unlabelled-images.",
            write=lambda text: text.split(","),
        ),
    ]
    proposals: Annotated[
        str | None,
        Flag(
            "data.proposals",
            "Take regions from this file, for a net that looks at given ones; they are searched for if left out.",
            write=lambda path: str(Path(path).resolve()),
        ),
    ]
    validation: Annotated[
        float | None,
        Flag("data.validation", "Hold out this share of the training images, which chooses the best weights."),
    ]
    train_images: Annotated[
        int | None,
        Flag(
            "data.train_limit",
            "Train on this number of images alone, drawn by the seed, of each class alike.",
            min=1,
        ),
    ]
    patience: Annotated[
        int | None,
        Flag("training.patience", "End the run after this number of evaluations without a better one.", min=1),
    ]
    device: Annotated[str | None, Flag("machine.device", "Train on this device: auto, cpu or cuda.")]
    threads: Annotated[
        int | None,
        Flag("machine.threads", "Use this number of threads of the CPU; fewer help where other work shares it.", min=1),
    ]
    precision: Annotated[str | None, Flag("machine.precision", "Compute in this precision: auto, fp32 or bf16.")]


class DeclaredFlag(NamedTuple):
    """A flag with the type of its values, None among them."""

    type: Any
    flag: Flag


FLAGS = {name: DeclaredFlag(*get_args(hint)) for name, hint in get_type_hints(Flags, include_extras=True).items()}
"""Each flag by its name, in the order of the table."""


def changes_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a Run, by path, that the flags ask for; a flag that is None or False changes nothing.

    Raises UnknownNameError for a name that is no flag.
    """
    changes = {}
    for name, value in flags.items():
        if name not in FLAGS:
            raise unknown_name("flag", name, FLAGS, remedy="`settings` changes any other leaf of the Run")
        flag = FLAGS[name].flag
        if value is not None and value is not False:
            changes[flag.path] = flag.write(value) if flag.write else value
    return changes
