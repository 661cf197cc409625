"""A row of the catalog: a model that can be built by name. It names functions as text, so that it loads no torch.

A user's own builder is named like ours, `package.module:function`, wherever a name is taken.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from resvision.kinds.table import TASKS, USUAL


@dataclass(frozen=True)
class Row:
    """A row describes one model.

    options      builder arguments that the name fixes, so that a user cannot give them
    usual        builder arguments that apply unless a user gives others
    builder      "module:function"; its other parameters are the options that a user may give. If it has a parameter
                 `backbone` that is an nn.Module, the user gives the name of a model, whose options are options of this
                 model too
    system       "module:class" that trains the net, where that is not the usual system of its task
    recipe       the recipe when none is named
    input        (C, H, W) of the paper's images
    num_classes  the paper's number of classes, None for a net without classes
    encoder      the model whose weights the net's first layers take, where it stands on no backbone
    is_backbone  whether a system may stand on the net, if the net has the stages that the system needs
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    usual: Mapping[str, Any] = field(default_factory=dict)
    task: str = USUAL
    paper: str
    year: int
    builder: str
    system: str = ""
    recipe: str = TASKS[USUAL].recipe
    input: tuple[int, int, int] = (3, 32, 32)
    num_classes: int | None = 10
    encoder: str = ""
    is_backbone: bool = True
