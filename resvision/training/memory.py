"""A step for which memory does not suffice: which part of its batch would have fitted."""

from collections.abc import Callable

import torch

from resvision.core.errors import SettingsError, is_memory_shortage


def too_large(reason: str, *, share: int, accumulate: int, attempt: Callable[[int], object] | None) -> SettingsError:
    """The error of a step that memory did not suffice for: the images in use, and how many at a time fit.

    share    images of this process in a batch, put through the net in `accumulate` parts
    attempt  goes forward and backward with so many parts' first one; None where processes would wait for each other
    """
    parts = _fitting_parts(share, accumulate, attempt) if attempt else None
    found = f"out of memory with {share // accumulate} images at a time ({reason:.120})"
    if parts is not None:
        return SettingsError(
            f"{found}; {share // parts} at a time fit: --set training.accumulate={parts}, or --batch-size"
            f" {share // parts}"
        )
    remedy = "set a smaller --batch-size, a larger training.accumulate, or smaller images"
    return SettingsError(f"{found}; {remedy}")


def _fitting_parts(share: int, accumulate: int, attempt: Callable[[int], object]) -> int | None:
    """The smallest number of parts, each time at least doubled, whose first one fits; None where none does."""
    parts = accumulate
    while larger := [number for number in range(2 * parts, share + 1) if share % number == 0]:
        parts = larger[0]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            attempt(parts)
        except (RuntimeError, MemoryError) as error:
            if not is_memory_shortage(error):
                return None
        else:
            return parts
    return None
