"""Regions on their way to a net: in training, evaluation, prediction and explanation, from a search or from a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from detection.box_scenes import CLASSES, VIEW, box_reader, seen
from detection.contract import MEAN, STD
from detection.region_scenes import MOST, ColourDetector, ColourNet, MadeUpRegions
from detection.test_task import model as retinanet_model

from resvision.core.errors import DataError, SettingsError
from resvision.core.images import Pixels
from resvision.core.views import CentreCrop
from resvision.detection.augment import BoxAugment
from resvision.detection.batches import BoxEvalBatches, BoxTrainBatches, with_regions_behind
from resvision.detection.detector import ProposedImages
from resvision.detection.parts import selective_search
from resvision.detection.proposal_files import write
from resvision.detection.proposing import Regions, SearchedRegions, with_regions
from resvision.detection.region_search import search_ahead, searched
from resvision.detection.region_showing import recall_shown, regions_shown
from resvision.detection.task import TASK
from resvision.geometry.boxes import iou
from resvision.kinds.detection.boxes import Floats
from resvision.kinds.prediction_options import PredictionOptions
from resvision.tasks import How, Model, Question, Seen
from resvision.training.machine import Machine


def model(regions: Regions) -> Model:
    torch.manual_seed(0)
    system = ColourDetector(ColourNet(len(CLASSES)), mean=MEAN, std=STD).eval()
    system.regions = regions
    machine = Machine(device="cpu", precision="fp32", channels_last=False, compile=False)
    return Model("colours", "run", "rectangles", CLASSES, VIEW, 32, system, machine)


def file_for(folder: Path, **regions: Floats) -> Path:
    """A file with made-up regions for the images of a `box_reader`, and other ones for those that are named."""
    reader, path = box_reader(), folder / "proposals.safetensors"
    made = {reader.source(index): MadeUpRegions().in_image(reader[index].image, "") for index in range(len(reader))}
    write(path, made | regions)
    return path


class Found(Regions):
    """The regions of a search that takes no time: the whole image."""

    def in_image(self, image: Pixels, name: str) -> Floats:
        height, width = image.shape[:2]
        return np.array([[0.0, 0.0, width, height]])


def test_regions_of_an_image_are_shown_where_its_view_shows_them() -> None:
    image = np.zeros((40, 80, 3), dtype=np.uint8)
    shown = CentreCrop(channels=3, mean=MEAN, std=STD, resize_px=20, crop_px=20).show(image, name="image")

    class Three(Regions):
        def in_image(self, image: Pixels, name: str) -> Floats:
            return np.array([[20.0, 0, 60, 40], [0, 0, 40, 40], [0, 0, 19, 40]])

    boxes = Three().of(Seen(*shown, "image", image))  # which shows the middle, at half the size
    np.testing.assert_allclose(boxes, [[0, 0, 20, 20], [0, 0, 10, 20]])


def test_training_and_evaluation_bring_the_regions_of_the_file(tmp_path: Path) -> None:
    reader = TASK.supplied(box_reader(), ColourNet(), str(file_for(tmp_path)))
    inputs = BoxTrainBatches(reader, batch_size=2, seed=0, augment=BoxAugment(flip=True))[0].inputs
    assert isinstance(inputs, ProposedImages)
    assert inputs.proposals.shape == (2, MOST, 4)
    batches = BoxEvalBatches(reader, batch_size=4)
    for batch in (batches[number] for number in range(len(batches))):
        for row, (index, target) in enumerate(zip(batch.ids.tolist(), batch.targets, strict=True)):
            expected = MadeUpRegions().in_image(reader[index].image, "")[:MOST]
            boxes = target.geometry.boxes_to_image(batch.inputs.proposals[row].double().numpy())
            np.testing.assert_allclose(boxes, expected, atol=1e-4)


def test_regions_move_with_the_boxes_that_they_lie_on() -> None:
    reader = box_reader(((32, 48),) * 4, counts=(1,))

    class OnBoxes(Regions):
        def in_image(self, image: Pixels, name: str) -> Floats:
            return next(reader.target(index).boxes for index in range(4) if reader.source(index) == name)

    augment = BoxAugment(flip=True, crop="scale-jitter", scale_range=(0.7, 1.5), mosaic=0.5, least_share=0.0)
    batches = BoxTrainBatches(with_regions(reader, OnBoxes(), 8), batch_size=4, seed=1, augment=augment)
    for step in range(3):
        batch = batches[step]
        for regions, boxes, labels in zip(batch.inputs.proposals, *batch.targets[:2], strict=True):
            count = int((labels >= 0).sum())
            torch.testing.assert_close(regions[:count], boxes[:count])
            assert not regions[count:].any()


def test_regions_are_neither_boxes_nor_counted_as_such() -> None:
    truth = box_reader().target(0)
    behind = with_regions_behind(truth, np.array([[0.0, 0.0, 5.0, 5.0]]))
    assert (behind.labels >= 0).sum() == len(truth.labels)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_prediction_looks_at_each_images_own_regions(batch_size: int, tmp_path: Path) -> None:
    images = [box_reader()[index].image[:32, :32] for index in range(batch_size)]
    boxes = {f"{place}.png": np.array([[place, 0.0, place + 9.0, 9.0]]) for place in range(batch_size)}
    write(tmp_path / "p.safetensors", boxes)
    asked = TASK.configured(model(Found()), PredictionOptions(score=0.0, proposals=str(tmp_path / "p.safetensors")))
    views = [seen(image, f"{place}.png") for place, image in enumerate(images)]
    for place, found in enumerate(TASK.raw(asked, views)):
        assert found.boxes.tolist() == [boxes[f"{place}.png"][0].tolist()] * len(CLASSES)
    brought = [view._replace(beside=TASK.beside(asked, view), name="gone.png") for view in views]
    assert [found.boxes.tolist() for found in TASK.raw(asked, brought)] == [
        found.boxes.tolist() for found in TASK.raw(asked, views)
    ]
    with pytest.raises(DataError, match=r"has no regions of other.png"):
        TASK.beside(asked, seen(images[0], "other.png"))


def test_an_image_without_regions_has_no_boxes_and_is_evaluated_as_such(tmp_path: Path) -> None:
    reader = box_reader()
    path = file_for(tmp_path, **{reader.source(0): np.empty((0, 4))})
    asked = TASK.configured(model(Found()), PredictionOptions(proposals=str(path)))
    assert len(TASK.raw(asked, [seen(reader[0].image, reader.source(0))])[0].boxes) == 0
    scores = TASK.evaluate(asked, reader, How())
    assert scores.images == len(reader)


def test_an_explanation_is_about_the_regions_of_its_image() -> None:
    image, net = box_reader()[0].image[:, :32], model(MadeUpRegions())
    view = seen(image)
    (found,) = TASK.raw(net, [view])
    surest = TASK.explained_score(net, view, Question())
    assert surest.share == pytest.approx(float(found.scores[0]), abs=1e-6)
    twice = surest.images.repeat(2, 1, 1, 1).requires_grad_()
    scores = surest.score(surest.net(twice))
    assert scores.tolist() == pytest.approx([surest.share] * 2, abs=1e-6)
    scores.sum().backward()
    assert twice.grad is not None
    assert twice.grad.abs().max() > 0
    with pytest.raises(DataError, match="no box of the class, however unsure, lies there"):
        TASK.explained_score(model(Found()), view, Question(points=np.array([[3.0, 900.0]])))


def test_a_file_is_refused_by_nets_that_find_their_regions_themselves(tmp_path: Path) -> None:
    path = str(file_for(tmp_path))
    detector = retinanet_model()
    with pytest.raises(SettingsError, match=r"data.proposals: RetinaNet finds its regions itself; leave it out"):
        TASK.supplied(box_reader(), detector.net, path)
    with pytest.raises(SettingsError, match=r"proposals: .* finds its regions itself"):
        TASK.configured(detector, PredictionOptions(proposals=path))
    assert TASK.supplied(box_reader(), detector.net, None).__class__ is box_reader().__class__
    assert not TASK.looks_at_source(detector.net)
    assert TASK.looks_at_source(ColourNet())


def test_a_file_of_other_images_is_refused_before_any_is_read(tmp_path: Path) -> None:
    write(tmp_path / "p.safetensors", {"elsewhere/cat.png": np.array([[0.0, 0.0, 5.0, 5.0]])})
    with pytest.raises(DataError, match=r"p.safetensors: has no regions of rectangles/train\[0\], but of 1 other"):
        TASK.require_source(box_reader(), ColourNet(), str(tmp_path / "p.safetensors"))
    path = file_for(tmp_path, **{box_reader().source(3): np.array([[0.0, 0.0, 500.0, 5.0]])})
    with pytest.raises(DataError, match=r"rectangles/train\[3\]: box 0 .0 0 500 5. lies outside of the image of"):
        TASK.require_source(box_reader(), ColourNet(), str(path))


@pytest.fixture
def quick_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Pixels]:
    """The images that were searched, with a search that takes no time."""
    images: list[Pixels] = []

    def search(pixels: Pixels) -> Floats:
        images.append(pixels)
        return Found().in_image(pixels, "")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(selective_search, "selective_search", search)
    monkeypatch.setattr(selective_search, "version", lambda: "5")
    return images


def test_a_set_is_searched_once_before_the_first_step(quick_search: list[Pixels]) -> None:
    reader = TASK.supplied(box_reader(), ColourNet(), None)
    assert len(quick_search) == len(reader)
    for _ in range(2):
        batch = BoxTrainBatches(reader, batch_size=2, seed=0, augment=BoxAugment())[0]
        assert (batch.inputs.proposals[:, 0] == torch.tensor([0.0, 5.0, 32.0, 27.0])).float().mean() > 0.5
    assert len(quick_search) == len(reader)


def test_each_of_several_processes_searches_its_share(quick_search: list[Pixels]) -> None:
    reader = box_reader()
    for rank in range(4):
        search_ahead(reader, SearchedRegions(), rank=rank, world=4)
    assert len(quick_search) == len(reader)


def test_what_was_found_before_a_stop_is_kept(quick_search: list[Pixels]) -> None:
    reader = box_reader()
    under_way = searched(reader, SearchedRegions(), range(len(reader)), threads=1)
    next(under_way)
    under_way.close()  # as Ctrl-C does
    before = len(quick_search)
    assert before >= 1
    search_ahead(reader, SearchedRegions())
    assert len(quick_search) == len(reader)


def test_a_log_learns_how_long_a_search_takes(
    quick_search: list[Pixels], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("resvision.detection.region_search.SAID_AFTER_S", -1.0)
    search_ahead(box_reader(), SearchedRegions())
    assert capsys.readouterr().err.startswith("searching 6 images of rectangles, train, for regions: 0 more minutes")


def test_regions_of_a_picture_are_those_of_highest_rank_and_recall_is_that_of_the_set() -> None:
    system = model(MadeUpRegions()).system
    reader = box_reader()
    shown = regions_shown(system, seen(reader[0].image))
    assert shown.document["regions"] == MOST
    assert sum(int(row[1]) for row in shown.tables[0].rows) == MOST
    assert [*shown.pictures] == ["regions"]
    document = recall_shown(system, reader).document
    covered = [
        iou(box[None], MadeUpRegions().in_image(reader[index].image, "")[:MOST]).max() >= 0.5
        for index in range(len(reader))
        for box in reader.target(index).boxes
    ]
    assert document["recall"][-1]["iou_0.5"] == pytest.approx(np.mean(covered))
    assert TASK.anchors_shown(system, seen(reader[0].image)).document == shown.document


def test_the_introduction_says_where_regions_come_from() -> None:
    lines = TASK.advice(model(Found()).system, box_reader(), 32)
    assert lines == {"regions": f"at most {MOST} of an image, from outside the net; its MACs are those with one"}
