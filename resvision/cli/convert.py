"""`resvision convert`: a state dict from elsewhere becomes safetensors under our names."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resvision import catalog
from resvision.cli.inspect import parse_option
from resvision.core.drafts import sweep
from resvision.core.errors import SettingsError, WeightsError, printable

if TYPE_CHECKING:
    from resvision.training.checkpoints import State
    from resvision.weights.convert import Fit
    from resvision.weights.foreign import Foreign

FROM_SHAPES = ("width", "in_channels", "num_classes")
"""Options that follow from the shapes of a file's tensors."""


def command(
    file: Annotated[Path, typer.Argument(help="A state dict: of PyTorch (.pth, .pt, .bin) or safetensors.")],
    model: Annotated[str, typer.Argument(help="A name of the catalog, or package.module:function.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="What to write [default: FILE as .safetensors].")
    ] = None,
    num_classes: Annotated[int | None, typer.Option(min=1, help="[default: what the shapes tell]")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the net, such as width=32. Repeatable.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The weights to take where FILE holds several, such as averaged ones.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Convert weights with torchvision's, timm's or DataParallel's names; every name that changes or fails is listed.

    Nothing is written unless all of the net's weights are there, in their shapes, and no others. The result starts a
    training by --set model.init_from=OUT.
    """
    target = out or Path(f"{file.parent / file.stem}.safetensors")
    _require_free(target, force)
    sweep(target.parent, ours=False)
    given = dict(parse_option(text) for text in option or [])
    if num_classes is not None:
        given["num_classes"] = num_classes
    catalog.options(model, given)  # an unknown name, or an extra that is missing, is told before the file is read
    from resvision.weights.convert import fit
    from resvision.weights.fetch import write_safetensors
    from resvision.weights.foreign import read_foreign

    foreign = read_foreign(file, key=key)
    options = _options(model, foreign.state, given)
    fitted = fit(_state(model, options), foreign.state)
    for line in _report(foreign, fitted):
        print(line)
    if faults := fitted.faults:
        raise WeightsError(_misfit_message(printable(file), model, options, fitted, len(faults)))
    about = {"model": model, "options": json.dumps(options), "made from": printable(file.name)}
    write_safetensors(target, fitted.state, about)
    described = ", ".join(f"{key} {value}" for key, value in options.items())
    print(f"{printable(target)}: {len(fitted.state):,} tensors of {model}, {described}")


def _require_free(target: Path, force: bool) -> None:
    """Raise SettingsError where the file may not be written; a pipe or a device never is."""
    if target.exists() and not target.is_file():
        raise SettingsError(f"{printable(target)}: not a regular file; name another place with --out")
    if target.exists() and not force:
        raise SettingsError(f"{printable(target)}: is there already; name another place with --out, or say --force")


def _state(model: str, options: dict[str, Any]) -> "State":
    """The net's own state dict, on the meta device."""
    import torch

    with torch.device("meta"):
        state: State = catalog.build(model, **options).state_dict()
    return state


def _options(model: str, state: "State", given: dict[str, Any]) -> dict[str, Any]:
    """The options to build the net with: those given, those that follow from the shapes, and the paper's classes."""
    accepted = (*catalog.options(model, given), "num_classes")
    options = {"num_classes": catalog.find(model).num_classes, **given}
    for name in FROM_SHAPES:
        if name in accepted and name not in given:
            options |= _from_shapes(model, state, options, name)
    return options


def _from_shapes(model: str, state: "State", options: dict[str, Any], name: str) -> dict[str, int]:
    """The option of that name as it follows from the shapes; empty where it does not."""
    from resvision.weights.convert import shapes, value_from_shapes

    def shapes_at(value: int) -> dict[str, tuple[int, ...]]:
        return shapes(_state(model, {**options, name: value}))

    with suppress(SettingsError):  # a net that has one value only, as LeNet-5 has ten classes
        value = value_from_shapes(shapes_at, state, at=8)
        return {} if value is None else {name: value}
    return {}


def _report(foreign: "Foreign", fitted: "Fit") -> list[str]:
    """The lines of the report: every change from the file, and every tensor that does not fit."""
    lines = [f"taken out of {printable(wrapper)!r}" for wrapper in foreign.wrapped]
    lines += [f"not taken   the weights in {printable(other)!r}: --key takes them" for other in foreign.others]
    lines += [f"left out    {name}, which is no weight of a net" for name in foreign.dropped]
    lines += [f"renamed     {old} to {new}" for new, old in foreign.renamed.items()]
    lines += [f"filled in   {name}, 0" for name in foreign.filled]
    lines += [f"reshaped    {name}: {change}" for name, change in fitted.reshaped.items()]
    lines += [f"as          {name}: {change}" for name, change in fitted.cast.items()]
    lines += [f"missing     {name}" for name in sorted(fitted.missing)]
    lines += [f"unexpected  {printable(name)}" for name in sorted(fitted.unexpected)]
    lines += [f"misshapen   {fault}" for _, fault in sorted(fitted.misshapen.items())]
    return lines


def _misfit_message(shown: str, model: str, options: dict[str, Any], fitted: "Fit", count: int) -> str:
    """The message about a file that does not fit, in a line."""
    some = "; ".join(printable(fault)[:100] for _, fault in sorted(fitted.faults.items())[:3])
    return f"{shown}: {count} of its tensors or of those of {model} do not fit: {some}{_remedy(model, fitted)}"


def _remedy(model: str, fitted: "Fit") -> str:
    if len(fitted.missing) > len(fitted.state):
        return "; are they of another net?"
    only_heads = fitted.faults.keys() == fitted.missing.keys() and all(name.startswith("aux") for name in fitted.faults)
    return "; they have no side heads: say --option aux=false" if only_heads and "aux" in catalog.options(model) else ""
