"""The view of traffic that is drawn at the size which a net takes."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels
from resvision.core.views.base import LARGEST_PX, BaseView, Shown


@dataclass(frozen=True, kw_only=True)
class Raster(BaseView):
    """Traffic drawn from above at the size that the net takes, so that nothing is resized.

    The agent stands in the middle between left and right, looks to the top, and has the share `ahead` of the square in
    front of it.

    size_px        side of the square
    metres_per_px  length of a pixel's side
    ahead          share of the square's height that lies in front of the agent, 0..1
    past           fading: the past in colours that fade with age, 3 channels
                   channels: a channel for each drawn frame of the others and as many of the agent, the latest first,
                   and 3 of the map: 2 (history + 1) + 3
    history        frames before the last observed one that are drawn
    every          frames from one drawn one to the next
    """

    size_px: int
    metres_per_px: float = 0.5
    ahead: float = 0.75
    past: Literal["fading", "channels"] = "fading"
    history: int = 20
    every: int = 1
    kind: Literal["raster"] = "raster"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.size_px <= LARGEST_PX:
            raise ValueError(f"size_px must lie in 1..{LARGEST_PX}, got {self.size_px}")
        if not (isfinite(self.metres_per_px) and self.metres_per_px > 0):
            raise ValueError(f"metres_per_px must be above 0, got {self.metres_per_px}")
        if not 0 <= self.ahead <= 1:
            raise ValueError(f"ahead must be a share of 0..1, got {self.ahead}")
        if self.history < 0 or self.every < 1:
            raise ValueError(f"history must be at least 0 and every 1, got {self.history} and {self.every}")
        if self.channels != self.drawn_channels(self.past, self.history):
            raise ValueError(
                f"{self.past} of {self.history} frames has {self.drawn_channels(self.past, self.history)} channels,"
                f" got {self.channels}"
            )

    @staticmethod
    def drawn_channels(past: Literal["fading", "channels"], history: int) -> int:
        """The number of channels of a raster: 3, or 3 of the map and 2 for each of `history` + 1 frames."""
        return 3 if past == "fading" else 3 + 2 * (history + 1)

    @property
    def side_px(self) -> int:
        """Side of the square."""
        return self.size_px

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Both sides stay."""
        return height, width

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The raster as it was drawn; DataError for an image of another size or other channels."""
        if image.shape != (self.size_px, self.size_px, self.channels):
            raise DataError(
                f"{printable(name)}: a raster of {self.size_px} x {self.size_px} pixels in {self.channels} channels is"
                " due, and no image; give recorded tracks"
            )
        return Shown(image, self.geometry(self.size_px, self.size_px))

    def sized(self, size_px: int) -> "Raster":
        """The same stretch of the world at squares of `size_px`: pixels become smaller or larger."""
        return replace(self, size_px=size_px, metres_per_px=self.metres_per_px * self.size_px / size_px)

    def coloured(self, channels: int) -> "Raster":
        """Itself; ValueError for other channels, which follow from how the past is drawn."""
        if channels != self.channels:
            raise ValueError(
                f"a raster has the channels of its past, {self.channels} here, and not {channels}; data.drawn_past and"
                " data.history_seconds change them"
            )
        return self
