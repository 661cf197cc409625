"""The flags of `train`: settings that people change most, each declared once.

Flags is the table. `resvision train` makes an option of each line, `resvision.train` takes each as a keyword argument,
and both hand them to `changes_of`, which gives the path of each in the Run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
        Flag("training.duration", "Passes over the training images.", min=1, write="{} epochs".format),
    ]
    batch_size: Annotated[int | None, Flag("training.batch_size", "Images of one step.", min=1)]
    lr: Annotated[float | None, Flag("optimizer.lr", "Peak learning rate.")]
    from_scratch: Annotated[
        bool | None,
        Flag("model.encoder_from", "Leave out the pre-trained encoder that a recipe asks for.", write=lambda _: None),
    ]
    seed: Annotated[int | None, Flag("training.seed", "Seed of weights, order and augmentation.", min=0)]
    validation: Annotated[
        float | None,
        Flag("data.validation", "Share of the training images that judges the run; keeps its best weights."),
    ]
    patience: Annotated[
        int | None,
        Flag("training.patience", "Evaluations without a better one that end the run; with --validation.", min=1),
    ]
    device: Annotated[str | None, Flag("machine.device", "The device to train on: auto, cpu or cuda.")]
    threads: Annotated[
        int | None, Flag("machine.threads", "Threads of the CPU; fewer where other work shares it.", min=1)
    ]
    precision: Annotated[str | None, Flag("machine.precision", "The arithmetic of training: auto, fp32 or bf16.")]


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
