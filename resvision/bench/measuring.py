"""The measurement of one net: all its contenders in turn, by the net alone and from files to results."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from resvision.bench.contenders import PATHS, Contender, Subject, contender_of
from resvision.bench.graph_work import multiply_adds
from resvision.bench.rounds import Job, Rates, in_turn
from resvision.core.cores import usable_threads
from resvision.core.errors import ResVisionError
from resvision.core.view_geometry import Geometry
from resvision.kinds.graph import PIXELS
from resvision.kinds.seen_samples import Seen
from resvision.prediction.entries import entries_of
from resvision.runtime.bundle import open_bundle
from resvision.runtime.bundle_format import read_manifest

FILES = "files"
"""The measure from files to results; others are numbers of views, of the net alone."""
DECODING = "decoding"
"""The piece of work that decodes and resizes files and no more, by as many threads as there are cores."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is measured.

    paths    of `contenders.PATHS`
    batches  numbers of views that the net alone is shown at a time
    files    images from which to results is measured as well; none leaves that out
    rounds   in which all take turns
    least_s  seconds for which one is called again in its turn
    """

    paths: Sequence[str] = tuple(PATHS)
    batches: Sequence[int] = (1, 16)
    files: Sequence[Path] = ()
    rounds: int = 5
    least_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The rates of one net.

    side_px    of the squares that the net alone is shown
    macs       multiply-adds of an image, by the graph; None where no engine tells
    contenders the library and number format of each path that was measured, by its name, and its precision
    rates      by measure, `1`, `16` and `files`, and path; that of `files` has `decoding`, too
    left_out   the reason for each path that was not
    """

    subject: Subject
    side_px: int
    macs: int | None
    contenders: Mapping[str, Contender]
    rates: Mapping[str, Mapping[str, Rates]]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """The path that others are compared with: the first."""
        return next(iter(self.contenders))

    def ratio(self, measure: str, path: str) -> float | None:
        """How many times as fast as the baseline a path is; None where one of them was not measured so."""
        rates = self.rates.get(measure, {})
        return rates[path].over(rates[self.baseline]) if path in rates and self.baseline in rates else None

    def of_ceiling(self, measure: str, path: str, ceilings: Mapping[str, float]) -> float | None:
        """The share of the rate of matrix products in its format at which a path computes the net."""
        ceiling = ceilings.get(self.contenders[path].precision)
        if self.macs is None or ceiling is None or path not in self.rates.get(measure, {}):
            return None
        return 2 * self.macs * self.rates[measure][path].median / ceiling

    def of_both(self, path: str) -> float | None:
        """Files to results, as a share of the rate at which one decodes all and then computes all."""
        rates = self.rates.get(FILES, {})
        alone = [found[path].median for measure, found in self.rates.items() if measure != FILES and path in found]
        if path not in rates or DECODING not in rates or not alone:
            return None
        return rates[path].median * (1 / max(alone) + 1 / rates[DECODING].median)


def measured(subject: Subject, question: Question, watch: Callable[[], object] = lambda: None) -> Measured:
    """Measure a net; paths that cannot be had here are named in the result, with the reason.

    watch  called whenever a piece of work has had its turn
    """
    contenders: dict[str, Contender] = {}
    left_out: dict[str, str] = {}
    for path in question.paths:
        try:
            contenders[path] = contender_of(path, subject)
        except ResVisionError as error:
            left_out[path] = str(error)
    manifest = read_manifest(subject.folder)
    side_px, _, channels = manifest.usual_inputs[PIXELS]
    rates: dict[str, Mapping[str, Rates]] = {}
    for batch in question.batches:
        views = drawn_views(batch, side_px, channels)
        jobs = {path: counting(contender.on_views(views), batch) for path, contender in contenders.items()}
        rates[str(batch)] = in_turn(jobs, rounds=question.rounds, least_s=question.least_s, watch=watch)
    if question.files:
        jobs = _file_jobs(subject, contenders, question.files)
        rates[FILES] = in_turn(jobs, rounds=question.rounds, least_s=question.least_s, watch=watch)
    return Measured(
        subject=subject,
        side_px=side_px,
        macs=multiply_adds(subject.folder / manifest.graph, manifest.usual_inputs, manifest.batch),
        contenders=contenders,
        rates=rates,
        left_out=left_out,
    )


def drawn_views(number: int, side_px: int, channels: int) -> list[Seen]:
    """Views of smooth noise, as much like photos as costs nothing."""
    coarse = np.random.default_rng(0).integers(0, 256, (number, side_px // 8 + 1, side_px // 8 + 1, channels), np.uint8)
    pixels = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :side_px, :side_px]
    sides = side_px, side_px
    return [Seen(np.ascontiguousarray(one), Geometry(sides, sides), f"view {i}", one) for i, one in enumerate(pixels)]


def _file_jobs(subject: Subject, contenders: Mapping[str, Contender], files: Sequence[Path]) -> dict[str, Job]:
    """The work from files to results of each contender that has one, and decoding alone."""
    jobs = {path: contender.on_files(files) for path, contender in contenders.items()}
    model: Any = subject.trained or open_bundle(subject.folder)

    def decoded() -> int:
        with closing(entries_of(model, files, False, (), with_images=False, threads=usable_threads())) as entries:
            return sum(1 for _ in entries)

    return {**{path: job for path, job in jobs.items() if job is not None}, DECODING: decoded}


def counting(work: Callable[[], object], images: int) -> Job:
    """Work that gives the number of its images."""

    def done() -> int:
        work()
        return images

    return done
