"""The images that a prediction is asked for, and their pixels: files, folders, Pillow images, arrays and tensors."""

import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels, decode, pixels_of
from resvision.prediction.image_files import ImageFiles

if TYPE_CHECKING:
    from torch import Tensor
else:  # torch is not loaded for a name in a signature
    Tensor = Any

Source: TypeAlias = Path | Image.Image | NDArray[Any] | Tensor
"""One image: a file, a Pillow image, an array (H, W) or (H, W, C), or a tensor (H, W) or (C, H, W)."""
Picture: TypeAlias = str | Source
"""An image; or a folder, all files of which are taken; or an array (N, H, W, C) or a tensor (N, C, H, W) of several."""

TAKEN = "paths, Pillow images, arrays (H, W, C) or tensors (C, H, W)"


def is_tensor(value: Any) -> "TypeGuard[Tensor]":
    """Whether a value is a tensor of torch, which is not imported for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def sources_of(images: Picture | Iterable[Picture], *, endings: Collection[str] = ()) -> list[Source]:
    """The images in the argument `images` of `predict`, one by one.

    endings  of files of folders that are taken though they are no images, such as `.xml`

    Raises DataError for missing files, and for what is no image.
    """
    if isinstance(images, str | Path | Image.Image | np.ndarray) or is_tensor(images):
        images = [images]
    elif not isinstance(images, Iterable):
        raise DataError(f"images: expected {TAKEN}, got {type(images).__name__}")
    pictures: Iterable[Any] = images
    return [source for position, picture in enumerate(pictures) for source in _expand(picture, position, endings)]


def _expand(picture: Any, position: int, endings: Collection[str]) -> Sequence[Source]:
    if isinstance(picture, str | Path):
        return [*ImageFiles.of([Path(picture)], endings=endings)]
    if isinstance(picture, np.ndarray) or is_tensor(picture):
        return [*picture] if picture.ndim == 4 else [picture]
    if not isinstance(picture, Image.Image):
        raise DataError(f"image {position}: expected {TAKEN}, got {type(picture).__name__}")
    return [picture]


def name_of(source: Source, position: int) -> str:
    """The name of an image in results and errors: its file, or its kind and its position among all of them."""
    if isinstance(source, Path):
        return printable(source)
    if isinstance(source, Image.Image):
        return printable(getattr(source, "filename", "")) or f"image {position}"
    return f"{'tensor' if is_tensor(source) else 'array'} {position}"


def decoded(source: Source, *, name: str) -> Pixels:
    """The pixels of an image, (H, W) or (H, W, C) uint8; floats are taken as 0..1, as torchvision scales them.

    Raises DataError, with the name, for other types, shapes and values, and for a file that cannot be decoded.
    """
    if isinstance(source, Path):
        return decode(source)
    if isinstance(source, Image.Image):
        return pixels_of(source, name=name)
    if is_tensor(source):
        _require_shape(source.shape, name=name, channels_first=True)
        values = source.detach().cpu()
        is_short = values.is_floating_point() and values.element_size() < 4  # not all such types are known to numpy
        values = values.float() if is_short else values
        return _as_bytes((values.permute(1, 2, 0) if source.ndim == 3 else values).numpy(), name=name)
    array = np.asarray(source)
    _require_shape(array.shape, name=name, channels_first=False)
    return _as_bytes(array, name=name)


def _require_shape(shape: Sequence[int], *, name: str, channels_first: bool) -> None:
    """Raise DataError for the shape of no image, and where channels stand at the other end than they should."""
    wanted = "a tensor (H, W) or (C, H, W)" if channels_first else "an array (H, W) or (H, W, C)"
    given = "x".join(map(str, shape)) or "a number"
    if len(shape) not in (2, 3) or 0 in shape:
        raise DataError(f"{name}: expected {wanted}, got {given}")
    if len(shape) == 3:
        channels, other = (shape[0], shape[-1]) if channels_first else (shape[-1], shape[0])
        if channels not in (1, 3) and other in (1, 3):
            raise DataError(f"{name}: expected {wanted}, got {given}, whose channels stand at the other end")


def _as_bytes(values: NDArray[Any], *, name: str) -> Pixels:
    """The values as uint8; floats 0..1 are scaled to 0..255."""
    if values.dtype == np.uint8:
        return values
    if not np.issubdtype(values.dtype, np.floating):
        raise DataError(f"{name}: an image is uint8, or floats 0..1, not {values.dtype}")
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # neither holds for NaN
        raise DataError(
            f"{name}: floats of an image are 0..1, not {low:.4g}..{high:.4g}; give uint8 pixels, which the model"
            " normalizes itself, or show normalized images to `model.net`"
        )
    return np.asarray(np.rint(255 * values), dtype=np.uint8)
