"""Predictions on image files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from resvision.contracts import Images
from resvision.core.errors import DataError, printable
from resvision.core.images import decode
from resvision.core.results import ClassScores
from resvision.inference.load import Trained, load
from resvision.training.machine import autocast

Picture = str | Path | NDArray[np.uint8]


def predict(
    run: Trained | str | Path,
    images: Picture | Sequence[Picture],
    *,
    top: int | None = None,
    grey: bool = False,
) -> list[ClassScores]:
    """Class scores of images, in their order.

    images  files, folders (all their files, in order of name), or uint8 arrays (H, W) or (H, W, 3)
    top     how many classes to give, all when left out
    grey    turn colour into grey for a net that was trained on grey images

    Raises DataError, which names the file, for one that cannot be decoded or does not fit the net.
    """
    trained = run if isinstance(run, Trained) else load(run)
    sources = sources_of(images)
    pixels = (prepare(trained, source, grey=grey) for source in sources)
    return list(predict_pixels(trained, zip(names_of(sources), pixels, strict=True), top=top))


def sources_of(images: Picture | Sequence[Picture]) -> list[Path | NDArray[np.uint8]]:
    """Files, those of folders in order of name, and arrays, as `predict` is given them; DataError for missing ones."""
    pictures = [images] if isinstance(images, str | Path | np.ndarray) else images
    return [source for picture in pictures for source in _expand(picture)]


def files_of(path: Path) -> list[Path]:
    """The files that a path stands for: itself, or all in the folder and below, hidden ones left out.

    Links to folders are not followed. Whether a file is an image shows when it is decoded, by its content. Raises
    DataError where there is no file, and for a folder that cannot be listed.
    """
    if not path.exists() and not path.is_symlink():
        raise DataError(f"{printable(path)}: no such file or folder")
    if not path.is_dir():
        return [path]
    files: list[Path] = []
    for folder, inner, names in os.walk(path, onerror=_unlistable):
        inner[:] = [name for name in inner if not name.startswith(".")]
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    if not files:
        raise DataError(f"{printable(path)}: no files in this folder")
    return sorted(files)


def prepare(trained: Trained, source: Path | NDArray[np.uint8], *, grey: bool = False) -> NDArray[np.uint8]:
    """What the net sees of an image, uint8 (H, W, C); DataError where it cannot be decoded or does not fit."""
    name = printable(source) if isinstance(source, Path) else "the array"
    image = decode(source) if isinstance(source, Path) else source
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise DataError(f"{name}: an image is uint8 of shape (H, W) or (H, W, 3), not {image.dtype} of {image.shape}")
    return trained.preprocess.pixels(image, name=name, grey=grey)


@torch.no_grad()
def predict_pixels(
    trained: Trained,
    named: Iterable[tuple[str, NDArray[np.uint8]]],
    *,
    top: int | None = None,
    batch_size: int = 64,
) -> Iterator[ClassScores]:
    """Class scores of prepared images with their names, a batch at a time."""
    named = iter(named)
    device = next(trained.system.net.parameters()).device
    while chunk := list(islice(named, batch_size)):
        names, pixels = zip(*chunk, strict=True)
        images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        with autocast(trained.run.machine):
            probabilities = trained.system.predict(Images(images.to(device))).float().cpu().numpy()
        for name, row in zip(names, probabilities, strict=True):
            ranked = np.argsort(-row, kind="stable")[:top]
            labels = tuple(trained.classes[k] for k in ranked)
            yield ClassScores(source=name, labels=labels, scores=tuple(float(row[k]) for k in ranked))


def _expand(picture: Picture) -> Sequence[Path | NDArray[np.uint8]]:
    return [picture] if isinstance(picture, np.ndarray) else files_of(Path(picture))


def _unlistable(error: OSError) -> None:
    raise DataError(f"{printable(str(error.filename))}: cannot be listed ({error.strerror})") from None


def names_of(sources: Sequence[Path | NDArray[np.uint8]]) -> list[str]:
    """Paths, and `array i` for the i-th of the sources."""
    return [printable(source) if isinstance(source, Path) else f"array {i}" for i, source in enumerate(sources)]
