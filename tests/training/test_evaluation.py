"""Predictions over a set: the same by a compiled graph of fixed shape, and every image once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import resvision
from resvision.classification import task
from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images, PixelSystem, filled
from resvision.data.arrays import ArrayReader
from resvision.data.digits import VIEW
from resvision.launch import Finished
from resvision.loading.batches import EvalBatches
from resvision.training import evaluation
from resvision.training.evaluation import PredictedBatch, Predictions, predict_all, predicted_batches
from resvision.training.machine import Machine, can_compile

MACHINE = Machine(device="cpu", precision="fp32", threads=1, workers=0)


def predictions(length: int, **options: object) -> Predictions:
    draws = np.random.default_rng(0)
    reader = ArrayReader(
        name="made",
        split="test",
        classes=("a", "b", "c"),
        view=VIEW,
        images=draws.integers(0, 256, (length, 32, 32), dtype=np.uint8),
        targets=draws.integers(0, 3, length),
    )
    torch.manual_seed(0)
    net = resvision.build("resmlp", num_classes=3, in_channels=1, input_size=32, depth=4, width=8)
    system = Classifier(net, mean=VIEW.mean, std=VIEW.std)
    share = EvalBatches(reader, batch_size=4)
    return predict_all(system, (share[number] for number in range(len(share))), machine=MACHINE, **options)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled graphs are kept apart for each kind of CPU: torch takes one for the other, and computes nonsense."""
    name = f"resvision-compiled-{os.environ.get('USER', 'tests')}-{torch.backends.cpu.get_cpu_capability()}"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir()) / name))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.skipif(not can_compile("cpu"), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_a_compiled_graph_predicts_the_same_in_the_short_batch_too() -> None:
    eager, graph = predictions(10), predictions(10, compiled_for=4)
    assert np.array_equal(eager.targets, graph.targets)
    assert graph.outputs.shape == (10, 3)
    np.testing.assert_allclose(graph.outputs, eager.outputs, atol=1e-5)


def test_the_graph_sees_batches_of_one_size_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(system: Classifier) -> object:
        def predict(inputs: Images) -> torch.Tensor:
            seen.append(len(inputs.images))
            return system.predict(inputs)

        return predict

    monkeypatch.setattr(evaluation, "compiled", watched)
    graph = predictions(10, compiled_for=4)
    assert seen == [4, 4, 4]
    assert np.allclose(graph.outputs, predictions(10).outputs, atol=1e-5)


def test_filling_repeats_the_last_image_and_keeps_the_memory_format() -> None:
    images = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).view(2, 4, 4, 3).permute(0, 3, 1, 2)
    more = filled(Images(images), 5).images
    assert torch.equal(more[:2], images)
    assert all(torch.equal(each, images[1]) for each in more[2:])
    assert more.is_contiguous(memory_format=torch.channels_last)


def test_compiling_is_chosen_by_the_work_there_is(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def watched(*args: object, compiled_for: int | None, **options: object) -> Iterator[PredictedBatch]:
        asked.append(compiled_for)
        return predicted_batches(*args, **options)

    monkeypatch.setattr(task, "predicted_batches", watched)
    resvision.evaluate(finished.folder)
    monkeypatch.setattr(task, "EVALUATION_COMPILE_PAYS_FROM", 0.0)
    monkeypatch.setattr(task, "can_compile", lambda device: True)
    resvision.evaluate(finished.folder, batch_size=16)
    resvision.evaluate(finished.folder, compiled=False)
    assert asked == [None, 16, None]


def test_images_that_are_read_once_are_not_kept(tmp_path: Path) -> None:
    reader = ArrayReader(
        name="made",
        split="test",
        classes=("a",),
        view=VIEW,
        images=np.zeros((3, 32, 32), np.uint8),
        targets=np.zeros(3, np.int64),
    )
    assert EvalBatches(reader, batch_size=2)._memory is not None
    assert EvalBatches(reader, batch_size=2, in_memory=False)._memory is None


class Found(NamedTuple):
    """A prediction that is no tensor: the brightest pixels of an image, and their number."""

    values: torch.Tensor
    counts: torch.Tensor


class Brightest(PixelSystem):
    def predict(self, inputs: Images) -> Found:
        values = inputs.images.flatten(1).float().topk(3).values
        return Found(values, (values > 200).sum(dim=1))


def test_predictions_that_are_trees_come_in_the_order_of_the_set() -> None:
    images = torch.arange(7 * 16, dtype=torch.uint8).view(7, 1, 4, 4)
    system = Brightest(torch.nn.Linear(1, 1), mean=(0.5,), std=(0.5,))
    ids = [torch.tensor([4, 5]), torch.tensor([0, 1, 2, 3]), torch.tensor([6])]
    batches = [Batch(Images(images[some]), [f"truth {index}" for index in some.tolist()], some) for some in ids]
    found = predict_all(system, batches, machine=MACHINE)
    assert isinstance(found.outputs, Found)
    assert found.outputs.values[:, 0].tolist() == [15 + 16 * index for index in range(7)]
    assert found.outputs.counts.dtype == np.int64
    assert found.targets == [f"truth {index}" for index in range(7)]
