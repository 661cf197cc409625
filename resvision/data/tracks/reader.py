"""Windows of recorded traffic as samples: the target of a sample is its `Window`.

The picture of a sample is for people. Nets are fed with drawings of the windows by the reader's view, in batches
(`kinds.motion.rasters`), so nothing is drawn here.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from resvision.core.errors import SettingsError, printable
from resvision.core.samples import AS_RECORDED, AS_USUAL, Drawing, Reader, Sample, Timing
from resvision.core.views import Raster, View
from resvision.data.tracks.cuts import USUAL, USUAL_VIEW, Cuts, cuts_of, require_windows, span_of, view_of
from resvision.kinds.motion.rasters import drawn
from resvision.kinds.motion.scenes import Scene
from resvision.kinds.motion.windows import Span, Window

PICTURE = Raster(size_px=448, metres_per_px=0.25, history=20, channels=3, mean=(0.0,) * 3, std=(1.0,) * 3)
"""The picture of a sample: 112 m, 84 of them ahead."""


@dataclass(kw_only=True)
class TrackReader(Reader[Window]):
    """One split of recorded traffic.

    scenes   in which one time lies between two frames; 0 where the files do not tell it
    timing   what a person asks of the cuts, and `usual` what stands where nothing is asked
    drawing  what a person asks of the drawings
    """

    name: str
    split: str
    scenes: tuple[Scene, ...]
    timing: Timing = AS_RECORDED
    usual: Timing = USUAL
    drawing: Drawing = AS_USUAL
    classes: tuple[str, ...] = ()
    crop_px: int | None = None
    view: View = field(init=False)

    def __post_init__(self) -> None:
        self.view = view_of(self.drawing, self.span, USUAL_VIEW, self.frame_seconds or 0.1)

    @property
    def frame_seconds(self) -> float:
        """The time between two frames; 0 where neither the files nor a person tells it."""
        return self.scenes[0].frame_seconds if self.scenes else 0.0

    @cached_property
    def span(self) -> Span:
        """The frames of a window; those of 0.1 s each as long as nothing tells the time between two."""
        return span_of(self.timing, self.usual, self.frame_seconds or 0.1)

    @cached_property
    def cuts(self) -> Cuts:
        """The windows of the split. Raises SettingsError where the time between two frames is not known."""
        if self.scenes and not self.frame_seconds:
            raise SettingsError(
                f"data.frame_seconds: {printable(self.name)} does not tell the seconds between two frames; say"
                " --set data.frame_seconds=0.1 (`data check` takes --frame-seconds), or give it a column timestamp in"
                " seconds"
            )
        return cuts_of(self.scenes, self.span)

    def __len__(self) -> int:
        return len(self.cuts.frames)

    def __getitem__(self, index: int) -> Sample[Window]:
        window = self.target(index)
        return Sample(np.ascontiguousarray(drawn([window], PICTURE)[0].transpose(1, 2, 0)), window)

    def target(self, index: int) -> Window:
        """The window."""
        cuts = self.cuts
        scene = self.scenes[int(cuts.scenes[index])]
        return Window(scene, int(cuts.vehicles[index]), int(cuts.frames[index]), self.span)

    def recut(self, timing: Timing, drawing: Drawing) -> "TrackReader":
        """The split, cut and drawn as a person asks.

        Raises SettingsError for times that are no whole number of frames, or that contradict the files, DataError where
        no track is as long as a window.
        """
        frame_seconds = timing.frame_seconds
        if frame_seconds is not None and self.frame_seconds and abs(frame_seconds / self.frame_seconds - 1) > 1e-3:
            raise SettingsError(
                f"data.frame_seconds: {frame_seconds:g}, but the files of {printable(self.name)} have frames"
                f" {self.frame_seconds:g} s apart; leave it out, or bring all to one time step"
            )
        scenes = self.scenes
        if frame_seconds is not None and not self.frame_seconds:
            scenes = tuple(replace(scene, frame_seconds=frame_seconds) for scene in scenes)
        reader = replace(self, scenes=scenes, timing=timing, drawing=drawing)
        assert isinstance(self.view, Raster), "windows are drawn"
        reader.view = view_of(drawing, reader.span, self.view, reader.frame_seconds or 0.1)
        require_windows(reader.cuts, scenes, reader.span, f"{self.name}, {self.split}")
        return reader

    def cut(self) -> tuple[Timing, Drawing]:
        """The times and the drawing of the windows."""
        seconds, span, view = self.frame_seconds or None, self.span, self.view
        assert isinstance(view, Raster), "windows are drawn"
        pace = seconds or 0.0
        timing = Timing(
            frame_seconds=seconds,
            history_seconds=round(span.history * pace, 6),
            horizon_seconds=round(span.future * pace, 6),
            step_seconds=round(span.step_frames * pace, 6),
            start_seconds=round(span.start_frames * pace, 6),
        )
        return timing, Drawing(
            metres_per_px=view.metres_per_px,
            ahead=view.ahead,
            drawn_past=view.past,
            drawn_seconds=round(view.history * view.every * pace, 6),
        )

    def source(self, index: int) -> str:
        """The window as results name it, `scenario:vehicle@frame`."""
        return self.target(index).name

    def target_source(self, index: int) -> str:
        """The file of tracks."""
        return self.target(index).scene.source

    def content(self, index: int) -> bytes:
        """The positions of the window's past and future, which tell it from others wherever its file lies."""
        window = self.target(index)
        frames = slice(window.frame - window.span.history, window.frame + window.span.future + 1)
        return f"{window.span}".encode() + window.scene.positions[window.vehicle, frames].tobytes()

    def group(self, index: int) -> str:
        """The recording, which may show one car in several scenes."""
        return self.target(index).scene.recording
