"""The table of models that can be built by name, joined of the tables of the tasks. Importing it loads no torch."""

from resvision.catalog import classification, detection, motion, segmentation
from resvision.catalog.row import Row
from resvision.core import references
from resvision.core.errors import unknown_name

ROWS = (*classification.ROWS, *segmentation.ROWS, *detection.ROWS, *motion.ROWS)
_BY_NAME = {row.name: row for row in ROWS}


def find(name: str) -> Row:
    """The row of a model's name; for `package.module:function`, a new row that names this function as builder.

    Raises UnknownNameError with the nearest names.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if references.is_reference(name):
        return Row(name, paper="your own", year=0, builder=name)
    raise unknown_name("model", name, _BY_NAME, remedy="`resvision list` shows all")
