"""Explanations: the parts of an image on which a net's answer rests, mapped back to the image through its view."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from resvision.classification.stages import stage_modules
from resvision.core.errors import DataError, MissingStageError, SettingsError, unknown_name
from resvision.core.samples import Sample
from resvision.core.view_geometry import Floats, Geometry
from resvision.inference.load import Trained, load
from resvision.kinds.kind import Asked
from resvision.kinds.prediction_options import PredictionOptions
from resvision.prediction.predictions import Predicted, seen_sample, seen_sources
from resvision.prediction.sample_files import FileSample
from resvision.prediction.sources import Picture, Source, sources_of
from resvision.probes.attribution import grad_cam, occlusion, smallest_map
from resvision.tasks import ExplainedScore, Question, Seen
from resvision.training.machine import at_work

Method = Literal["gradcam", "occlusion"]

PATCHES = 6
"""Squares of occlusion along the shorter side of a view; they overlap by half."""
OCCLUDED_PIXELS = 2**20
"""Pixels of the views with a square that are shown to a net at a time."""
GRID = 16
"""Most rows and columns of the map in plain numbers."""


class Heat(NamedTuple):
    """The heat of one class in one image.

    label   the class
    share   the share 0..1 that the net gives to it
    words   the score that is explained, in words, and its `score`
    values  (h, w) float32, of the pixels of the view: the larger, the more the score rests on the pixel
    box     x1 y1 x2 y2 in pixels of the image, of the object that the score is about; None where it is about no one
    """

    label: str
    share: float
    words: str
    score: float
    values: NDArray[np.float32]
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Explanation:
    """The heats of one image, and the way they were found.

    layer     the stage, or the module by its dotted name, that Grad-CAM looked at; None for occlusion
    geometry  the place of the view in the image
    """

    source: str
    method: Method
    layer: str | None
    geometry: Geometry
    heats: tuple[Heat, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data: of each class the strongest point in pixels of the image, and the heat on a coarse grid."""
        return {
            "source": self.source,
            "method": self.method,
            "stage": self.layer,
            "classes": [{**_plain(heat), **self._places(heat)} for heat in self.heats],
        }

    def strongest(self, heat: Heat) -> tuple[int, int] | None:
        """The pixel of the image, x and y, below which the heat is greatest; None where there is no heat at all."""
        if not heat.values.max() > 0:
            return None
        row, column = np.unravel_index(int(heat.values.argmax()), heat.values.shape)
        ((x, y),) = self.geometry.points_to_image(np.array([[column + 0.5, row + 0.5]]))
        height, width = self.geometry.image_sides
        return int(np.clip(x, 0, width - 1)), int(np.clip(y, 0, height - 1))

    def heat_map(self, heat: Heat) -> Floats:
        """The heat of each pixel of the image, (H, W) float64; NaN where the net does not look."""
        return self.geometry.values_to_image(heat.values)

    def described(self, heat: Heat) -> str:
        """A heat in words: `cat 93.1% (most at x 120, y 88)`, with its box where it has one."""
        place = self.strongest(heat)
        where = "nothing speaks for it" if place is None else f"most at x {place[0]}, y {place[1]}"
        box = "" if heat.box is None else f"box {' '.join(f'{corner:.0f}' for corner in heat.box)}, "
        return f"{heat.label} {heat.share:.1%} ({box}{where})"

    def _places(self, heat: Heat) -> dict[str, Any]:
        height, width = self.geometry.image_sides
        cell = max(1.0, max(height, width) / GRID)
        coarse = self.geometry.resized(max(1, round(height / cell)), max(1, round(width / cell)))
        rows = coarse.values_to_image(heat.values).tolist()
        return {
            "strongest": self.strongest(heat),
            "map": [[None if value != value else float(f"{value:.4g}") for value in row] for row in rows],
        }


def explain(
    run: Trained | str | Path,
    images: Picture | Iterable[Picture],
    *,
    classes: Sequence[str] = (),
    point: tuple[float, float] | None = None,
    method: Method = "gradcam",
    stage: str | None = None,
    grey: bool = False,
    proposals: str | None = None,
    only: str | Sequence[str] = (),
) -> list[Explanation]:
    """Explain the answers of a run to images, in their order, by Grad-CAM or by occlusion.

    Selvaraju et al. 2017, arXiv:1610.02391; Zeiler and Fergus 2014, arXiv:1311.2901.

    images     as `predict` takes them
    classes    the classes that are asked about; the net's own answer where there are none
    point      x and y in pixels of the image, where the answer is asked about, for tasks that answer for points
    stage      of Grad-CAM: a map of the net such as C5, or a module by its dotted name; the deepest when left out
    grey       turn colour into grey for a net that was trained on grey images
    proposals  file of the regions to look at, for a net that looks at given ones
    only       names of samples, or patterns of them, for tasks whose files hold several, as `predict` takes them

    Raises DataError for an image as `predict` does, SettingsError for a stage, a class or a question that the net does
    not know.
    """
    trained = run if isinstance(run, Trained) else load(run)
    wanted = (only,) if isinstance(only, str) else (*only,)
    trained.kind.require_options({"only": bool(wanted)})
    found = explained(
        trained,
        sources_of(images, endings=trained.kind.file_endings),
        classes=classes,
        point=point,
        method=method,
        stage=stage,
        grey=grey,
        proposals=proposals,
        only=wanted,
    )
    return [prediction.result for prediction in found]


def explained(
    trained: Trained,
    sources: Iterable[Source | FileSample],
    *,
    classes: Sequence[str] = (),
    point: tuple[float, float] | None = None,
    method: Method = "gradcam",
    stage: str | None = None,
    grey: bool = False,
    proposals: str | None = None,
    only: Sequence[str] = (),
    failed: Callable[[DataError], None] | None = None,
) -> Iterator[Predicted]:
    """Yield an Explanation for each source, or for each sample in it, in order, in the place of a result.

    classes  the classes that are asked about; the net's own answer where there are none
    point    x and y in pixels of the image, where the answer is asked about, for tasks that answer for points
    stage    of Grad-CAM: a map of the net such as C5, or a module by its dotted name; the deepest when left out
    failed   takes the error of each source that cannot be used, which is left out; without it the DataError is raised

    Raises SettingsError for a stage, a class or a question that the net does not know.
    """
    if proposals is not None:
        trained.kind.require_options({"proposals": True})
        trained = trained.task.configured(trained, PredictionOptions(proposals=proposals))
    labels: list[int | None] = [label_of(trained, name) for name in classes]
    for source, seen in seen_sources(trained, sources, grey, failed, only=only):
        try:
            questions = [Question(label, points_in_view(seen.geometry, point)) for label in labels or [None]]
            explanation = explain_view(trained, seen, questions, method=method, stage=stage)
        except DataError as error:
            named = DataError(f"{seen.name}: {error}")
            if failed is None:
                raise named from None
            failed(named)
        else:
            yield Predicted(source, seen.image, explanation)


def explain_sample(trained: Trained, sample: Sample[Any], asked: Sequence[Asked], *, name: str) -> Explanation:
    """Explain one labelled sample by Grad-CAM: why these classes, at these points of it, or everywhere."""
    seen = seen_sample(trained, sample, name=name, grey=True)
    questions = [
        Question(
            label_of(trained, label),
            None if points is None else _inside(seen.geometry, seen.geometry.points_to_view(points)),
        )
        for label, _, points in asked
    ]
    return explain_view(trained, seen, questions)


def explain_view(
    trained: Trained,
    seen: Seen,
    questions: Sequence[Question],
    *,
    method: Method = "gradcam",
    stage: str | None = None,
) -> Explanation:
    """Explain the answers to some questions about one view; raises as `explained`."""
    with at_work(trained.system, replace(trained.machine, precision="fp32")):  # torch's own gradients may end a process
        scores = [trained.task.explained_score(trained, seen, question) for question in questions]
        if method == "occlusion":
            if stage is not None:
                raise SettingsError("--stage: occlusion looks at no stage; leave it out")
            layer, find = None, _occlusion_by(trained)
        else:
            layer, module = layer_of(trained.system.net, scores[0], stage)
            find = _grad_cam_at(module)
        heats = tuple(_heat(score, find, seen) for score in scores)
    return Explanation(seen.name, method, layer, seen.geometry, heats)


def layer_of(net: nn.Module, score: ExplainedScore, stage: str | None) -> tuple[str, nn.Module]:
    """The layer that Grad-CAM looks at, with its name: the stage that is asked for, the deepest when none is.

    Of a net without stages, it is the module that gives the smallest map. Raises UnknownNameError for another name,
    SettingsError for a net that has no map at all.
    """
    try:
        modules = stage_modules(net)
    except MissingStageError:
        modules = {}
    if stage is not None:
        choices = modules | {name: module for name, module in net.named_modules() if name}
        if stage not in choices:
            raise unknown_name("stage", stage, modules or choices)
        return stage, choices[stage]
    if modules:
        return [*modules.items()][-1]
    name = smallest_map(net, lambda: score.net(score.images))
    if name is None:
        raise SettingsError(f"{type(net).__name__} has no map that Grad-CAM could look at; take --method occlusion")
    return name, net.get_submodule(name)


def label_of(trained: Trained, name: str) -> int:
    """The index of a class by its name; UnknownNameError for a class that the net does not know.

    Raises SettingsError where nets of the task have no classes.
    """
    if not trained.classes:
        raise SettingsError(f"--class {name}: nets for {trained.kind.name} have no classes; leave it out")
    if name not in trained.classes:
        raise unknown_name("class", name, trained.classes)
    return trained.classes.index(name)


def points_in_view(geometry: Geometry, point: tuple[float, float] | None) -> Floats | None:
    """A pixel of the image as a point of the view, (1, 2); DataError where the net does not see it."""
    if point is None:
        return None
    points = _inside(geometry, geometry.points_to_view(np.array([point]) + 0.5))
    if not len(points):
        height, width = geometry.image_sides
        raise DataError(
            f"--point {point[0]:g} {point[1]:g}: not in the part of the {width}x{height} image that is seen"
        )
    return points


def _inside(geometry: Geometry, points: Floats) -> Floats:
    height, width = geometry.view_sides
    return np.asarray(points[((points >= 0) & (points < (width, height))).all(axis=1)])


Find = Callable[[ExplainedScore], torch.Tensor]


def _grad_cam_at(layer: nn.Module) -> Find:
    return lambda score: grad_cam(score.net, score.images, score.score, layer=layer)


def _occlusion_by(trained: Trained) -> Find:
    """Occlusion by squares of the mean colour, which is the zero of the net's input."""

    def find(score: ExplainedScore) -> torch.Tensor:
        height, width = score.images.shape[2:]
        patch_px = max(1, min(height, width) // PATCHES)
        return occlusion(
            score.net,
            score.images,
            score.score,
            fill=255 * score.images.new_tensor(trained.view.mean),
            patch_px=patch_px,
            step_px=max(1, patch_px // 2),
            batch_size=max(1, min(64, OCCLUDED_PIXELS // (height * width))),
        )

    return find


def _heat(score: ExplainedScore, find: Find, seen: Seen) -> Heat:
    rows, columns = (slice(score.border_px, score.border_px + side) for side in seen.pixels.shape[:2])
    with torch.no_grad():
        value = float(score.score(score.net(score.images)))
    values = find(score)[0, rows, columns].float().cpu().numpy()
    box = None
    if score.box is not None:
        x1, y1, x2, y2 = seen.geometry.boxes_to_image(score.box[None])[0].tolist()
        box = (x1, y1, x2, y2)
    return Heat(score.label, score.share, score.words, value, values, box)


def _plain(heat: Heat) -> dict[str, Any]:
    box = {} if heat.box is None else {"box": [round(corner, 3) for corner in heat.box]}
    return {"class": heat.label, "share": heat.share, "explained": heat.words, "score": heat.score, **box}
