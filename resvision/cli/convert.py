"""`resvision convert`: a state dict from elsewhere becomes safetensors under our names."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Unpack

import typer

from resvision import catalog
from resvision.cli import run_weights
from resvision.cli.inspect import parse_option
from resvision.cli.weights import KnownOptions, known_of, with_known_options
from resvision.core import rundir
from resvision.core.drafts import sweep
from resvision.core.errors import SettingsError, WeightsError, printable
from resvision.core.progress import Bar
from resvision.core.terminal import Terminal

if TYPE_CHECKING:
    from resvision.conversion import Fitted, Reading
    from resvision.core.views import View
    from resvision.inference.weights_file import Known
    from resvision.weights.foreign import Foreign


@with_known_options(after="verify")
def command(
    file: Annotated[
        Path,
        typer.Argument(
            help="Read this file: a state dict of PyTorch (.pth, .pt, .bin), safetensors, or Darknet's .weights; or the"
            " result of this run."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Argument(
            help="Name a model of `resvision list`, or package.module:function; of a run it is known.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write this file, not FILE with the ending .safetensors.")
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(min=1, help="Build the net for this number of classes, in place of what the shapes tell."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Take these weights where FILE holds several, such as averaged ones.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="Give a module another name, as linear=fc. Repeatable."),
    ] = None,
    cfg: Annotated[
        Path | None, typer.Option("--cfg", help="Compare the net with this cfg file of Darknet, which goes with FILE.")
    ] = None,
    without_head: Annotated[
        bool,
        typer.Option(
            "--without-head", help="Take all layers but the last, for model.encoder_from, as of darknet53.conv.74."
        ),
    ] = False,
    padding: Annotated[
        str | None,
        typer.Option(help="Say where shortcuts of option A put new channels: end, as ours do, or both-sides."),
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Try these labelled images, which tell what weights cannot, such as the padding."
        ),
    ] = None,
    svd: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER=RANK,...",
            help="Give layers of a run a lower rank, which takes less time: fc6=1024,fc7=256 in Fast R-CNN.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    **options: Unpack[KnownOptions],
) -> None:
    """Convert weights from elsewhere to safetensors.

    Names may be torchvision's, timm's or DataParallel's; every name that changes or fails is listed. A file of Darknet
    has none, and is read in the order of its net's layers, if the net has as many numbers.

    Nothing is written unless all of the net's weights are there, in their shapes, and no others. The result starts a
    training by --weights OUT, and predict, evaluate and report use it by the same option. Its header keeps what
    --normalize, --image-size and --classes say, so that it need not be said again.

    In place of FILE a run may be named: its result becomes such a file, with its view and classes, and by --svd with
    layers of a lower rank.
    """
    is_run = (file / rundir.RUN).is_file()
    target = out or Path(f"{file.resolve() if is_run else file.parent / file.stem}.safetensors")
    _require_free(target, force)
    sweep(target.parent, ours=False)
    if is_run:
        run_weights.require_alone(
            {"num_classes": num_classes, "key": key, "rename": rename, "padding": padding, "verify": verify, **options}
        )
        for line in run_weights.write(file, target, model=model, ranks=run_weights.ranks_of(svd)):
            print(line)
        return
    if svd is not None:
        raise SettingsError("--svd: cuts layers of a run; name its folder in place of FILE")
    if model is None:
        raise SettingsError(f"{printable(file)}: of which model? say: convert {printable(file)} MODEL")
    given = dict(parse_option(text) for text in options["option"] or [])
    if num_classes is not None:
        given["num_classes"] = num_classes
    renames = dict(_parse_rename(text) for text in rename or [])
    catalog.options(model, given)  # an unknown name, or an extra that is missing, is told before the file is read
    from resvision.conversion import fit_to, fitting_option, readings, renamed
    from resvision.weights.fetch import write_safetensors
    from resvision.weights.shortcut_padding import require_padding

    asked_padding = None if padding is None else require_padding(padding)
    bar = Bar(Terminal(stderr=True), "converting", total=3, noun="")  # reads, fits, writes
    with bar:
        source = _read(file, model, given, key=key, cfg=cfg, without_head=without_head)
        bar.advance()
        fitted = fit_to(model, renamed(source.foreign.state, renames), source.options, without_head=without_head)
        bar.advance()
    for line in [*source.lines, *_report(source.foreign, fitted, renames)]:
        print(line)
    if fitted.fit.faults:
        fits_with = fitting_option(model, fitted.options, renamed(source.foreign.state, {**renames, **fitted.heads}))
        raise WeightsError(_misfit_message(printable(file), fitted, fits_with))
    known = known_of(options)
    candidates = readings(model, fitted.options, padding=asked_padding)
    chosen = candidates[0] if len(candidates) == 1 else None
    if verify is not None:
        chosen = _verified(file, fitted, known, candidates, source.view, data=verify) or chosen
    elif chosen is None:
        print(_untold(candidates))
    reading = chosen or candidates[0]
    about = _about(file, fitted, reading, known, source.view, settled=chosen is not None)
    with bar:
        write_safetensors(target, fitted.read_as(reading), about)
    described = ", ".join(f"{key} {value}" for key, value in {**fitted.options, **reading.options}.items())
    print(f"{printable(target)}: {len(fitted.fit.state):,} tensors of {model}, {described}")


class Source(NamedTuple):
    """The weights of a file, the options of their net as far as they are known, the view that the file says or implies.

    lines  to be told of it
    """

    foreign: "Foreign"
    options: dict[str, Any]
    view: "View | None"
    lines: tuple[str, ...] = ()


def _read(
    file: Path, model: str, given: dict[str, Any], *, key: str | None, cfg: Path | None, without_head: bool
) -> Source:
    """Read a file of whatever kind."""
    from resvision.inference.weights_file import own_view
    from resvision.weights.darknet_weights import is_darknet
    from resvision.weights.fetch import recognized
    from resvision.weights.foreign import read_foreign
    from resvision.weights.torchvision_detectors import with_epsilon

    if is_darknet(file):
        if key is not None:
            raise SettingsError(f"--key {printable(key)}: a file of Darknet holds the weights of one net, without keys")
        return _read_darknet(file, model, given, cfg=cfg, without_head=without_head)
    if cfg is not None:
        raise SettingsError(
            f"--cfg {printable(cfg)}: goes with a .weights file of Darknet, which {printable(file)} is not"
        )
    foreign = read_foreign(file, key=key)
    published = recognized(file, model)
    if published is None or published.frozen_eps is None:
        return Source(foreign, given, own_view(file))
    eps = published.frozen_eps
    line = f"rescaled    frozen norms, which add {eps:g} to a variance in {published}"
    return Source(foreign._replace(state=with_epsilon(foreign.state, eps)), given, own_view(file), (line,))


def _read_darknet(file: Path, model: str, given: dict[str, Any], *, cfg: Path | None, without_head: bool) -> Source:
    from resvision.darknet_conversion import darknets_view, read_for, require_same
    from resvision.weights.darknet_weights import look_at
    from resvision.weights.foreign import Foreign

    looked_at = look_at(file)
    state, options = read_for(model, looked_at, given, without_head=without_head)
    version = ".".join(map(str, looked_at.header.version))
    lines = [
        f"darknet     version {version}, {looked_at.numbers:,} numbers, trained on {looked_at.header.seen:,} images"
    ]
    said = None
    if cfg is not None:
        said = require_same(cfg, model, options)
        lines.append(f"as in       {printable(cfg)}: {said}")
    foreign = Foreign(state, (), (), {}, (), ())
    return Source(foreign, options, darknets_view(model, said), tuple(lines))


def _require_free(target: Path, force: bool) -> None:
    """Raise SettingsError where the file may not be written; a pipe or a device never is."""
    if target.exists() and not target.is_file():
        raise SettingsError(f"{printable(target)}: not a regular file; name another place with --out")
    if target.exists() and not force:
        raise SettingsError(f"{printable(target)}: is there already; name another place with --out, or say --force")


def _parse_rename(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise SettingsError(f"--rename {printable(text)}: write it as OLD=NEW, such as --rename linear=fc")
    return old, new


def _verified(
    file: Path, fitted: "Fitted", known: "Known", candidates: "list[Reading]", own: "View | None", *, data: str
) -> "Reading | None":
    """Print the scores of each reading on labelled images; the best one, None where the images do not tell."""
    from resvision.inference.verification import Verification, best

    verification = Verification(file, fitted, known, own, data=data)
    kind, view = verification.kind, verification.view
    print(
        f"on {verification.images:,} images of {printable(data)}, mean {_listed(view.mean)}, std {_listed(view.std)}:"
    )
    verified = []
    bar = Bar(Terminal(stderr=True), "verifying")
    scores = verification.scores(candidates, lambda images, total: bar.advance(images, len(candidates) * total))
    for scored in bar.aside(scores):
        verified.append(scored)
        print(f"  {str(scored.reading) or 'as it stands':<24} {scored.scores.summary()}")
    chosen = best(kind, verified)
    if len(candidates) > 1:
        print(f"taken       {chosen}" if chosen else f"not told    by these images; taken: {candidates[0]}")
    return chosen


def _listed(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:.4g}" for number in numbers)


def _untold(candidates: "list[Reading]") -> str:
    """The line about what the weights cannot tell, and who can."""
    first, *others = map(str, candidates)
    return (
        f"not told    by the weights: {first}, as taken here, or {' or '.join(others)}; say which, or have labelled"
        " images tell by --verify FOLDER"
    )


def _about(
    file: Path, fitted: "Fitted", reading: "Reading", known: "Known", own: "View | None", *, settled: bool
) -> dict[str, str]:
    """The header of the file, which says what is known of the weights."""
    from resvision.inference.weights_file import classes_of, view_of
    from resvision.weights.about import About, header_of

    named = known.classes
    says_view = own is not None or known.normalize is not None or bool(known.image_size)
    about = About(
        model=fitted.model,
        options={**fitted.options, **reading.options},
        view=view_of(fitted, known, own, asked_by="--image-size") if says_view else None,
        classes=None if named is None else classes_of(file, fitted, named, option="--classes"),
        settled=(str(reading),) if settled else (),
    )
    return header_of(about, made_from=file.name)


def _report(foreign: "Foreign", fitted: "Fitted", renames: dict[str, str]) -> list[str]:
    """The lines of the report: every change from the file, and every tensor that does not fit."""
    fit = fitted.fit
    lines = [f"taken out of {printable(wrapper)!r}" for wrapper in foreign.wrapped]
    lines += [f"not taken   the weights in {printable(other)!r}: --key takes them" for other in foreign.others]
    lines += [f"left out    {name}, which is no weight of a net" for name in foreign.dropped]
    lines += [f"renamed     {old} to {new}" for new, old in foreign.renamed.items()]
    lines += [f"renamed     {printable(old)} to {printable(new)}" for old, new in {**renames, **fitted.heads}.items()]
    lines += [f"filled in   {name}, 0" for name in foreign.filled]
    lines += [f"reshaped    {name}: {change}" for name, change in fit.reshaped.items()]
    lines += [f"as          {name}: {change}" for name, change in fit.cast.items()]
    lines += [f"missing     {name}" for name in sorted(fit.missing)]
    lines += [f"unexpected  {printable(name)}" for name in sorted(fit.unexpected)]
    lines += [f"misshapen   {fault}" for _, fault in sorted(fit.misshapen.items())]
    return lines


def _misfit_message(shown: str, fitted: "Fitted", option: str | None) -> str:
    """The message about a file that does not fit, in a line; `option` is one with which it does."""
    fit, model = fitted.fit, fitted.model
    some = "; ".join(printable(fault)[:100] for _, fault in sorted(fit.faults.items())[:3])
    remedy = f"; they fit with --option {option}" if option else ""
    if not option and len(fit.missing) > len(fit.state):
        remedy = "; are they of another net?"
    return f"{shown}: {len(fit.faults)} of its tensors or of those of {model} do not fit: {some}{remedy}"
