"""Windows as a person is shown them: the raster that a net sees, the scene from above, and a film of it."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from resvision.core.errors import printable
from resvision.core.samples import Reader
from resvision.core.views import Raster, described
from resvision.geometry.frames import world_from_agent
from resvision.kinds.forms import Showing, Table
from resvision.kinds.motion.baselines import CONSTANT_VELOCITY, constant_velocity
from resvision.kinds.motion.painting import Bytes
from resvision.kinds.motion.pictures import animation, moving, top_view
from resvision.kinds.motion.rasters import drawn, layers
from resvision.kinds.motion.results import Motion, RawTrajectories, motion_of
from resvision.kinds.motion.windows import Window

LEAST_PX = 448
"""The side up to which a raster is enlarged for people."""
TILE_PX = 160
"""The side of a channel among others."""
FILM_PX = 480
LETTERS_PX = 12


def windows_shown(
    reader: Reader[Window], indices: Sequence[int], results: Sequence[Motion] | None, *, pictures: bool
) -> Showing:
    """Windows of a reader in a table, and as pictures where they are wanted.

    results  the predictions of a net; those of constant velocity stand in for them
    """
    view, windows = reader.view, [reader.target(index) for index in indices]
    assert isinstance(view, Raster), "readers of this task draw rasters"
    forecasts = [by_constant_velocity(window) for window in windows] if results is None else results
    predictor = CONSTANT_VELOCITY if results is None else "the run"
    numbers = ("speed, m/s", "others", "driven, m", "missed by, m")
    rows = [
        (str(rank), printable(window.name), *_figures(window, forecast))
        for rank, (window, forecast) in enumerate(zip(windows, forecasts, strict=True), start=1)
    ]
    seconds = windows[0].step_seconds * windows[0].span.steps
    lines = (
        f"{view.size_px} x {view.size_px} px in {view.channels} channels, {described(view)}",
        f"driven: within {seconds:g} s; missed by: the distance of the predicted place then, by {predictor}",
    )
    table = Table(("number", "window", *numbers), rows, numbers, f"{printable(reader.name)}, {reader.split}")
    shown, films = _pictures(windows, forecasts, view) if pictures else ({}, {})
    return Showing((table,), lines, shown, _document(reader, view, rows, predictor), films)


def by_constant_velocity(window: Window) -> Motion:
    """The prediction of constant velocity for a window."""
    return motion_of(window, RawTrajectories(constant_velocity([window]), np.ones(1)))


def raster_picture(raster: Bytes, view: Raster, step_seconds: float) -> Image.Image:
    """A raster (C, side, side) in colours, or its channels side by side, each with its name."""
    if view.past == "fading":
        picture = Image.fromarray(np.ascontiguousarray(raster.transpose(1, 2, 0)))
        times = max(1, -(-LEAST_PX // view.size_px))
        return picture.resize((times * view.size_px,) * 2, Image.Resampling.NEAREST)
    across = ceil(sqrt(len(raster)))
    tile, line = min(TILE_PX, max(view.size_px, TILE_PX // 2)), LETTERS_PX + 6
    sheet = Image.new("L", (across * (tile + 4), -(-len(raster) // across) * (tile + line + 4)), 90)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTERS_PX)
    for number, (channel, name) in enumerate(zip(raster, channel_names(view, step_seconds), strict=True)):
        left, top = number % across * (tile + 4), number // across * (tile + line + 4)
        draw.text((left + 2, top + 2), name, fill=255, font=font)
        sheet.paste(Image.fromarray(channel).resize((tile, tile), Image.Resampling.BOX), (left, top + line))
    return sheet


def channel_names(view: Raster, frame_seconds: float) -> list[str]:
    """The names of the channels of a raster whose past has channels of its own."""
    ages = [f"{-age * view.every * frame_seconds:.1f} s" if age else "now" for age in range(view.history + 1)]
    names = [f"others {age}" for age in ages] + [f"target {age}" for age in ages] + ["surface", "borders", "centres"]
    assert layers(view).centres == len(names) - 1
    return names


def _pictures(
    windows: Sequence[Window], forecasts: Sequence[Motion], view: Raster
) -> tuple[dict[str, Image.Image], dict[str, bytes]]:
    """The pictures by their names, and films by theirs."""
    shown, films = {}, {}
    for rank, (window, forecast) in enumerate(zip(windows, forecasts, strict=True), start=1):
        seconds = window.scene.frame_seconds
        shown[f"raster-{rank}"] = raster_picture(drawn([window], view)[0], view, seconds)
        shown[f"scene-{rank}"] = top_view(window, forecast)
        films[f"scene-{rank}.gif"] = moving(animation(window, forecast, side_px=FILM_PX), seconds)
    return shown, films


def _figures(window: Window, forecast: Motion) -> tuple[str, str, str, str]:
    """The speed, the number of others at the last observed frame, the way until the end, and how far it was missed."""
    others = int(window.scene.present[:, window.frame].sum()) - 1
    future = window.future()
    if not future.present[-1]:
        return f"{window.state().speed:.1f}", str(others), "-", "-"
    end = world_from_agent(future.positions[-1], window.pose())
    missed = np.hypot(*(forecast.positions[int(forecast.probabilities.argmax()), -1] - end))
    return f"{window.state().speed:.1f}", str(others), f"{np.hypot(*future.positions[-1]):.1f}", f"{missed:.2f}"


def _document(reader: Reader[Window], view: Raster, rows: Sequence[tuple[str, ...]], predictor: str) -> dict[str, Any]:
    names = ("speed_mps", "others", "driven_m", "missed_m")
    samples = [
        {"window": row[1]}
        | {name: None if text == "-" else float(text) for name, text in zip(names, row[2:], strict=True)}
        for row in rows
    ]
    return {
        "data": reader.name,
        "split": reader.split,
        "size_px": view.size_px,
        "channels": view.channels,
        "metres_per_px": view.metres_per_px,
        "ahead": view.ahead,
        "past": view.past,
        "history": view.history,
        "every": view.every,
        "predicted_by": predictor,
        "samples": samples,
    }
