"""The samples that a model without a run is scored on: the test split of a named set, or a folder of one's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resvision.core.errors import SettingsError, printable
from resvision.core.references import is_reference
from resvision.core.samples import Reader
from resvision.data.folds import open_whole
from resvision.data.sets import full_name, open_splits, require_place
from resvision.prediction.predictor import Predictor


def open_exam(
    model: Predictor, data: str | None, *, root: Path | None = None, columns: Sequence[str] | None = None
) -> Reader[Any]:
    """Open the test split of `data`, or all of it where it has none; of the model's own data when left out.

    Raises SettingsError for data of the model that are a function of somebody's own, which is not imported unless a
    person names it, and what `open_splits` raises.
    """
    card, task = model.card, model.kind.name
    if data is None:
        if is_reference(card.data):
            raise SettingsError(f"{model.title}: was trained on {printable(card.data)}; name the images by --data")
        require_place(card.data, model.title)
    name = card.data if data is None else full_name(data)
    own = name == card.data
    stated = (card.columns if own else ()) if columns is None else columns
    if not own:
        whole = open_whole(name, task, stated, timing=card.timing)
        if whole is not None:
            return whole.reader
    return open_splits(name, root=root, task=task, columns=stated, timing=card.timing).test
