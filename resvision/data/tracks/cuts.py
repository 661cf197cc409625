"""Windows cut out of scenes: how long they are, where they start, and how they are drawn.

A window takes a vehicle that is seen in every frame of its history and of its future; parked ones and pedestrians are
drawn but not predicted. Where a scenario asks about some vehicles, only those are cut.

Glossary
    N  windows
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.samples import Drawing, Timing
from resvision.core.views import Raster
from resvision.kinds.motion.scenes import Flags, Scene
from resvision.kinds.motion.windows import Span

USUAL = Timing(frame_seconds=None, history_seconds=2.0, horizon_seconds=3.0, step_seconds=None, start_seconds=0.5)
"""Two seconds seen, three predicted, a step each frame, a window of each vehicle each half second."""

USUAL_VIEW = Raster(size_px=112, metres_per_px=1.0, ahead=0.75, channels=3, mean=(0.0,) * 3, std=(1.0,) * 3)
"""The usual drawing: 112 m, of which 84 lie ahead, more than a car on a motorway drives in three seconds.

Its pixels are not normalized further than to 0..1, as by l5kit.
"""
MOST_DRAWN = 10
"""The most earlier frames that get channels of their own: of two seconds at 10 Hz every second one, 25 channels."""

MOST_FRAMES = 100_000
"""The limit of a window's frames."""
NOT_PREDICTED = frozenset({"parked", "pedestrian"})


class Cuts(NamedTuple):
    """The windows of a set of scenes: the scene of each, its vehicle and its last observed frame, (N,) int64 each."""

    scenes: NDArray[np.int64]
    vehicles: NDArray[np.int64]
    frames: NDArray[np.int64]


def span_of(timing: Timing, usual: Timing, frame_seconds: float) -> Span:
    """The frames of a window, of a timing whose open parts are as usual; the usual horizon ends with a whole step.

    Raises SettingsError for a time that a person asks for and that is no whole number of frames.
    """
    step = 1 if timing.step_seconds is None else _frames("step_seconds", timing.step_seconds, frame_seconds)
    lengths = []
    for name in ("history_seconds", "horizon_seconds"):
        asked, default = getattr(timing, name), getattr(usual, name)
        lengths.append(_near(default, frame_seconds) if asked is None else _frames(name, asked, frame_seconds))
    history, future = lengths
    start = _near(timing.start_seconds or usual.start_seconds or frame_seconds, frame_seconds)
    steps, rest = divmod(future, step)
    if not steps or (rest and timing.horizon_seconds is not None):
        raise SettingsError(
            f"data.horizon_seconds: {future * frame_seconds:g} s are no whole number of steps of"
            f" {step * frame_seconds:g} s"
        )
    span = Span(history=history, steps=steps, step_frames=step, start_frames=max(1, start))
    if history + span.future >= MOST_FRAMES:
        raise SettingsError(f"data.horizon_seconds: more than {MOST_FRAMES:,} frames of {frame_seconds:g} s")
    return span


def view_of(drawing: Drawing, span: Span, like: Raster, frame_seconds: float) -> Raster:
    """The drawing of windows as a person asks; what is left open is as in `like`, and so is the size.

    Raises SettingsError for lengths and shares that there are not.
    """
    past = drawing.drawn_past or like.past
    frames = _drawn_frames(drawing.drawn_seconds, span, frame_seconds)
    every = 1 if past == "fading" else max(1, -(-frames // MOST_DRAWN))
    history = frames // every
    channels = Raster.drawn_channels(past, history)
    try:
        return replace(
            like,
            metres_per_px=like.metres_per_px if drawing.metres_per_px is None else drawing.metres_per_px,
            ahead=like.ahead if drawing.ahead is None else drawing.ahead,
            past=past,
            history=history,
            every=every,
            channels=channels,
            mean=(0.0,) * channels,
            std=(1.0,) * channels,
        )
    except ValueError as error:
        raise SettingsError(f"data: {error}") from None


def cuts_of(scenes: Sequence[Scene], span: Span) -> Cuts:
    """All windows of the scenes, those of a vehicle `start_frames` apart from its first whole one."""
    parts = [np.empty((0, 3), dtype=np.int64)]
    for number, scene in enumerate(scenes):
        for vehicle in predicted(scene):
            frames = _whole_windows(scene.present[vehicle], span)
            parts.append(np.column_stack([np.full_like(frames, number), np.full_like(frames, vehicle), frames]))
    return Cuts(*np.ascontiguousarray(np.concatenate(parts).T))


def predicted(scene: Scene) -> list[int]:
    """The vehicles of a scene that are predicted: those that it asks about, or all, but for what stands or walks."""
    asked = scene.focal or range(len(scene.vehicles))
    return [vehicle for vehicle in asked if scene.kinds[vehicle] not in NOT_PREDICTED]


def require_windows(cuts: Cuts, scenes: Sequence[Scene], span: Span, name: str) -> None:
    """Raise DataError where no window could be cut, with the reason."""
    if not len(cuts.frames):
        raise DataError(f"{printable(name)}: {why_no_window(scenes, span)}")


def why_no_window(scenes: Sequence[Scene], span: Span) -> str:
    """The reason why scenes hold no window, in words, with the length of the longest track that is predicted."""
    lengths = [_longest_run(scene.present[vehicle]) for scene in scenes for vehicle in predicted(scene)]
    if not lengths:
        return "no vehicle to predict: all are parked or on foot"
    seconds, need = scenes[0].frame_seconds, span.history + 1 + span.future
    return (
        f"no track is long enough: {need} frames are needed, {span.history * seconds:g} s of history and"
        f" {span.future * seconds:g} s to predict, and the longest track has {max(lengths)}; ask for less by"
        " data.history_seconds and data.horizon_seconds"
    )


def _whole_windows(present: Flags, span: Span) -> NDArray[np.int64]:
    """The last observed frames of the windows of one vehicle, in which it is seen throughout."""
    need = span.history + 1 + span.future
    frames = []
    for start, end in _runs(present):
        frames.append(np.arange(start + span.history, end - span.future, span.start_frames))
        assert end - start >= need or not len(frames[-1])
    return np.concatenate(frames) if frames else np.empty(0, dtype=np.int64)


def _runs(present: Flags) -> list[tuple[int, int]]:
    """Stretches of frames in which a vehicle is seen without a gap, each as its first frame and the one after it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _longest_run(present: Flags) -> int:
    return max((end - start for start, end in _runs(present)), default=0)


def _drawn_frames(seconds: float | None, span: Span, frame_seconds: float) -> int:
    """The earlier frames that are drawn, all of the history where nothing is asked."""
    if seconds is None:
        return span.history
    frames = _frames("drawn_seconds", seconds, frame_seconds)
    if frames > span.history:
        raise SettingsError(
            f"data.drawn_seconds: {seconds:g} s, but windows have {span.history * frame_seconds:g} s of history; draw"
            " less, or see more by data.history_seconds"
        )
    return frames


def _near(seconds: float, frame_seconds: float) -> int:
    return round(seconds / frame_seconds)


def _frames(name: str, seconds: float, frame_seconds: float) -> int:
    """The number of frames of a time that a person asks for; SettingsError where it is no whole one."""
    if seconds < 0 or (seconds == 0 and name not in {"history_seconds", "drawn_seconds"}):
        raise SettingsError(f"data.{name}: {seconds:g} s; a time above 0 is due")
    frames = seconds / frame_seconds
    if abs(frames - round(frames)) > 0.01 or (seconds > 0 and round(frames) < 1):
        raise SettingsError(
            f"data.{name}: {seconds:g} s are no whole number of frames, which are {frame_seconds:g} s apart"
        )
    return round(frames)
