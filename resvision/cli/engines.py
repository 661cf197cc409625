"""Runs and bundles as verbs take them: a run by torch or on an engine, a bundle by its path or by its name."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import typer

from resvision.core.errors import SettingsError, printable
from resvision.core.references import is_installed
from resvision.runtime.shipped import is_place, place_of

if TYPE_CHECKING:
    from resvision.cli.weights import UseOptions
    from resvision.inference.load import Trained
    from resvision.prediction.predictor import Predictor
    from resvision.runtime.bundle import Bundle
    from resvision.runtime.engines import EngineSettings, Mode

EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="openvino|onnxruntime",
        help="Run the net on this engine; runs go by torch, and bundles on the one that is there, if left out.",
    ),
]


class EngineOptions(TypedDict):
    """The options by which a person says what runs a net."""

    engine: EngineOption
    engine_precision: Annotated[
        str | None,
        typer.Option(
            "--engine-precision",
            metavar="auto|fp32|bf16",
            help="Compute on the engine in this; in what is fast on this CPU if left out.",
        ),
    ]


def settings_of(engine: str | None, precision: str | None = None, *, mode: "Mode" = "latency") -> "EngineSettings":
    """What a person asks of an engine; where none is named, OpenVINO, or ONNX Runtime where that alone is installed."""
    from resvision.runtime.engines import EngineName, EngineSettings, Precision

    others = not is_installed("openvino") and is_installed("onnxruntime")
    name = engine or ("onnxruntime" if others else "openvino")
    return EngineSettings(engine=cast(EngineName, name), precision=cast(Precision, precision or "auto"), mode=mode)


def open_bundle_of(run: Path, options: "UseOptions", *, mode: "Mode" = "latency") -> "Bundle":
    """Open the bundle that a person means; SettingsError for options that are about weights without a bundle."""
    from resvision.runtime.bundle import open_bundle

    for name in ("normalize", "image_size", "classes", "option"):
        if cast(Any, options)[name]:
            raise SettingsError(
                f"--{name.replace('_', '-')}: was fixed when {printable(run)} was exported; leave it out"
            )
    return open_bundle(place_of(run), settings_of(options["engine"], options["engine_precision"], mode=mode))


def open_predictor(run: Path, options: "UseOptions", *, mode: "Mode", allow_code: bool = False) -> "Predictor":
    """Open what a person means by RUN: a bundle, a run, or weights of a model; a run on an engine if one is named."""
    if options["weights"] is None and is_place(run):
        return open_bundle_of(run, options, mode=mode)
    from resvision.cli.weights import known_of, load_and_warn

    require_engine_named(options)
    trained = load_and_warn(run, options["weights"], known_of(options), allow_code=allow_code)
    return trained if options["engine"] is None else on_engine(trained, options, mode=mode)


def require_engine_named(options: "UseOptions") -> None:
    """Raise SettingsError for the arithmetic of an engine where none is named, and for an engine that there is not."""
    if options["engine"] is not None:
        settings_of(options["engine"], options["engine_precision"])
    elif options["engine_precision"] is not None:
        raise SettingsError("--engine-precision: is of an engine; name it by --engine openvino")


def on_engine(trained: "Trained", options: "UseOptions", *, mode: "Mode" = "latency") -> "Bundle":
    """A run on the engine that is named, exported if it was not before."""
    from resvision.export.exported_once import exported_once

    def tell(line: str) -> None:
        print(f"resvision: {line}", file=sys.stderr)

    settings = settings_of(options["engine"], options["engine_precision"], mode=mode)
    return exported_once(trained, settings, tell=tell)
