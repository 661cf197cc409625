"""Traffic from above for people: lanes, vehicles, and the past, the truth and the predictions of one of them.

The target looks to the top, as in rasters. Predictions are the wider and the darker the more probable they are, and
carry their probability; dots on paths are a second apart.

Glossary
    M  modes
    T  predicted steps
"""

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from resvision.kinds.motion.captions import Lettering, usual_lettering, write
from resvision.kinds.motion.results import Motion
from resvision.kinds.motion.scenes import Floats, Scene
from resvision.kinds.motion.viewport import (
    BORDER,
    GROUND,
    INK,
    OTHER,
    OTHER_PAST,
    PREDICTED,
    SURFACE,
    TARGET,
    TRUTH,
    Colour,
    Viewport,
    mixed,
    viewport_of,
)
from resvision.kinds.motion.windows import Window

SIDE_PX = 720
FINE = 2
"""Pixels are drawn so many times finer, and averaged."""


def top_view(
    window: Window, forecast: Motion | None = None, *, side_px: int = SIDE_PX, lettering: Lettering | None = None
) -> Image.Image:
    """The window at its last observed frame, RGB, with the forecast where there is one."""
    viewport = viewport_of(window, forecast, side_px)
    lettering = lettering or usual_lettering(side_px)
    return _shown(window, forecast, window.frame, viewport, _ground(window.scene, viewport), lettering)


def animation(window: Window, forecast: Motion | None = None, *, side_px: int = SIDE_PX) -> list[Image.Image]:
    """The window frame by frame from its first past frame to its last predicted one.

    The picture stands still. The forecast appears at the last observed frame, and the truth as it comes.
    """
    viewport, span = viewport_of(window, forecast, side_px), window.span
    first, last = max(0, window.frame - span.history), min(window.frame + span.future, window.scene.frames - 1)
    ground, lettering = _ground(window.scene, viewport), usual_lettering(side_px)
    return [_shown(window, forecast, frame, viewport, ground, lettering) for frame in range(first, last + 1)]


def moving(pictures: Sequence[Image.Image], frame_seconds: float) -> bytes:
    """Pictures as an animated GIF that runs in the time of the recording and ends with a pause of a second."""
    stream = BytesIO()
    milliseconds = [max(20, round(1000 * frame_seconds))] * (len(pictures) - 1) + [1000]
    palette = pictures[-1].quantize(96, dither=Image.Dither.NONE)  # one palette, so that what stands still is kept once
    first, *rest = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    first.save(stream, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0, optimize=False)
    return stream.getvalue()


def _finer(viewport: Viewport) -> Viewport:
    """The viewport at the size at which it is drawn."""
    pose, side, scale, column, row = viewport
    return Viewport(pose, side * FINE, scale * FINE, column * FINE, row * FINE)


def _ground(scene: Scene, viewport: Viewport) -> Image.Image:
    """The lanes, which stand still, at the size at which they are drawn."""
    fine = _finer(viewport)
    picture = Image.new("RGB", (fine.side, fine.side), GROUND)
    _draw_lanes(ImageDraw.Draw(picture), scene, fine)
    return picture


def _shown(
    window: Window,
    forecast: Motion | None,
    frame: int,
    viewport: Viewport,
    ground: Image.Image,
    lettering: Lettering,
) -> Image.Image:
    """The scene at a frame, over its ground."""
    fine, picture = _finer(viewport), ground.copy()
    draw = ImageDraw.Draw(picture)
    _draw_others(draw, window, frame, fine)
    if forecast is not None and frame >= window.frame:
        _draw_forecast(draw, window, forecast, fine)
    _draw_target(draw, window, frame, fine)
    picture = picture.resize((viewport.side, viewport.side), Image.Resampling.BOX)
    write(picture, window, forecast, frame, viewport, lettering)
    return picture


# What is drawn ------------------------------------------------------------------------------------------------------


def _draw_lanes(draw: ImageDraw.ImageDraw, scene: Scene, viewport: Viewport) -> None:
    for lane in scene.lanes:
        draw.polygon(viewport.pixels(np.concatenate([lane.left, lane.right[::-1]])), fill=SURFACE)
    width = max(FINE, round(0.15 * viewport.scale))
    for lane in scene.lanes:
        for border in lane:
            draw.line(viewport.pixels(border), fill=BORDER, width=width, joint="curve")


def _draw_others(draw: ImageDraw.ImageDraw, window: Window, frame: int, viewport: Viewport) -> None:
    """Draw the others at a frame, each with its path over the time of the window's history."""
    scene, first = window.scene, max(0, frame - window.span.history)
    others = [vehicle for vehicle in np.flatnonzero(scene.present[:, frame]).tolist() if vehicle != window.vehicle]
    for vehicle in others:
        seen = scene.present[vehicle, first : frame + 1]
        path = viewport.pixels(scene.positions[vehicle, first : frame + 1][seen])
        draw.line(path, fill=OTHER_PAST, width=max(FINE, round(0.35 * viewport.scale)), joint="curve")
    for vehicle in others:
        _draw_vehicle(draw, scene, vehicle, frame, OTHER, viewport)


def _draw_target(draw: ImageDraw.ImageDraw, window: Window, frame: int, viewport: Viewport) -> None:
    """Draw the target with its past up to a frame, and its future: in a still all, later what has come true."""
    scene, span = window.scene, window.span
    past = np.arange(max(0, window.frame - span.history), min(frame, window.frame) + 1)
    end = window.frame + span.future if frame <= window.frame else frame
    future = np.arange(window.frame, min(end, scene.frames - 1) + 1)
    if frame < window.frame:
        future = future[:0]
    for frames, colour in ((past, TARGET), (future, TRUTH)):
        seen = frames[scene.present[window.vehicle, frames]]
        path = Path(scene.positions[window.vehicle, seen], (seen - window.frame) * scene.frame_seconds)
        _draw_path(draw, path, colour, 0.35, viewport)
    _draw_vehicle(draw, scene, window.vehicle, frame, TARGET, viewport)


def _draw_forecast(draw: ImageDraw.ImageDraw, window: Window, forecast: Motion, viewport: Viewport) -> None:
    """Draw the trajectories, the most probable on top."""
    here = window.scene.positions[window.vehicle, window.frame]
    times = np.concatenate([[0.0], forecast.times])
    for mode in np.argsort(forecast.probabilities, kind="stable").tolist():
        share = float(forecast.probabilities[mode])
        colour = mixed(PREDICTED, GROUND, 0.35 + 0.65 * min(1.0, 2 * share))
        path = Path(np.concatenate([here[None], forecast.positions[mode]]), times)
        _draw_path(draw, path, colour, 0.4 + 0.5 * share, viewport)


class Path(NamedTuple):
    """Points (P, 2) of the world, and the time of each (P,) in seconds from the last observed frame."""

    points: Floats
    times: Floats


def _draw_path(draw: ImageDraw.ImageDraw, path: Path, colour: Colour, metres: float, viewport: Viewport) -> None:
    """Draw a line of this width, with a dot at each full second and a larger one at the end."""
    pixels = viewport.pixels(path.points)
    width = max(2 * FINE, round(metres * viewport.scale))
    if len(pixels) > 1:
        draw.line(pixels, fill=colour, width=width, joint="curve")
    far = int(np.abs(path.times).argmax()) if len(pixels) else 0
    for number, (x, y) in enumerate(pixels):
        seconds = float(path.times[number])
        if number == far or (seconds and abs(seconds - round(seconds)) < 1e-6):
            radius = width * (1.4 if number == far else 1.0)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _draw_vehicle(
    draw: ImageDraw.ImageDraw, scene: Scene, vehicle: int, frame: int, colour: Colour, viewport: Viewport
) -> None:
    """Draw the box of a vehicle with a light window behind its front, so that it shows where it heads."""
    if not scene.present[vehicle, frame]:
        return
    x, y = scene.positions[vehicle, frame]
    heading = scene.headings[vehicle, frame]
    ahead = np.array([np.cos(heading), np.sin(heading)])
    left = np.array([-ahead[1], ahead[0]])
    length, width = scene.sizes[vehicle] / 2

    def box(back: float, front: float, side: float) -> list[tuple[float, float]]:
        corners = ((front, side), (front, -side), (back, -side), (back, side))
        return viewport.pixels(np.array([(x, y) + along * ahead + across * left for along, across in corners]))

    draw.polygon(box(-length, length, width), fill=colour, outline=mixed(colour, INK, 0.6), width=FINE)
    draw.polygon(box(0.3 * length, 0.6 * length, 0.75 * width), fill=mixed(colour, GROUND, 0.25))
