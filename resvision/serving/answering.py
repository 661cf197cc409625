"""The way of a request's files to their results: decoded by a pool of threads, inferred in lanes, written by the pool.

What `predict BUNDLE` prints as JSON is what comes out, by the same functions.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from resvision.core.errors import ResVisionError, TooManyPixelsError
from resvision.core.images import decode, header
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import Seen
from resvision.prediction.predictions import AS_TRAINED, seen_by, showing
from resvision.runtime.bundle import Bundle
from resvision.serving.budgets import Budget, Share
from resvision.serving.lanes import Inferred
from resvision.serving.limits import Limits
from resvision.serving.metrics import STAGES, Metrics
from resvision.serving.refused_requests import RefusedRequest, busy
from resvision.serving.sample_uploads import seen_samples
from resvision.serving.sent_files import SentFile
from resvision.serving.served_models import OpenModel

T = TypeVar("T")
NO_IMAGE = np.empty((0, 0, 1), dtype=np.uint8)
"""In place of an image that nobody draws on, whose memory a waiting request would keep."""


class Asked(NamedTuple):
    """What a client asks of results, as the options of `predict` of the same names; None leaves it to the task.

    pictures  whether results come with their pictures, such as overlays
    id        of the request, which the answer repeats
    """

    top: int | None = None
    score: float | None = None
    most: int | None = None
    grey: bool = False
    only: tuple[str, ...] = ()
    pictures: bool = False
    id: str = ""


class Answer(NamedTuple):
    """Results as plain data, the version of the bundle, and the seconds of each stage, of the slowest image."""

    predictions: list[dict[str, Any]]
    version: str
    seconds: dict[str, float]
    id: str


class _Result(NamedTuple):
    data: dict[str, Any]
    seconds: dict[str, float]


class Answering:
    """The pool of threads and the budgets that all requests share.

    threads  of the pool
    """

    def __init__(self, limits: Limits, metrics: Metrics, *, threads: int) -> None:
        self._limits, self._metrics = limits, metrics
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self.waiting = Budget(limits.queue, "images")
        self._pixels = Budget(limits.held_pixels, "pixels")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def in_pool(self, function: Callable[..., T], *arguments: Any) -> T:
        """The value of a function that a thread of the pool calls."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def answer(self, model: OpenModel, sent: Sequence[SentFile | Seen], asked: Asked) -> Answer:
        """The results of files, or of views that need no decoding, in their order.

        Raises RefusedRequest: 413 and 415 for images beyond the limits, 422 for options and files that the model has no
        use for, 503 where too much waits already or the answer takes too long.
        """
        bundle = model.bundle
        try:
            chosen = PredictionOptions(score=asked.score, most=asked.most)
            bundle.kind.require_options({"top": asked.top is not None, "only": bool(asked.only), **chosen.given()})
            options = model.usual_options if chosen == AS_TRAINED else showing(bundle, chosen).options
            async with asyncio.timeout(self._limits.answer_seconds):
                with self.waiting.shared() as waiting, self._pixels.shared() as pixels:
                    waiting.add(len(sent))
                    ways = [self._results(model, one, asked, options, waiting, pixels) for one in sent]
                    results = [result for several in await _all_of(ways) for result in several]
        except TimeoutError:
            raise busy(f"no answer within {self._limits.answer_seconds:g} s") from None
        except RefusedRequest:
            raise
        except TooManyPixelsError as error:  # beyond what any limit of a server lets through
            raise RefusedRequest(413, str(error)) from None
        except ResVisionError as error:  # an image that cannot be used, or an option
            raise RefusedRequest(422, str(error).replace("--", "?")) from None
        seconds = {stage: max(result.seconds[stage] for result in results) for stage in STAGES}
        return Answer([result.data for result in results], model.version, seconds, asked.id)

    async def _results(
        self,
        model: OpenModel,
        sent: SentFile | Seen,
        asked: Asked,
        options: PredictionOptions,
        waiting: Share,
        pixels: Share,
    ) -> list[_Result]:
        """The results of a file: one of an image, one for each sample of a file that holds several."""
        if isinstance(sent, Seen):
            views, waited_s, decode_s = [sent], 0.0, 0.0
        else:
            asked_at = time.perf_counter()
            views, started, decode_s = await self.in_pool(self._timed_views, model.bundle, sent, asked, pixels)
            waited_s = started - asked_at
            waiting.add(len(views) - 1)
        ways = [self._result(model, seen, sent.name, asked, options, waited_s, decode_s) for seen in views]
        return await _all_of(ways)

    async def _result(
        self,
        model: OpenModel,
        seen: Seen,
        source: str,
        asked: Asked,
        options: PredictionOptions,
        waited_s: float,
        decode_s: float,
    ) -> _Result:
        def write(inferred: Inferred) -> tuple[Inferred, dict[str, Any], float]:
            return inferred, *_written(model.bundle, inferred.raw, seen, source, asked, options)

        inferred, data, post_s = await asyncio.wrap_future(self._then(model.lanes.submit(seen), write))
        times = (waited_s + inferred.waited_s, decode_s, inferred.infer_s, post_s)
        seconds = dict(zip(STAGES, times, strict=True))
        for stage, value in seconds.items():
            self._metrics.stages[stage].observe(model.name, value)
        return _Result(data, seconds)

    def _then(self, inferred: "Future[Inferred]", write: Callable[[Inferred], T]) -> "Future[T]":
        """What a thread of the pool makes of an inference as soon as it is there, without a turn of the event loop.

        Whoever cancels it cancels what has not begun of both.
        """
        written: Future[T] = Future()

        def begin(_: object) -> None:
            if written.cancelled():
                return
            try:
                self._pool.submit(finish).add_done_callback(lambda one: one.cancelled() and written.cancel())
            except RuntimeError:  # of a pool that has ended
                written.cancel()

        def finish() -> None:
            if not written.set_running_or_notify_cancel():
                return
            try:
                written.set_result(write(inferred.result()))
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                written.set_exception(error)

        inferred.add_done_callback(begin)
        written.add_done_callback(lambda one: one.cancelled() and inferred.cancel())
        return written

    def _timed_views(
        self, bundle: Bundle, sent: SentFile, asked: Asked, pixels: Share
    ) -> tuple[list[Seen], float, float]:
        """The views of a file, the moment at which a thread took it up, and the seconds that it took."""
        started = time.perf_counter()
        if bundle.kind.samples() is None:
            views = [self._view(bundle, sent, asked, pixels)]
        else:
            views = seen_samples(bundle, sent, asked.only, most=self._limits.images)
        return views, started, time.perf_counter() - started

    def _view(self, bundle: Bundle, sent: SentFile, asked: Asked, pixels: Share) -> Seen:
        """An image as the net sees it."""
        head = header(sent.content, name=sent.name)
        if head.format not in self._limits.formats:
            formats = ", ".join(self._limits.formats)
            raise RefusedRequest(415, f"{sent.name}: an image of the format {head.format}; this server takes {formats}")
        if head.width * head.height > self._limits.pixels:
            sides, most = f"{head.width:,} x {head.height:,}", f"{self._limits.pixels:,}"
            raise RefusedRequest(413, f"{sent.name}: {sides} pixels, above the limit of {most}")
        pixels.add(head.width * head.height)
        image = decode(sent.content, name=sent.name)
        seen = seen_by(bundle, image if image.ndim == 3 else image[:, :, None], name=sent.name, grey=asked.grey)
        return seen if asked.pictures else seen._replace(image=NO_IMAGE)


def _written(
    bundle: Bundle, raw: Any, seen: Seen, source: str, asked: Asked, options: PredictionOptions
) -> tuple[dict[str, Any], float]:
    """The result of a view as plain data, and the seconds that it took."""
    started = time.perf_counter()
    kind = bundle.kind
    result = kind.decode(bundle.chosen(raw, options), seen.geometry, source=seen.name, classes=bundle.classes)
    result = replace(kind.limited(result, asked.top or kind.usual_top), source=source)
    data: dict[str, Any] = result.to_json()
    if asked.pictures:
        names = (path.name for path in kind.files(Path(source), Path()))
        contents = kind.contents(result, seen.image)
        data["pictures"] = [
            {"name": name, "png": b64encode(content).decode()} for name, content in zip(names, contents, strict=True)
        ]
    return data, time.perf_counter() - started


async def _all_of(ways: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The values of coroutines that run beside each other; the first error ends all."""
    ways = [*ways]
    if len(ways) == 1:  # as for most requests, which need no task of its own
        return [await ways[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(way) for way in ways]
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
