"""Files of recorded tracks that a prediction is asked for: their windows by name, and what a net sees of each.

A window's name is `scenario:vehicle@frame`, the frame being the last observed one, counted from the file's first. Asked
for none, a file shows each vehicle at the last frame of its scene, or those that the scene asks about.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.images import Pixels
from resvision.core.views import Raster
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import summary
from resvision.data.tracks import files, layout
from resvision.data.tracks.cuts import NOT_PREDICTED, USUAL, predicted, span_of
from resvision.data.tracks.reader import PICTURE
from resvision.kinds.motion.placement import WindowGeometry
from resvision.kinds.motion.rasters import drawn
from resvision.kinds.motion.scenes import Scene
from resvision.kinds.motion.windows import Window
from resvision.tasks import Model, SampleFile, Seen

LEFT_OUT = ("gaps", "jumps", "turning-headings", "duplicate-frames")
"""Kinds of faults that keep no other vehicle of a file from being predicted."""
SAME_PACE = 1e-3
"""The share by which the time between two frames may differ from that of the windows that a net was trained on."""


class TrackFile(SampleFile):
    """The scenes of one file, cut as those were that a model was trained on."""

    def __init__(self, model: Model, file: Path, columns: Sequence[str] = ()) -> None:
        self._model, self._file = model, file
        seconds = pace_of(model)
        self._scenes = scenes_of(file, columns, seconds)
        require_pace(model, file, self._scenes, seconds)
        self._span = span_of(model.timing, USUAL, seconds)

    @cached_property
    def names(self) -> Sequence[str]:
        """Every vehicle at every frame in which it is seen, but for what stands or walks."""
        return [
            Window(scene, vehicle, frame, self._span).name
            for scene in self._scenes
            for vehicle in _driving(scene)
            for frame in np.flatnonzero(scene.present[vehicle]).tolist()
        ]

    @property
    def usual(self) -> Sequence[str]:
        """The vehicles that are seen for the whole history up to the last frame of their scene."""
        windows = [
            Window(scene, vehicle, scene.frames - 1, self._span)
            for scene in self._scenes
            for vehicle in predicted(scene)
        ]
        names = [window.name for window in windows if window.past().present.all()]
        if not names:
            seconds = self._span.history * self._scenes[0].frame_seconds
            raise DataError(
                f"{printable(self._file)}: no vehicle is seen throughout the last {seconds:g} s; name one by --only"
                " 'scenario:vehicle@frame'"
            )
        return names

    def seen(self, name: str) -> Seen:
        """One window as the net sees it, with its picture for people."""
        vehicle_name, _, frame = name.rpartition("@")
        scene, vehicle = self._vehicles[vehicle_name]
        return seen_window(self._model, Window(scene, vehicle, int(frame), self._span))

    @cached_property
    def _vehicles(self) -> dict[str, tuple[Scene, int]]:
        return {
            f"{scene.name}:{name}": (scene, vehicle)
            for scene in self._scenes
            for vehicle, name in enumerate(scene.vehicles)
        }


class NoTracks(SampleFile):
    """A file that lies beside tracks, such as their map, and holds none itself."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def names(self) -> Sequence[str]:
        """None."""
        return []

    def seen(self, name: str) -> Seen:
        """Nothing; DataError."""
        raise DataError(f"{printable(self._file)}: lies beside tracks and holds none")


def opened(model: Model, file: Path, columns: Sequence[str] = ()) -> SampleFile:
    """The windows of a file.

    Raises DataError for a file that holds no tracks, or whose frames are not as far apart as those that the model was
    trained on.
    """
    return NoTracks(file) if files.is_map(file.name) else TrackFile(model, file, columns)


def scenes_of(file: Path, columns: Sequence[str], frame_seconds: float) -> list[Scene]:
    """The scenes of a file, without vehicles that jump; headings of standing ones are steadied as in training.

    frame_seconds  between two frames, where the file does not say it
    """
    ledger = Ledger(LEFT_OUT)
    gathered = layout.gathered(file, columns, ledger, frame_seconds)
    gathered.settle()
    scenes = [scene for split in gathered.splits.values() for scene in split]
    if ledger.faults:
        raise DataError(summary(file, ledger.faults))
    if not scenes:
        raise DataError(f"{printable(file)}: holds no scene in which a vehicle could be predicted")
    return scenes


def pace_of(model: Model) -> float:
    """The seconds between two frames of the windows that a model was trained on."""
    seconds = model.timing.frame_seconds
    if seconds is None:
        raise SettingsError(f"{model.title}: does not say how far apart its frames are; predict with its run directory")
    return seconds


def require_pace(model: Model, file: Path, scenes: Sequence[Scene], seconds: float) -> None:
    """Raise DataError for a file whose frames are not so many seconds apart."""
    for scene in scenes:
        if abs(scene.frame_seconds / seconds - 1) > SAME_PACE:
            raise DataError(
                f"{printable(file)}: frames are {scene.frame_seconds:g} s apart, and {model.title} was trained on"
                f" {seconds:g} s; bring the tracks to that time step"
            )


def seen_window(model: Model, window: Window, picture: Pixels | None = None) -> Seen:
    """A window as the net sees it; `picture` is the one for people where it is drawn already."""
    view = model.view
    assert isinstance(view, Raster), "`require_view` comes first"
    pixels = drawn([window], view)[0].transpose(1, 2, 0)
    if picture is None:
        picture = np.ascontiguousarray(drawn([window], PICTURE)[0].transpose(1, 2, 0))
    return Seen(pixels, geometry_of(window, view), window.name, picture)


def geometry_of(window: Window, view: Raster) -> WindowGeometry:
    """The place of a view in the picture for people: both look ahead, from the same vehicle."""
    scale = PICTURE.metres_per_px / view.metres_per_px
    return WindowGeometry(
        image_sides=(PICTURE.size_px, PICTURE.size_px),
        view_sides=(view.size_px, view.size_px),
        scale_x=scale,
        scale_y=scale,
        left=view.size_px / 2 - scale * PICTURE.size_px / 2,
        top=view.ahead * view.size_px - scale * PICTURE.ahead * PICTURE.size_px,
        window=window,
    )


def _driving(scene: Scene) -> list[int]:
    """The vehicles of a scene but for those that stand or walk."""
    return [vehicle for vehicle, kind in enumerate(scene.kinds) if kind not in NOT_PREDICTED]
