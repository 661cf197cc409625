"""Batches of label maps: pure functions of the step; image and mask move together, and no label is made up."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resvision.contracts import Batch, WeightedMasks
from resvision.core.draws import order, uniform
from resvision.core.errors import DataError, SettingsError
from resvision.core.images import VOID, decode
from resvision.core.samples import Mask, Reader, Sample
from resvision.core.views import Whole
from resvision.data.arrays import MaskArrayReader
from resvision.geometry.crops import Window, centre_window, image_in, mask_in, random_scale_window
from resvision.loading import batches as loading_batches
from resvision.loading.augment import MaskAugment, brighten
from resvision.loading.batches import BRIGHTNESS, ELASTIC, ROTATION, SLOTS
from resvision.loading.borders import border_weights
from resvision.loading.elastic import displacements, rotation, warped
from resvision.loading.workers import batches
from resvision.segmentation.batches import MaskEvalBatches, MaskTrainBatches, fits_memory, sides

RULE = Whole(channels=3, mean=(0.5, 0.25, 1.0), std=(0.25, 0.25, 0.25))
SCALED = MaskAugment(crop="random-scale", flip=True)
SIZES = [(30, 40)] * 5 + [(20, 40)] * 2 + [(30, 40), (50, 16)]


class Files(Reader[Mask]):
    """Images and masks as PNG files."""

    name, split, classes, view, crop_px = "files", "train", ("a", "b", "c"), RULE, 24

    def __init__(self, folder: Path, reader: MaskArrayReader) -> None:
        self.folder, self.length = folder, len(reader)
        for index in range(len(reader)):
            Image.fromarray(reader.images[index]).save(self.source(index))
            Image.fromarray(reader.masks[index]).save(self.target_source(index))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample[Mask]:
        return Sample(decode(Path(self.source(index))), self.target(index))

    def target(self, index: int) -> np.ndarray:
        return decode(Path(self.target_source(index)))

    def source(self, index: int) -> str:
        return str(self.folder / f"{index}.png")

    def target_source(self, index: int) -> str:
        return str(self.folder / f"{index}-mask.png")


def reader(sizes: Sequence[tuple[int, int]] = SIZES) -> MaskArrayReader:
    draws = np.random.default_rng(0)
    return MaskArrayReader(
        name="made",
        split="train",
        classes=("a", "b", "c"),
        view=RULE,
        crop_px=24,
        images=[draws.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes],
        masks=[draws.choice(np.array([0, 1, 2, VOID], np.uint8), size) for size in sizes],
    )


def train_batches(source: Reader | None = None, **changes: object) -> MaskTrainBatches:
    return MaskTrainBatches(source or reader(), **{"batch_size": 4, "seed": 0, "augment": SCALED, **changes})


def equal(a: Batch, b: Batch) -> bool:
    return (
        torch.equal(a.inputs.images, b.inputs.images)
        and torch.equal(a.targets, b.targets)
        and torch.equal(a.ids, b.ids)
    )


def wave(height: int, width: int) -> np.ndarray:
    """A smooth picture between 55 and 200, (H, W)."""
    y, x = np.mgrid[:height, :width]
    return np.rint(127.5 + 36 * (np.sin(x / 7 + 1) + np.sin(y / 9 + x / 30))).astype(np.uint8)


def test_a_batch_is_a_pure_function_of_the_step() -> None:
    first = train_batches()
    forward = [first[step] for step in range(6)]
    second = train_batches()
    assert all(equal(forward[step], second[step]) for step in reversed(range(6)))
    assert not equal(forward[0], forward[1])
    assert not equal(forward[0], train_batches(seed=1)[0])
    batch = forward[0]
    assert batch.inputs.images.shape == (4, 3, 24, 24)
    assert batch.inputs.images.dtype == torch.uint8
    assert batch.inputs.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.targets.shape == (4, 24, 24)
    assert batch.targets.dtype == torch.int64


def test_an_epoch_visits_full_batches_in_its_order() -> None:
    made = train_batches()
    assert made.steps_per_epoch == 2
    assert torch.cat([made[2].ids, made[3].ids]).tolist() == order(0, 1, 9)[:8].tolist()


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_take_parts_of_one_global_batch(world: int) -> None:
    whole = train_batches()[1]
    shares = [train_batches(rank=rank, world=world)[1] for rank in range(world)]
    assert torch.equal(torch.cat([share.inputs.images for share in shares]), whole.inputs.images)
    assert torch.equal(torch.cat([share.targets for share in shares]), whole.targets)


def test_batches_do_not_depend_on_workers_or_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(tmp_path, reader())
    augment = MaskAugment(crop="random-scale", elastic_px=2.0, flip=True, brightness=0.3, fill="mean")
    from_memory = list(batches(train_batches(files, augment=augment), 1, 4, workers=0))
    judged = list(batches(MaskEvalBatches(files, batch_size=3), 0, 5, workers=0))
    monkeypatch.setattr(loading_batches, "MEMORY_BYTES", 0)
    assert not fits_memory(files, RULE)
    for workers in (0, 2):
        from_files = list(batches(train_batches(files, augment=augment), 1, 4, workers=workers))
        assert all(equal(a, b) for a, b in zip(from_memory, from_files, strict=True))
        again = list(batches(MaskEvalBatches(files, batch_size=3), 0, 5, workers=workers))
        assert all(equal(a, b) for a, b in zip(judged, again, strict=True))


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_evaluation_sees_every_whole_image_once_in_batches_of_one_size(world: int, batch_size: int) -> None:
    source = reader()
    alone = MaskEvalBatches(source, batch_size=batch_size)
    ids: list[int] = []
    for rank in range(world):
        share = MaskEvalBatches(source, batch_size=batch_size, rank=rank, world=world)
        for position, batch in enumerate(batches(share, 0, len(share), workers=0)):
            assert equal(batch, alone[rank + position * world])
            assert 1 <= len(batch.ids) <= batch_size
            for image, target, index in zip(*batch.inputs, batch.targets, batch.ids, strict=True):
                assert np.array_equal(image.permute(1, 2, 0), source.images[index])
                assert np.array_equal(target, source.masks[index])
            ids += batch.ids.tolist()
    assert sorted(ids) == list(range(len(SIZES)))


def test_the_cut_into_batches_follows_from_the_sizes() -> None:
    share = MaskEvalBatches(reader(), batch_size=4)
    assert [share[position].ids.tolist() for position in range(len(share))] == [[0, 1, 2, 3], [4], [5, 6], [7], [8]]


def test_sizes_are_read_without_decoding(tmp_path: Path) -> None:
    files = Files(tmp_path, reader())
    for index in range(len(files)):
        data = Path(files.target_source(index)).read_bytes()
        Path(files.target_source(index)).write_bytes(data[: len(data) // 2])
    assert [sides(files, index) for index in range(len(files))] == SIZES
    assert [sides(reader(), index) for index in range(len(SIZES))] == SIZES


def test_a_mask_of_another_size_than_its_image_is_named_with_both() -> None:
    source = reader()
    source.masks[2] = source.masks[2][:, :-3]
    message = r"made/train\[2\] mask: 37 x 30 pixels, but its image made/train\[2\] has 40 x 30"
    with pytest.raises(DataError, match=message):
        train_batches(source)
    with pytest.raises(DataError, match=message):
        MaskEvalBatches(source, batch_size=4)


def test_colour_for_a_grey_net_is_converted_only_when_asked() -> None:
    grey = RULE.coloured(1)
    with pytest.raises(DataError, match=r"made/train\[0\]: a colour image"):
        MaskEvalBatches(reader(), batch_size=4, view=grey)
    assert MaskEvalBatches(reader(), batch_size=4, view=grey, grey=True)[0].inputs.images.shape == (4, 1, 30, 40)
    assert train_batches(view=grey, grey=True)[0].inputs.images.shape == (4, 1, 24, 24)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 10}, "batch_size: 10, but made has 9 training images"),
        ({"border": (10.0, 5.0)}, "border weights are for two classes, .* made has 3"),
        ({"batch_size": 3, "world": 2}, "batch_size: 3 cannot be shared by 2"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        train_batches(**changes)


def test_the_side_of_crops_is_that_of_the_augmentation_or_else_of_the_reader() -> None:
    source = reader()
    assert train_batches(source)[0].targets.shape == (4, 24, 24)
    assert train_batches(source, augment=MaskAugment(crop_px=16))[0].targets.shape == (4, 16, 16)
    source.crop_px = None
    assert train_batches(source, augment=MaskAugment(crop_px=16))[0].targets.shape == (4, 16, 16)
    with pytest.raises(SettingsError, match=r"augment\.crop_px: made does not say how large crops are to be"):
        train_batches(source)


def test_labels_are_those_of_the_mask_and_void_and_nothing_between() -> None:
    source = reader([(37, 53)] * 4)
    for index, mask in enumerate(source.masks):
        mask[:] = np.where(mask == 2, 0, mask)
        mask[mask == 1] = 2 if index % 2 else 0
    batch_of = train_batches(source)
    for step in range(20):
        batch = batch_of[step]
        for index, target in zip(batch.ids.tolist(), batch.targets, strict=True):
            assert set(target.unique().tolist()) <= {*np.unique(source.masks[index]).tolist(), VOID}


@pytest.mark.parametrize("scale", [0.5, 0.73, 1.0, 1.31, 2.0])
def test_image_and_mask_stay_aligned_to_within_half_a_pixel(scale: float) -> None:
    """Where mask is `image at least t`, it may differ from a threshold of the crop only beside the edge."""
    source = reader([(90, 120)])
    image = wave(90, 120)
    source.images[0] = np.repeat(image[..., None], 3, axis=2)
    for threshold in (100, 127, 150):
        source.masks[0] = (image >= threshold).astype(np.uint8)
        made = train_batches(
            source,
            batch_size=1,
            augment=MaskAugment(crop="random-scale", crop_px=64, scale_range=(scale, scale), flip=True),
        )
        for step in range(12):
            batch = made[step]
            shown, labels = batch.inputs.images[0, 0].numpy().astype(float), batch.targets[0].numpy()
            slope = np.hypot(*np.gradient(shown))
            inside = labels != VOID
            wrong = inside & ((shown >= threshold) != (labels == 1))
            distance = np.abs(shown - threshold) / np.maximum(slope, 1.0)  # pixels of the crop to the edge
            half = 0.5 * np.sqrt(2) * max(scale, 1.0) + 0.3  # half a stored pixel's diagonal, and rounding
            assert distance[wrong].max(initial=0.0) <= half
            assert inside.mean() > 0.3


def test_padding_is_void_in_the_mask_and_the_fill_in_the_image() -> None:
    source = reader([(10, 12)] * 4)
    for index in range(4):
        source.images[index][:] = 200
        source.masks[index][:] = 1
    for fill, colour in (("black", (0, 0, 0)), ("mean", (128, 64, 255))):
        for crop in ("none", "random-scale"):
            batch = train_batches(source, augment=MaskAugment(crop=crop, fill=fill, flip=True))[0]
            padded = batch.targets == VOID
            colours = batch.inputs.images.permute(0, 2, 3, 1)
            assert padded.any()
            assert {tuple(each) for each in colours[padded].tolist()} == {colour}
            assert {tuple(each) for each in colours[~padded].tolist()} == {(200, 200, 200)}
            assert (batch.targets[~padded] == 1).all()


def test_crop_none_shows_the_middle_as_it_is() -> None:
    source = reader([(40, 50), (24, 24), (10, 30), (41, 25)])
    made = train_batches(source, augment=MaskAugment())
    batch = made[0]
    for image, target, index in zip(*batch.inputs, batch.targets, batch.ids.tolist(), strict=True):
        height, width = source.masks[index].shape
        top, left = round((height - 24) / 2), round((width - 24) / 2)
        rows, columns = slice(max(top, 0), min(top + 24, height)), slice(max(left, 0), min(left + 24, width))
        there = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        assert np.array_equal(image.permute(1, 2, 0)[there], source.images[index][rows, columns])
        assert np.array_equal(target[there], source.masks[index][rows, columns])
        outside = torch.ones(24, 24, dtype=torch.bool)
        outside[there] = False
        assert (target[outside] == VOID).all()


def test_a_flip_moves_image_and_mask() -> None:
    source = reader([(30, 40)] * 9)
    still, flipped = train_batches(source, augment=MaskAugment()), train_batches(source, augment=MaskAugment(flip=True))
    swapped = 0
    for step in range(6):
        a, b = still[step], flipped[step]
        for before, after, mask, moved in zip(*a.inputs, *b.inputs, a.targets, b.targets, strict=True):
            if not torch.equal(before, after):
                swapped += 1
                before, mask = before.flip(2), mask.flip(1)
            assert torch.equal(before, after)
            assert torch.equal(mask, moved)
    assert 6 < swapped < 18


def test_brightness_changes_the_image_and_leaves_the_mask() -> None:
    source = reader()
    plain = train_batches(source, seed=9)[3]
    bright = train_batches(source, seed=9, augment=MaskAugment(crop="random-scale", flip=True, brightness=0.5))[3]
    draws = uniform(9, 1, plain.ids.numpy(), SLOTS)[:, BRIGHTNESS]
    assert torch.equal(plain.targets, bright.targets)
    pixels = plain.inputs.images.permute(0, 2, 3, 1).numpy()
    assert np.array_equal(bright.inputs.images.permute(0, 2, 3, 1), brighten(pixels, 0.5, draws))
    assert not np.array_equal(pixels, bright.inputs.images.permute(0, 2, 3, 1))


def test_windows_lie_in_the_image_or_the_image_in_them() -> None:
    draws = uniform(0, 0, np.arange(500), 3)
    factors = []
    for row in draws:
        window = random_scale_window(40, 60, 50, (0.5, 2.0), row)
        factors.append(window.height / 40)
        assert window.width == pytest.approx(1.5 * window.height, abs=2)
        for side, start in ((window.height, window.top), (window.width, window.left)):
            assert min(0, side - 50) <= start <= max(0, side - 50)
    assert min(factors) < 0.55
    assert max(factors) > 1.95
    assert np.mean(factors) == pytest.approx(1.25, abs=0.05)


def test_a_window_at_twice_the_size_repeats_labels_and_at_half_takes_every_second() -> None:
    mask = np.arange(100, dtype=np.uint8).reshape(10, 10)
    doubled = mask_in(Window(20, 20, 4, 6, 8), mask)
    assert np.array_equal(doubled, mask.repeat(2, axis=0).repeat(2, axis=1)[4:12, 6:14])
    halved = mask_in(Window(5, 5, 0, 0, 5), mask)
    assert np.array_equal(halved, mask[1::2, 1::2])
    assert np.array_equal(image_in(centre_window(10, 10, 4), mask[..., None], [0], "bilinear")[..., 0], mask[3:7, 3:7])


def test_an_elastic_deformation_moves_image_and_mask_by_the_drawn_field() -> None:
    source = reader()
    plain = train_batches(source, seed=9, augment=MaskAugment(crop="random-scale"))[3]
    moved = train_batches(source, seed=9, augment=MaskAugment(crop="random-scale", elastic_px=3.0))[3]
    draws = uniform(9, 1, plain.ids.numpy(), SLOTS)[:, ELASTIC]
    pixels = plain.inputs.images.permute(0, 2, 3, 1).numpy()
    masks = plain.targets.numpy().astype(np.uint8)
    for image, mask, row, there, target in zip(pixels, masks, draws, *moved.inputs, moved.targets, strict=True):
        field = displacements(*mask.shape, row, sigma_px=3.0)
        assert np.array_equal(there.permute(1, 2, 0), warped(image, field, order=1))
        assert np.array_equal(target, warped(mask, field, order=0))
    assert not torch.equal(plain.targets, moved.targets)


def test_a_rotation_is_one_warp_with_the_deformation_by_an_angle_of_its_own_draw() -> None:
    source, elastic = reader(), MaskAugment(crop="random-scale", elastic_px=3.0)
    plain = train_batches(source, seed=9, augment=replace(elastic, elastic_px=0.0))[3]
    turned = train_batches(source, seed=9, augment=replace(elastic, rotation_degrees=30.0))[3]
    draws = uniform(9, 1, plain.ids.numpy(), SLOTS)
    for mask, row, target in zip(plain.targets.numpy().astype(np.uint8), draws, turned.targets, strict=True):
        field = displacements(*mask.shape, row[ELASTIC], sigma_px=3.0)
        field = field + rotation(*mask.shape, -30 + 60 * row[ROTATION])
        assert np.array_equal(target, warped(mask, field, order=0))


def test_border_weights_are_those_of_the_mask_as_it_is_shown() -> None:
    source = reader([(60, 60)] * 4)
    source.classes = ("ground", "cell")
    for mask in source.masks:
        mask[:] = 0
        mask[5:28, 5:55] = mask[30:55, 5:55] = 1
    augment = MaskAugment(crop="random-scale", crop_px=48, flip=True)
    batch = train_batches(source, border=(10.0, 5.0), augment=augment)[2]
    assert isinstance(batch.targets, WeightedMasks)
    assert batch.targets.weights.dtype == torch.float32
    for labels, weights in zip(*batch.targets, strict=True):
        assert np.array_equal(weights, border_weights(labels.numpy().astype(np.uint8), w0=10.0, sigma_px=5.0))
    assert batch.targets.weights.max() > 5
    plain = train_batches(source, augment=augment)[2]
    assert torch.equal(batch.targets.labels, plain.targets)
