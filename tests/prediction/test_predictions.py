"""Predictions of many files: the same bits and the same order whatever the threads, errors in their places."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import decode
from resvision.core.samples import Sample
from resvision.core.views import Stretch, View
from resvision.kinds.classification.kind import KIND
from resvision.kinds.model_card import ModelCard
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import SampleFile, Seen
from resvision.prediction import predictions
from resvision.prediction.predictions import Predicted, predicted

VIEW: View = Stretch(channels=3, resize_px=8, crop_px=8, mean=(0.0,) * 3, std=(1.0,) * 3)


class Means(ModelCard):
    """A model of numpy alone: the shares of the channels, and how it was asked."""

    kind = KIND
    at_a_time = 4
    sees_views_alone = True

    def __init__(self, lanes: int) -> None:
        super().__init__("means", "means", "drawn", ("red", "green", "blue"), VIEW, 8)
        object.__setattr__(self, "lanes", lanes)
        object.__setattr__(self, "batches", [])

    lanes: int
    batches: list[int]

    def configured(self, options: PredictionOptions) -> Self:
        return self

    def opened(self, file: Path) -> SampleFile | None:
        return None

    def seen_sample(self, sample: Sample[Any], name: str) -> Seen | None:
        return None

    def beside(self, seen: Seen) -> None:
        return None

    def raw(self, seen: Sequence[Seen]) -> list[NDArray[Any]]:
        assert not any(one.image.size for one in seen), "images are let go of before"
        self.batches.append(len(seen))
        sums = np.stack([one.pixels for one in seen]).astype(np.float32).mean(axis=(1, 2)) + len(seen)
        return [*(sums / sums.sum(axis=1, keepdims=True))]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty-three pictures of several sides, and three files that are none."""
    folder, noise = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    paths = [folder / f"{number:02}.jpg" for number in range(26)]
    for number, path in enumerate(paths):
        if number in (0, 9, 25):
            path.write_bytes(b"\xff\xd8\xff nothing")
        else:
            height, width = noise.integers(5, 60, 2)
            Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return paths


def told(files: Sequence[Path], *, lanes: int, threads: int | None) -> tuple[list[str], list[Predicted], list[int]]:
    """Names of results and errors as they came, the results, and the sizes of the batches."""
    model, order, results = Means(lanes), [], []

    def failed(error: DataError) -> None:
        order.append(f"{error}".partition(":")[0])

    for prediction in predicted(model, files, failed=failed, with_images=False, threads=threads):
        order.append(prediction.result.source)
        results.append(prediction)
    return order, results, sorted(model.batches)


@pytest.mark.parametrize("lanes", [1, 3])
def test_threads_change_neither_bits_nor_order_nor_batches(files: list[Path], lanes: int) -> None:
    plain, threaded = told(files, lanes=1, threads=0), told(files, lanes=lanes, threads=3)
    assert plain[0] == [str(file) for file in files]
    assert threaded[0] == plain[0]
    assert [one.result.scores for one in threaded[1]] == [one.result.scores for one in plain[1]]
    assert threaded[2] == plain[2] == [3, 4, 4, 4, 4, 4]


def test_images_come_beside_results_where_they_are_wanted(files: list[Path]) -> None:
    with closing(predicted(Trusting(2), files[1:9], threads=2)) as results:
        sides = {one.result.source: one.image.shape for one in results}
    assert sides == {str(file): decode(file).shape for file in files[1:9]}


class Trusting(Means):
    """A model that is shown images, too."""

    def raw(self, seen: Sequence[Seen]) -> list[NDArray[Any]]:
        assert all(one.image.size for one in seen)
        return [np.full(3, 1 / 3, np.float32) for _ in seen]


def test_no_more_files_are_asked_for_than_are_under_way(files: list[Path]) -> None:
    asked: list[Path] = []

    def endless() -> Iterator[Path]:
        while True:
            asked.append(files[1 + len(asked) % 8])
            yield asked[-1]

    model = Means(2)
    with closing(predicted(model, endless(), with_images=False, threads=2)) as results:
        for given in range(200):
            next(results)
            # those that wait to be decoded or gathered, and the batches of two lanes and one more
            assert len(asked) - given <= 2 * 2 + 4 + 4 * (2 + 2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_the_first_error_is_raised_where_nobody_takes_it(files: list[Path]) -> None:
    results = predicted(Means(2), files[1:], with_images=False, threads=2)
    given = [next(results).result.source for _ in range(8)]
    assert given == [str(file) for file in files[1:9]]
    with pytest.raises(DataError, match=r"09\.jpg"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_an_interrupt_ends_the_threads(files: list[Path]) -> None:
    class Interrupted(Means):
        def raw(self, seen: Sequence[Seen]) -> list[NDArray[Any]]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(predicted(Interrupted(2), files[1:9] * 50, with_images=False, threads=2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_a_few_files_need_no_threads(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("no threads are started")

    monkeypatch.setattr("resvision.prediction.ordered_work.ThreadPoolExecutor", refused)
    assert len([*predicted(Means(2), files[1 : 1 + predictions.FEW], with_images=False)]) == predictions.FEW
    with pytest.raises(AssertionError, match="no threads"):
        next(predicted(Means(2), files[1 : 2 + predictions.FEW], with_images=False))
