"""Height and width of a set's images, without decoding them where they are files."""

from pathlib import Path
from typing import Any

from resvision.core.images import header
from resvision.core.samples import Reader


def image_sides(reader: Reader[Any], index: int) -> tuple[int, int]:
    """The height and width of an upright image, from the header of its file where it is one, so without decoding."""
    path = Path(reader.source(index))
    if path.is_file():
        return header(path).upright
    height, width = reader[index].image.shape[:2]
    return height, width
