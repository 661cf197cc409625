"""Views that a person chooses in a few words: normalization, sides, and the way to resize."""

from dataclasses import replace
from typing import Any, Literal

from resvision.core.views import (
    CentreCrop,
    Letterbox,
    LongerSide,
    Raster,
    ShorterSide,
    SquareView,
    Stretch,
    View,
    Whole,
)

Resize = Literal["stretch", "centre-crop", "whole", "shorter-side", "longer-side", "letterbox"]

WITHOUT_MARGIN_PX = 96
"""Squares up to this side are made of whole images; larger ones are cut out of the centre, with a margin."""


def usual_squares(sides: tuple[int, ...], *, mean: tuple[float, ...], std: tuple[float, ...]) -> SquareView:
    """The view that gives squares of the last of `sides`, out of images whose shorter side becomes the first.

    Of one side alone the margin is that of 256 to 224, and none for small squares, to which images are stretched.
    """
    side_px, channels = sides[-1], len(mean)
    if len(sides) == 1 and side_px <= WITHOUT_MARGIN_PX:
        return Stretch(channels=channels, resize_px=side_px, crop_px=side_px, mean=mean, std=std)
    resize_px = sides[0] if len(sides) > 1 else round(side_px * 256 / 224)
    return CentreCrop(channels=channels, resize_px=resize_px, crop_px=side_px, mean=mean, std=std)


def changed_view(
    view: View,
    *,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    resize: Resize | None = None,
    resize_px: int | None = None,
) -> View:
    """The view with another normalization, one number for all channels or one for each, or another way to resize.

    resize_px  the side that a way resizes; that of the view where it is left out

    Raises ValueError for numbers that do not go together.
    """
    numbers = {"mean": mean or view.mean, "std": std or view.std}
    shared: dict[str, Any] = {
        key: given * view.channels if len(given) == 1 else given for key, given in numbers.items()
    }
    if resize is None and resize_px is None:
        return replace(view, **shared)
    if isinstance(view, Raster):
        raise ValueError("rasters are drawn at their size and not resized; data.image_size says which")
    shared |= {"channels": view.channels, "interpolation": view.interpolation}
    way = resize or view.kind
    if way == "whole":
        return Whole(**shared)
    own = (getattr(view, name, None) for name in ("resize_px", "side_px", "shorter_px", "longer_px"))
    side_px = resize_px or next(filter(None, own), None)
    if side_px is None:
        raise ValueError(f"{way} needs resize_px, the side in pixels")
    match way:
        case "stretch":
            return Stretch(**shared, resize_px=side_px, crop_px=view.side_px or side_px)
        case "centre-crop":
            return CentreCrop(**shared, resize_px=side_px, crop_px=view.side_px or side_px)
        case "shorter-side":
            return ShorterSide(**shared, shorter_px=side_px, longest_px=_longest_px(view, side_px))
        case "longer-side":
            return LongerSide(**shared, longer_px=side_px)
        case "letterbox":
            square = view.side_px or side_px
            return replace(view, **shared) if isinstance(view, Letterbox) else Letterbox(**shared, size_px=square)


def _longest_px(view: View, shorter_px: int) -> int | None:
    """The longest side that a view allows, in proportion to another shorter side; None where it allows any."""
    if not isinstance(view, ShorterSide) or view.longest_px is None:
        return None
    return round(view.longest_px * shorter_px / view.shorter_px)
