"""Label maps of a trained run: scores over a data set, and the maps of image files."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.contracts import MaskReader
from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.images import VOID, Pixels
from resvision.core.label_maps import Areas, LabelMap, SegmentationScores
from resvision.data.sets import open_splits
from resvision.inference.load import Trained
from resvision.inference.mask_presets import WHOLE, find
from resvision.inference.predict import names_of, prepare
from resvision.loading.loader import batches
from resvision.loading.mask_loader import MaskEvalBatches
from resvision.segmentation import scoring
from resvision.segmentation.segmenter import Segmenter
from resvision.segmentation.whole import labels_of, probabilities_of
from resvision.training.evaluation import evaluating
from resvision.training.machine import autocast, decoding_workers, keep_freed_memory


class Segmented(NamedTuple):
    """What a run says of one image, and the image itself, (H, W, C) uint8."""

    image: Pixels
    found: LabelMap

    @property
    def labels(self) -> Pixels:
        """(H, W) uint8."""
        return self.found.labels

    @property
    def areas(self) -> Areas:
        """By class."""
        return self.found.areas


def evaluate_masks(
    trained: Trained,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int = 4,
    grey: bool = False,
    protocol: str = WHOLE,
) -> SegmentationScores:
    """Scores of a run over the test split of `data`, by default of the data it was trained on.

    The classes of `data` must be the run's, by name; where their order is another, labels are matched by name. Raises
    DataError for other classes, UnknownNameError for a protocol that there is not.
    """
    preset, system = find(protocol), segmenter(trained)
    settings = trained.run.data
    name = settings.name if data is None else str(data)
    place = root if root is not None else (settings.root if data is None else None)
    reader: Any = open_splits(name, root=Path(place) if place else None, task="segmentation").test
    names = _label_of(trained, reader)
    share = MaskEvalBatches(
        reader,
        batch_size=batch_size,
        preprocess=trained.preprocess,
        grey=grey or data is None,
        in_memory=False,
    )
    window_px = trained.preprocess.crop_px if preset.windows else None

    def probabilities(pixels: Tensor) -> Tensor:
        with autocast(trained.run.machine):
            return probabilities_of(
                system,
                pixels,
                num_classes=len(trained.classes),
                scales=preset.scales,
                mirror=preset.mirror,
                window_px=window_px,
            )

    keep_freed_memory()
    device = next(system.net.parameters()).device
    with evaluating(system), closing(batches(share, 0, len(share), workers=decoding_workers())) as read:
        renamed = (batch._replace(targets=names[batch.targets]) for batch in read)
        counts = scoring.count_all(probabilities, renamed, device=device)
    return scoring.scores(counts, classes=trained.classes, source=lambda index: printable(reader.source(index)))


def segment(
    trained: Trained, sources: Sequence[Path | NDArray[np.uint8]], *, grey: bool = False
) -> Iterator[Segmented]:
    """The label map of each image, in order. Raises DataError, with its name, for one that cannot be used."""
    keep_freed_memory()
    for name, source in zip(names_of(sources), sources, strict=True):
        image = prepare(trained, source, grey=grey)
        yield Segmented(image, LabelMap(source=name, classes=trained.classes, labels=label_map(trained, image)))


@torch.no_grad()
def label_map(trained: Trained, image: Pixels) -> Pixels:
    """The labels (H, W) of an image (H, W, C) as `Preprocess.pixels` gives it."""
    system = segmenter(trained)
    with evaluating(system), autocast(trained.run.machine):
        labels: Pixels = labels_of(system, torch.from_numpy(image).permute(2, 0, 1)).numpy()
    return labels


def segmenter(trained: Trained) -> Segmenter:
    """The system of a run that labels pixels; SettingsError for a run of another task."""
    if not isinstance(trained.system, Segmenter):
        raise SettingsError(f"{trained.folder}: labels images and not pixels; it was trained for classification")
    return trained.system


def _label_of(trained: Trained, reader: MaskReader) -> Tensor:
    """The run's label of each of the reader's, (256,) int64, VOID of VOID."""
    foreign = [name for name in reader.classes if name not in trained.classes]
    if foreign:
        raise DataError(
            f"{reader.name}: has classes that the run was not trained on: {', '.join(foreign[:5])}; the run knows"
            f" {', '.join(trained.classes[:10])}"
        )
    labels = torch.full((256,), VOID)
    labels[: len(reader.classes)] = torch.tensor([trained.classes.index(name) for name in reader.classes])
    return labels
