"""Composed scenes: the same on every opening, labels where the ink is, and no digit in both parts."""

import numpy as np
import pytest

from resvision.core.images import VOID
from resvision.core.samples import Reader
from resvision.data import digits, scenes
from resvision.data.scenes import Drawing, compose
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.loading.augment import MaskAugment
from resvision.segmentation.batches import MaskEvalBatches, MaskTrainBatches


@pytest.fixture(scope="module")
def splits() -> Splits:
    return open_splits("digit-scenes-composed", task="segmentation")


def test_the_table_opens_the_scenes(splits: Splits) -> None:
    assert (len(splits.train), len(splits.test)) == (600, 150)
    for reader in splits.readers:
        assert isinstance(reader, Reader)
        assert reader.classes == ("background", *"0123456789")
        image, mask = reader[3]
        assert image.shape == mask.shape == (96, 96)
        assert image.dtype == mask.dtype == np.uint8
    assert splits.train.target_source(3) == "digit-scenes-composed/train[3] mask"


def test_a_scene_follows_from_split_and_index_alone(splits: Splits) -> None:
    opened = digits.open_splits()
    for reader, part in ((splits.train, opened.train), (splits.test, opened.test)):
        for index in (len(reader) - 1, 0):
            image, mask, _ = compose(part.images, part.targets, split=reader.split, index=index)
            assert np.array_equal(image, reader[index].image)
            assert np.array_equal(mask, reader[index].target)
    images = {sample.image.tobytes() for reader in splits.readers for sample in (reader[i] for i in range(len(reader)))}
    assert len(images) == 750


def test_every_class_occurs_often_and_void_is_a_thin_rim(splits: Splits) -> None:
    for reader in splits.readers:
        masks = np.stack([reader.target(index) for index in range(len(reader))])
        assert set(np.unique(masks)) == {*range(11), VOID}
        shares = np.bincount(masks.ravel(), minlength=256) / masks.size
        assert 0.7 < shares[0] < 0.8
        assert (shares[1:11] > 0.01).all()
        assert shares[VOID] < 0.04


def test_training_and_test_scenes_share_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each split hands to `compose` are the parts of `digits`, which have no picture in common."""
    handed: dict[str, set[bytes]] = {"train": set(), "test": set()}

    def note(pictures: np.ndarray, classes: np.ndarray, *, split: str, index: int) -> None:
        handed[split] |= {picture.tobytes() for picture in pictures}

    monkeypatch.setattr(scenes, "compose", note)
    for split in handed:
        scenes.scenes.__wrapped__(split)
    assert (len(handed["train"]), len(handed["test"])) == (1400, 397)
    assert not handed["train"] & handed["test"]


def test_what_is_pasted_later_covers_what_lies_below() -> None:
    drawing = Drawing(np.full(scenes.SLOTS, 0.5))
    ink = np.zeros((96, 96))
    ink[10:40, 10:40], ink[9, 10:40] = 1.0, 0.5
    drawing.paste(ink, 0.9, label=4)
    drawing.paste(np.roll(ink, 20, axis=0), 0.1, label=7)
    assert set(np.unique(drawing.mask[10:29, 10:40])) == {4}
    assert set(np.unique(drawing.mask[29, 10:40])) == {VOID}
    assert set(np.unique(drawing.mask[30:60, 10:40])) == {7}
    assert np.allclose(drawing.image[10:29, 10:40], 0.9)
    assert np.allclose(drawing.image[30:60, 10:40], 0.1)
    drawing.paste(ink, 0.5, label=0)
    assert not drawing.mask[10:40, 10:40].any()


def test_a_digit_upright_at_eight_times_its_size_is_labelled_where_its_pixels_are_dark() -> None:
    picture = np.zeros((8, 8), dtype=np.uint8)
    picture[1:7, 3:5] = 255
    ink = Drawing(np.full(scenes.SLOTS, 0.5)).digit(picture, 64, (48, 48))
    expected = np.zeros((96, 96), dtype=bool)
    expected[24:72, 40:56] = True
    assert (ink[expected] >= scenes.WEAK).mean() > 0.97
    assert (ink[~expected] < scenes.STRONG).mean() > 0.97


def test_digits_and_ground_differ_in_grey(splits: Splits) -> None:
    gaps = []
    for index in range(50):
        image, mask = splits.train[index]
        ground = np.median(image[mask == 0].astype(float))
        gaps += [abs(np.median(image[mask == label].astype(float)) - ground) for label in set(mask.ravel()) - {0, VOID}]
    assert np.median(gaps) > 60
    assert np.quantile(gaps, 0.05) > 30


def test_the_normalization_is_that_of_the_training_scenes(splits: Splits) -> None:
    pixels = np.stack([splits.train[index].image for index in range(600)]) / 255
    assert splits.train.view.mean[0] == pytest.approx(pixels.mean(), abs=1e-3)
    assert splits.train.view.std[0] == pytest.approx(pixels.std(), abs=1e-3)


def test_scenes_can_be_trained_on(splits: Splits) -> None:
    augment = MaskAugment(crop="random-scale", flip=True)
    batch = MaskTrainBatches(splits.train, batch_size=4, seed=0, augment=augment)[0]
    assert batch.inputs.images.shape == (4, 1, 96, 96)
    assert batch.targets.shape == (4, 96, 96)
    share = MaskEvalBatches(splits.test, batch_size=40)
    assert [len(share[position].ids) for position in range(len(share))] == [40, 40, 40, 30]


@pytest.fixture(scope="module")
def box_splits() -> Splits:
    return open_splits("digit-boxes-composed", task="detection")


def test_the_scenes_with_boxes_are_those_with_masks(splits: Splits, box_splits: Splits) -> None:
    for masks, boxes in zip(splits.readers, box_splits.readers, strict=True):
        assert len(masks) == len(boxes)
        assert all(np.array_equal(masks[index].image, boxes[index].image) for index in range(len(boxes)))
    assert box_splits.train.classes == tuple("0123456789")
    assert box_splits.train.view.side_px == 96
    assert np.array_equal(
        box_splits.train.view.show(box_splits.train[3].image, name="").pixels[..., 0], splits.train[3].image
    )


def test_every_strong_pixel_of_a_digit_lies_in_a_box_of_its_class(splits: Splits, box_splits: Splits) -> None:
    for index in range(100):
        mask, targets = splits.train.target(index), box_splits.train.target(index)
        assert 2 <= len(targets.boxes) <= 5
        boxed = np.zeros((10, 96, 96), dtype=bool)
        for label, (x1, y1, x2, y2) in zip(targets.labels, targets.boxes.astype(int), strict=True):
            boxed[label, y1:y2, x1:x2] = True
        rows, columns = np.nonzero((mask > 0) & (mask != VOID))
        assert boxed[mask[rows, columns] - 1, rows, columns].all()


def test_a_box_is_the_extent_of_the_ink_and_a_digit_that_is_covered_keeps_it() -> None:
    drawing = Drawing(np.full(scenes.SLOTS, 0.5))
    ink = np.zeros((96, 96))
    ink[10:40, 20:50], ink[9, 20:50] = 1.0, 0.3
    drawing.paste(ink, 0.9, label=4)
    assert drawing.boxes().boxes.tolist() == [[20, 9, 50, 40]]
    assert drawing.boxes().labels.tolist() == [3]
    drawing.paste(ink, 0.1, label=0)
    assert drawing.boxes().boxes.tolist() == [[20, 9, 50, 40]]
    assert drawing.boxes().difficult.tolist() == [True]
    drawing.paste(np.roll(ink, 80, axis=1), 0.1, label=7)
    assert drawing.boxes().boxes.tolist() == [[20, 9, 50, 40], [4, 9, 34, 40]]
    assert drawing.boxes().difficult.tolist() == [True, False]


def test_few_digits_are_difficult(box_splits: Splits) -> None:
    difficult = np.concatenate([box_splits.train.target(index).difficult for index in range(600)])
    assert 0 < difficult.mean() < 0.01
