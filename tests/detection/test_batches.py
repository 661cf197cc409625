"""Batches of boxes: pure functions of the step, boxes in the place of their objects, every image once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from detection.box_scenes import VIEW, box_reader, targets
from PIL import Image

from resvision.contracts import Batch, split
from resvision.core.draws import order
from resvision.core.errors import SettingsError
from resvision.core.images import decode
from resvision.core.samples import Reader, Sample
from resvision.core.views import LongerSide, Whole
from resvision.data.arrays import BoxArrayReader
from resvision.detection.augment import BoxAugment
from resvision.detection.batches import FEWEST_PLACES, BoxEvalBatches, BoxTrainBatches, padded
from resvision.detection.detector import PADDING
from resvision.kinds.detection.boxes import BoxTargets
from resvision.loading import batches as loading_batches
from resvision.loading.workers import batches

FLIPPED = BoxAugment(flip=True)
SIZES = [(30, 40)] * 5 + [(20, 40)] * 2 + [(30, 40), (50, 16)]


class Files(Reader[BoxTargets]):
    """Images as PNG files, their boxes in memory."""

    def __init__(self, folder: Path, reader: BoxArrayReader) -> None:
        self.name, self.split, self.classes = "files", "train", reader.classes
        self.view, self.crop_px = reader.view, reader.crop_px
        self.folder, self.boxes = folder, reader.boxes
        for index in range(len(reader)):
            Image.fromarray(reader.images[index]).save(self.source(index))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> Sample[BoxTargets]:
        return Sample(decode(Path(self.source(index))), self.boxes[index])

    def target(self, index: int) -> BoxTargets:
        return self.boxes[index]

    def source(self, index: int) -> str:
        return str(self.folder / f"{index}.png")


def train_batches(source: Reader[BoxTargets] | None = None, **changes: object) -> BoxTrainBatches:
    return BoxTrainBatches(source or box_reader(), **{"batch_size": 4, "seed": 0, "augment": FLIPPED, **changes})


def equal(a: Batch, b: Batch) -> bool:
    return torch.equal(a.inputs.images, b.inputs.images) and all(map(torch.equal, a.targets, b.targets))


def test_a_batch_is_a_pure_function_of_the_step() -> None:
    first = train_batches()
    forward = [first[step] for step in range(5)]
    second = train_batches()
    assert all(equal(forward[step], second[step]) for step in reversed(range(5)))
    assert not equal(forward[0], train_batches(seed=1)[0])
    batch = forward[0]
    assert batch.inputs.images.shape == (4, 3, 32, 32)
    assert batch.inputs.images.dtype == torch.uint8
    assert batch.ids.tolist() == order(0, 0, 6)[:4].tolist()
    boxes, labels, crowd = batch.targets
    assert (boxes.shape, labels.shape, crowd.shape) == ((4, 8, 4), (4, 8), (4, 8))
    assert (boxes.dtype, labels.dtype, crowd.dtype) == (torch.float32, torch.int64, torch.bool)


def test_boxes_lie_about_their_objects_in_the_squares() -> None:
    looked_at = 0
    for step in range(6):
        batch = train_batches()[step]
        bright = batch.inputs.images.float().amax(dim=1) > 200
        for image, boxes, labels in zip(bright, *batch.targets[:2], strict=True):
            for left, top, right, bottom in boxes[labels >= 0].round().int().tolist():
                assert image[top + 1 : bottom - 1, left + 1 : right - 1].float().mean() > 0.9
                looked_at += 1
            if not (labels >= 0).any():
                assert not image.any()
    assert looked_at > 20


def test_places_for_boxes_are_a_power_of_two_so_that_shapes_repeat() -> None:
    for count, places in ((0, 8), (1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (40, 64)):
        many = targets([(0, 0, 1 + index, 2) for index in range(count)], [1] * count)
        boxes, labels, crowd = padded([targets([]), many])
        assert boxes.shape == (2, max(FEWEST_PLACES, places), 4)
        assert (labels[1] >= 0).sum() == count
        assert (labels[0] == PADDING).all()
        assert not boxes[labels == PADDING].any()
        assert not crowd.any()


def test_crowds_and_difficult_boxes_come_with_the_batch() -> None:
    truth = targets([(0, 0, 4, 4), (2, 2, 8, 8)], [1, 0])
    truth = truth._replace(crowd=np.array([False, True]), difficult=np.array([True, False]))
    _, labels, crowd = padded([truth])
    assert labels[0, :2].tolist() == [1, 0]
    assert crowd[0, :3].tolist() == [False, True, False]


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_take_parts_of_one_global_batch(world: int) -> None:
    whole = train_batches()[1]
    shares = [train_batches(rank=rank, world=world)[1] for rank in range(world)]
    assert torch.equal(torch.cat([share.inputs.images for share in shares]), whole.inputs.images)
    assert torch.equal(torch.cat([share.targets.labels for share in shares]), whole.targets.labels)


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_batches_do_not_depend_on_workers_or_memory(
    mosaic: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    augment = BoxAugment(flip=True, mosaic=mosaic)
    source = box_reader(SIZES)
    in_memory = [train_batches(source, augment=augment)[step] for step in range(3)]
    monkeypatch.setattr(loading_batches, "MEMORY_BYTES", 0)
    dataset = train_batches(Files(tmp_path, source), augment=augment)
    for found, expected in zip(batches(dataset, 0, 3, workers=2), in_memory, strict=True):
        assert equal(found, expected)


def test_squares_of_another_side_than_the_view_are_trained_where_that_is_set() -> None:
    augment = BoxAugment(crop_px=24, crop="scale-jitter", mosaic=0.5)
    batch = train_batches(augment=augment)[0]
    assert batch.inputs.images.shape[2:] == (24, 24)
    assert batch.targets.boxes.max() <= 24


def test_a_view_without_squares_is_trained_in_squares_of_the_side_that_is_set() -> None:
    whole = Whole(channels=3, mean=VIEW.mean, std=VIEW.std)
    source = box_reader(SIZES, view=whole)
    assert train_batches(source, augment=BoxAugment(crop_px=24))[0].inputs.images.shape == (4, 3, 24, 24)
    with pytest.raises(SettingsError, match=r"data\.image_size: rectangles does not say how large"):
        train_batches(source, augment=BoxAugment())


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("kind", ["square", "whole", "longer-side"])
def test_an_evaluation_shows_every_image_once_those_of_one_size_together(kind: str, world: int) -> None:
    numbers = {"channels": 3, "mean": VIEW.mean, "std": VIEW.std}
    view = {"square": VIEW, "whole": Whole(**numbers), "longer-side": LongerSide(**numbers, longer_px=20)}[kind]
    source = box_reader(SIZES, view=view)
    shares = [BoxEvalBatches(source, batch_size=4, rank=rank, world=world) for rank in range(world)]
    seen = [batch for share in shares for batch in (share[number] for number in range(len(share)))]
    assert sorted(index for batch in seen for index in batch.ids.tolist()) == [*range(9)]
    alone = BoxEvalBatches(source, batch_size=4)
    assert sorted(batch.ids.tolist() for batch in seen) == sorted(alone[n].ids.tolist() for n in range(len(alone)))
    assert len(alone) == (3 if kind == "square" else 5)
    for batch in seen:
        for index, image, (truth, geometry) in zip(batch.ids.tolist(), batch.inputs.images, batch.targets, strict=True):
            assert truth is source.boxes[index]
            assert geometry.image_sides == SIZES[index]
            assert geometry.view_sides == image.shape[1:]
    parts = split(alone[0], 2)
    assert [len(part.targets) for part in parts] == [2, 2]


def test_an_evaluation_needs_no_image_decoded_to_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = box_reader(SIZES, view=Whole(channels=3, mean=VIEW.mean, std=VIEW.std))
    files = Files(tmp_path, source)
    monkeypatch.setattr(Files, "__getitem__", lambda *_: pytest.fail("decoded"))
    cut = BoxEvalBatches(files, batch_size=4, in_memory=False)
    assert len(cut) == len(BoxEvalBatches(source, batch_size=4))


def test_a_batch_of_evaluation_travels_from_a_worker(tmp_path: Path) -> None:
    share = BoxEvalBatches(Files(tmp_path, box_reader(SIZES)), batch_size=4, in_memory=False)
    for made, sent in zip([share[0], share[1]], batches(share, 0, 2, workers=1), strict=True):
        assert torch.equal(made.inputs.images, sent.inputs.images)
        assert made.targets[0].geometry == sent.targets[0].geometry
        assert np.array_equal(made.targets[0].truth.boxes, sent.targets[0].truth.boxes)


def test_a_side_is_drawn_for_every_ten_steps_and_boxes_move_with_it() -> None:
    several = BoxAugment(sides_px=(32, 48, 64))
    source = train_batches(augment=several)
    sides = [source[step].inputs.images.shape[2] for step in range(0, 200, 5)]
    assert {*sides} == {32, 48, 64}
    assert sides[0::2] == sides[1::2], "the same for ten steps"
    assert sides != [train_batches(augment=several, seed=1)[step].inputs.images.shape[2] for step in range(0, 200, 5)]
    step = 5 * sides.index(64)
    enlarged, usual = source[step], train_batches(augment=BoxAugment())[step]
    # Images lie in their squares in whole pixels.
    torch.testing.assert_close(enlarged.targets.boxes, 2 * usual.targets.boxes, atol=1.0, rtol=0)
    assert torch.equal(enlarged.targets.labels, usual.targets.labels)


def test_sides_beyond_what_an_image_may_have_are_refused() -> None:
    with pytest.raises(ValueError, match="sides_px must lie in"):
        BoxAugment(sides_px=(32, 0))
