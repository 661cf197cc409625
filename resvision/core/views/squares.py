"""Views that keep the square in the centre of a resized image."""

from dataclasses import dataclass, replace
from typing import Literal

from resvision.core.images import Pixels
from resvision.core.resampling import centre_crop, resized_sides
from resvision.core.view_geometry import Geometry
from resvision.core.views.base import LARGEST_PX, BaseView, Shown


@dataclass(frozen=True, kw_only=True)
class _Square(BaseView):
    """Views that resize an image and keep the square in its centre. Abstract.

    resize_px  pixels of the resized side
    crop_px    side of the square that is kept, at most resize_px
    """

    resize_px: int
    crop_px: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.crop_px <= self.resize_px <= LARGEST_PX:
            raise ValueError(
                f"1 <= crop_px <= resize_px <= {LARGEST_PX} must hold, got crop_px {self.crop_px}, resize_px"
                f" {self.resize_px}"
            )

    @property
    def side_px(self) -> int:
        """The side of the square."""
        return self.crop_px

    def geometry(self, height: int, width: int) -> Geometry:
        """The place of the square in an image of these sides."""
        whole, side = super().geometry(height, width), self.crop_px
        high, wide = whole.view_sides
        return replace(whole, view_sides=(side, side), left=-round((wide - side) / 2), top=-round((high - side) / 2))

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The square in the centre of the resized image, (crop_px, crop_px, channels)."""
        square = centre_crop(self.resized(image, name=name, grey=grey), self.crop_px)
        return Shown(square, self.geometry(*image.shape[:2]))


@dataclass(frozen=True, kw_only=True)
class Stretch(_Square):
    """Both sides become `resize_px`, whatever the proportions; the centre square of `crop_px` is kept."""

    kind: Literal["stretch"] = "stretch"

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Both sides are resize_px."""
        return self.resize_px, self.resize_px

    def sized(self, size_px: int) -> "Stretch":
        """The view at squares of `size_px`, without a margin around them."""
        return self if size_px == self.crop_px else replace(self, resize_px=size_px, crop_px=size_px)


@dataclass(frozen=True, kw_only=True)
class CentreCrop(_Square):
    """The shorter side becomes `resize_px`, the other in proportion; the centre square of `crop_px` is kept.

    torchvision's classifiers are evaluated with this view.
    """

    kind: Literal["centre-crop"] = "centre-crop"

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """The shorter side is resize_px; the other is cut down to whole pixels."""
        return resized_sides(height, width, self.resize_px)

    def sized(self, size_px: int) -> "CentreCrop":
        """The view at squares of `size_px`, with the margin of 256 to 224."""
        if size_px == self.crop_px:
            return self
        return replace(self, resize_px=round(size_px * 256 / 224), crop_px=size_px)


SquareView = Stretch | CentreCrop
