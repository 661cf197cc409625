"""The weights of a run as a file of their own, with layers cut to a lower rank where that is asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resvision.core.errors import SettingsError, printable


def require_alone(options: Mapping[str, Any]) -> None:
    """Raise SettingsError for options that say what is not known of a file; of a run all is known."""
    for key, value in options.items():
        if value:
            raise SettingsError(
                f"--{key.replace('_', '-')}: goes with a file; all of it is known of a run, leave it out"
            )


def ranks_of(text: str | None) -> dict[str, int]:
    """The ranks in a text such as `fc6=1024,fc7=256`, by layer; SettingsError where it says none."""
    ranks: dict[str, int] = {}
    for part in text.split(",") if text is not None else ():
        layer, equals, rank = part.strip().partition("=")
        if not (layer and equals and rank.isdecimal()) or layer in ranks:
            raise SettingsError(
                f"--svd {printable(text or '')}: write LAYER=RANK, each layer once, as fc6=1024,fc7=256"
            )
        ranks[layer] = int(rank)
    return ranks


def write(folder: Path, target: Path, *, model: str | None, ranks: Mapping[str, int]) -> list[str]:
    """Write the result of a run with a header that names net, options, view and classes; the lines that say so.

    Raises RunError for a folder that is no run, SettingsError for another model than the run's and for ranks that
    cannot be.
    """
    from resvision.run import read_run
    from resvision.training.checkpoints import read_weights, result_weights
    from resvision.truncation import truncate
    from resvision.weights.about import About, header_of
    from resvision.weights.fetch import write_safetensors

    run = read_run(folder)
    name = run.model.name
    if model not in (None, name):
        raise SettingsError(f"{printable(folder)}: is a run of {name}, not of {model}; leave the name out")
    options = {**run.model.options, "num_classes": run.model.num_classes}
    options, state, cuts = truncate(name, options, read_weights(result_weights(folder)), ranks)
    about = About(
        model=name, options=options, view=run.data.view, classes=run.data.classes, settled=("those of its run",)
    )
    write_safetensors(target, state, header_of(about, made_from=folder.name))
    return [*map(str, cuts), f"{printable(target)}: {len(state):,} tensors of {name}, from {printable(folder)}"]
