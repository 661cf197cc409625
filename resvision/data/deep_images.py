"""Images of 16 bits a channel whose values fill 12 of them: as 16 bits they are nearly black, to a net as to an eye."""

from collections.abc import Callable, Sequence

from resvision.core.errors import DataError
from resvision.core.images import Pixels

DARK = 16
"""The level of 8 bits that 4,095 of 65,535 becomes."""
SAMPLED = 8
"""Images that are decoded before training."""
REMEDY = "values below 4,096 alone, as of a camera of 12 bits, and are nearly black; multiply the values by 16"


def is_dark(image: Pixels) -> bool:
    """Whether no pixel of a decoded image is above what 12 of 16 bits can say."""
    return bool(image.max() <= DARK)


def sample_is_dark(decode: Callable[[int], Pixels], deep: Sequence[int]) -> bool:
    """Whether a few images of 16 bits, by index, are all dark; False for ones that cannot be decoded."""
    step = max(1, len(deep) // SAMPLED)
    sample = deep[::step][:SAMPLED]
    try:
        return bool(sample) and all(is_dark(decode(index)) for index in sample)
    except DataError:  # decoding says so where it matters
        return False


def sampled_note(dark: bool) -> list[str]:
    """The line about a set whose sample is dark; none for others."""
    return [f"its images of 16 bits hold {REMEDY}"] if dark else []


def counted_note(dark: int) -> list[str]:
    """The line about so many images of 16 bits that are dark; none for 0."""
    return [f"{dark:,} images of 16 bits hold {REMEDY}"] if dark else []
