"""The catalog of models that can be built by name. Importing it loads no torch.

row             a row: name, builder, task, recipe, paper
classification  the rows of a task; `segmentation`, `detection` and `motion` likewise
table           all of them, by name
signatures      the options that a builder takes, and checks of their values
building        the building of a net by its name
"""

from resvision.catalog.building import backbones as backbones
from resvision.catalog.building import build as build
from resvision.catalog.row import Row as Row
from resvision.catalog.signatures import choices as choices
from resvision.catalog.signatures import identity as identity
from resvision.catalog.signatures import known_options as known_options
from resvision.catalog.signatures import options as options
from resvision.catalog.signatures import takes as takes
from resvision.catalog.signatures import takes_anything as takes_anything
from resvision.catalog.signatures import takes_backbone as takes_backbone
from resvision.catalog.table import ROWS as ROWS
from resvision.catalog.table import find as find
