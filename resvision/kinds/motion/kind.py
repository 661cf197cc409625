"""Motion prediction without torch: trajectories of vehicles, judged beside those of constant velocity."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.samples import Reader
from resvision.core.settings import Scalar
from resvision.core.view_geometry import Geometry
from resvision.kinds.graph import PIXELS, Graph
from resvision.kinds.kind import (
    ClassTable,
    Column,
    Curve,
    Example,
    Exhibit,
    Kind,
    ListedProtocol,
    ModelCard,
    Panel,
    Plot,
    Seen,
    Showing,
    Table,
)
from resvision.kinds.motion import curves, tables
from resvision.kinds.motion.captions import LEGEND, Lettering
from resvision.kinds.motion.exam import MotionExam
from resvision.kinds.motion.pictures import top_view
from resvision.kinds.motion.placement import WindowGeometry
from resvision.kinds.motion.results import Motion, RawTrajectories, motion_of
from resvision.kinds.motion.scores import MotionScores
from resvision.kinds.motion.showing import windows_shown
from resvision.kinds.motion.window_arrays import beside_rasters
from resvision.kinds.motion.windows import Window

PAGE_PX = 640
ON_A_PAGE = Lettering(24, has_legend=False)
"""A page shows pictures in half their size, and has one legend above all."""

ALIKE_M = 0.1
"""The distance up to which two positions count as the same."""


class MotionKind(Kind[MotionScores, Motion, Window]):
    """The task whose systems predict where a vehicle will be: trajectories with a probability each."""

    name = "motion"
    layouts = ("resvision.data.tracks.layout:LAYOUT",)
    judged_by = ("min_fde_1", "min_ade_1")
    sample_noun = "window"
    sample_source = "resvision.data.tracks.track_files:TRACKS"
    file_endings = frozenset({".xml", ".csv", ".tsv", ".txt", ".parquet", ".json"})
    """Of them `.json` are maps that lie beside scenarios."""
    main_name = "FDE"
    figures = (
        "min_fde_1",
        "min_ade_1",
        "min_fde_5",
        "min_ade_5",
        "min_fde_10",
        "min_ade_10",
        "rmse",
        "nll",
        "constant_velocity_fde",
    )
    metrics = ("fde",)
    nouns: ClassVar[dict[str, str]] = {
        "fde": "FDE",
        "min_fde_1": "FDE",
        "min_ade_1": "ADE",
        "min_fde_5": "minFDE_5",
        "min_ade_5": "minADE_5",
        "min_fde_10": "minFDE_10",
        "min_ade_10": "minADE_10",
        "rmse": "RMSE",
        "nll": "NLL",
        "constant_velocity_fde": "FDE of constant velocity",
    }
    columns = (
        Column("train FDE, m", "training", "fde", "lower", "hundredths"),
        Column("best validation FDE, m", "validation", "min_fde_1", "lower", "hundredths"),
        Column("FDE, m", "test", "min_fde_1", "lower", "hundredths"),
        Column("ADE, m", "test", "min_ade_1", "lower", "hundredths"),
        Column("minFDE_5, m", "test", "min_fde_5", "lower", "hundredths"),
        Column("RMSE, m", "test", "rmse", "lower", "hundredths"),
        Column("FDE of constant velocity, m", "test", "constant_velocity_fde", "lower", "hundredths"),
    )
    curves = (
        Curve("FDE", "falling", lambda figures: figures["min_fde_1"], trained="fde", unit="m"),
        Curve("ADE", "falling", lambda figures: figures["min_ade_1"], unit="m"),
        Curve("loss", "logarithmic", trained="loss", unit=""),
    )
    footnote = (
        "FDE is the distance from the true place at the end of the prediction, ADE the mean distance up to it, both of"
        " the most probable trajectory; minFDE_5 is the least among the five most probable ones. Runs that predict"
        " different times ahead are not comparable; constant velocity is that of the last half second."
    )
    graph_inputs = frozenset({PIXELS, "state", "known", "past", "present", "steady"})
    graph_outputs = frozenset({"positions", "probabilities"})
    options = frozenset({"csv", "out", "top", "only"})
    refused: ClassVar[dict[str, str]] = {
        "scales": "rasters are drawn as the run draws them; leave it out",
        "compile": "nothing is compiled; leave it out",
        "ensemble": "trajectories of several runs are not averaged; leave it out",
    }
    compared: ClassVar[dict[str, str]] = {
        "min_fde_1": "FDE",
        "min_ade_1": "ADE",
        "min_fde_5": "minFDE_5",
        "constant_velocity_fde": "FDE of constant velocity",
    }
    protocols = (ListedProtocol("windows", "each window once, all errors in the agent's frame, in metres", "ours"),)
    amount_noun = "windows"
    worst_title = "Worst windows"
    worst_note = (
        "The largest distances from the true place at the end, at most one window of a vehicle in a scenario. Each is"
        " drawn from above, turned so that its vehicle looks up, with its prediction made anew."
    )
    predicts_examples = True

    def write(self, name: str, value: float) -> str:
        """A figure in metres, but for the likelihood, which has no unit."""
        is_distance = name in (*self.figures, *self.metrics) and name != "nll"
        return f"{value:.2f} m" if is_distance else super().write(name, value)

    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        """The fault of a target that is no Window, in words."""
        return "" if isinstance(target, Window) else f"a {type(target).__name__} where a Window is due"

    def decode(self, raw: RawTrajectories, geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> Motion:
        """The trajectories in the frame of the world, the most probable first."""
        assert isinstance(geometry, WindowGeometry), "views of this task are drawn from windows"
        return motion_of(geometry.window, raw)

    def answers(self, graph: Graph, seen: Sequence[Seen], fixed: Mapping[str, Scalar]) -> list[RawTrajectories]:
        """The trajectories for windows, in their agents' frames."""
        windows = []
        for one in seen:
            assert isinstance(one.geometry, WindowGeometry), "views of this task are drawn from windows"
            windows.append(one.geometry.window)
        feed: dict[str, NDArray[Any]] = {PIXELS: np.stack([one.pixels for one in seen]), **beside_rasters(windows)}
        said = graph({name: feed[name] for name in graph.inputs})
        return [RawTrajectories(*one) for one in zip(said["positions"], said["probabilities"], strict=True)]

    def agreement(self, one: Motion, other: Motion) -> float:
        """The share of the positions of the most probable trajectory that lie within ALIKE_M of each other."""
        apart_m = np.linalg.norm(one.positions[0] - other.positions[0], axis=-1)
        return float((apart_m <= ALIKE_M).mean())

    def exam(self, model: ModelCard, reader: Reader[Window], protocol: str | None = None) -> MotionExam:
        """Displacements of all windows, beside those of the baselines."""
        return MotionExam(model, reader)

    def samples_shown(
        self, reader: Reader[Window], indices: Sequence[int], results: Sequence[Motion] | None, *, pictures: bool
    ) -> Showing:
        """Show windows as rasters and from above, with what came true and what was predicted."""
        return windows_shown(reader, indices, results, pictures=pictures)

    def read_scores(self, data: Any) -> MotionScores:
        """Read errors of the system and of the baselines, and the worst windows."""
        return MotionScores.from_json(data)

    def sentence(self, scores: MotionScores, data: str) -> str:
        """The final error, and whether that of constant velocity is lower."""
        return tables.sentence(scores, data)

    def lines(self, scores: MotionScores) -> list[tuple[str, str]]:
        """The figures over the whole prediction, and the comparison with constant velocity."""
        shown = [(self.noun(name), self.write(name, value)) for name, value in scores.figures().items()]
        return [
            *shown,
            ("against constant velocity", tables.verdict(scores)),
            ("horizon", f"{scores.horizon_seconds:g} s"),
            ("windows", f"{scores.windows:,}"),
        ]

    def tables(self, scores: MotionScores) -> list[Table]:
        """Tables of all systems: by horizon, misses, lanes, speed, manoeuvre, and the calibration of probabilities."""
        return tables.for_terminal(scores)

    def page_tables(self, scores: MotionScores) -> list[ClassTable]:
        """The same tables for the page."""
        return tables.for_page(scores)

    def plots(self, scores: MotionScores) -> list[Plot]:
        """Errors by horizon, by speed and by manoeuvre, and the calibration of probabilities."""
        return curves.plots(scores)

    def worst(self, scores: MotionScores) -> list[Example]:
        """The windows that were missed by most."""
        return [Example(window.index, window.source) for window in scores.worst]

    def exhibit(self, scores: MotionScores, rank: int, image: Pixels, target: Window, result: Motion | None) -> Exhibit:
        """A window from above with its past, its future and its prediction, beside its raster."""
        window = scores.worst[rank]
        if target.name != window.source:
            raise DataError(f"{window.source}: is no longer that window, but {target.name}")
        return Exhibit(
            source=window.source,
            title=f"{window.fde:.1f} m off",
            text=f"after {scores.horizon_seconds:g} s, where constant velocity is {window.baseline:.1f} m off",
            panels=(
                Panel("from above", top_view(target, result, side_px=PAGE_PX, lettering=ON_A_PAGE), lettered=True),
                Panel("drawn for nets", Image.fromarray(image)),
            ),
        )

    def legend(self, scores: MotionScores, shown: Sequence[tuple[Window, Motion | None]]) -> list[tuple[str, str]]:
        """The colours of the windows from above."""
        return [(name, f"#{bytes(colour).hex()}") for name, colour in LEGEND]

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The path of the picture of a window with its prediction."""
        return (out / f"{source.stem}.png",)

    def contents(self, result: Motion, image: Pixels) -> Iterator[bytes]:
        """Yield the window from above with its prediction, and what came true where it is known, as PNG."""
        assert result.asked is not None, "`decode` keeps it"
        stream = BytesIO()
        top_view(result.asked, result).save(stream, "PNG", compress_level=1)
        yield stream.getvalue()

    def limited(self, result: Motion, top: int | None) -> Motion:
        """The `top` most probable trajectories."""
        return result.best(top)

    def line(self, result: Motion) -> str:
        """The window, and where its trajectories end."""
        return f"{result.source}: {result.window} {result.in_words()}"

    csv_header = ("source", "scenario", "vehicle", "frame", "mode", "probability", "time_s", "x_m", "y_m")

    def csv_rows(self, result: Motion) -> list[tuple[Any, ...]]:
        """A CSV row for each step of each trajectory, in the frame of the world."""
        window = (result.source, result.scenario, result.vehicle, result.frame)
        return [
            (*window, mode, f"{probability:.6f}", f"{time:g}", f"{x:.3f}", f"{y:.3f}")
            for mode, (path, probability) in enumerate(zip(result.positions, result.probabilities, strict=True), 1)
            for time, (x, y) in zip(result.times, path, strict=True)
        ]


KIND = MotionKind()
