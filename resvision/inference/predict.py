"""Prediction: the results of a trained run for files, Pillow images, arrays and tensors."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resvision.contracts import PixelSystem
from resvision.core.errors import DataError, SettingsError
from resvision.inference.load import Trained, load
from resvision.kinds.prediction_options import PredictionOptions
from resvision.prediction.predictions import results_of
from resvision.prediction.sources import Picture, decoded, name_of, sources_of


def predict(
    run: Trained | str | Path,
    images: Picture | Iterable[Picture],
    *,
    top: int | None = None,
    grey: bool = False,
    score: float | None = None,
    iou: float | None = None,
    suppress: str | None = None,
    most: int | None = None,
    proposals: str | None = None,
    only: str | Sequence[str] = (),
) -> list[Any]:
    """Predict images, in their order: ClassScores, LabelMap, Detections, or the result of the run's own task for each.

    images  one or several: files, folders (all their files, in order of name), Pillow images, arrays (H, W) or
            (H, W, C), tensors (H, W) or (C, H, W), or batches of these, (N, H, W, C) and (N, C, H, W). Values are
            uint8, or floats 0..1; the model resizes and normalizes them itself
    top     how many classes to give, all when left out; SettingsError where the task has no ranked classes
    grey    turn colour into grey for a net that was trained on grey images

    Five are for tasks that find things in images, and a SettingsError for others:
    score     the score above which a find is given, 0..1; 0.3 for boxes when left out
    iou       of two finds that overlap by more, 0..1, the one of lower score is left out
    suppress  the classes among which that is so: `per-class`, `all`, or groups of names such as "cat,dog;car,bus"
    most      the most finds of an image
    proposals  file of the regions to look at, for a net that looks at given ones; they are searched for when left out

    One is for tasks whose files hold several samples, such as recorded tracks:
    only      names of the samples to predict, or patterns of names with `*` and `?`; those that the task thinks usual
              when left out

    Raises DataError, which names the image, for one that cannot be decoded or does not fit the net.
    """
    trained = run if isinstance(run, Trained) else load(run)
    options = PredictionOptions(score, iou, suppress, most, proposals)
    return results_of(trained, images, top=top, grey=grey, only=only, options=options)


def inputs_of(trained: Trained, images: Picture | Iterable[Picture], *, grey: bool = False) -> Tensor:
    """The inputs of the net for images, (N, C, H, W) float32 on its device: seen through the run's view, normalized.

    Raises DataError as `predict` does, and where images become of different sizes; SettingsError for a system that
    does not normalize pixels.
    """
    if not isinstance(trained.system, PixelSystem):
        raise SettingsError(f"{type(trained.system).__name__}: does not normalize pixels; its `predict` takes inputs")
    decoded_images = ((name_of(source, position), source) for position, source in enumerate(sources_of(images)))
    pixels = [
        trained.view.show(decoded(source, name=name), name=name, grey=grey).pixels for name, source in decoded_images
    ]
    if len(sizes := {view.shape for view in pixels}) != 1:
        listed = ", ".join(f"{height}x{width}" for height, width, _ in sorted(sizes)[:5]) or "no images"
        raise DataError(f"inputs of one size are needed, not {listed}; give images of one size, or one at a time")
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return trained.system.normalized(stacked.to(trained.system.mean.device)).contiguous()
