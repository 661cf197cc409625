"""Batches: pure functions of the step, the same for any number of workers, shared by ranks without overlap."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resvision.contracts import Batch, MixedTargets
from resvision.core.draws import order, uniform
from resvision.core.errors import DataError, SettingsError
from resvision.core.views import Stretch
from resvision.data.arrays import ArrayReader
from resvision.data.sets import open_splits
from resvision.loading import batches as loading_batches
from resvision.loading.augment import ImageAugment, flip, shift
from resvision.loading.batches import EvalBatches, TrainBatches, kept_in_memory
from resvision.loading.workers import batches

RULE = Stretch(channels=3, resize_px=16, crop_px=16, mean=(0.5, 0.25, 1.0), std=(0.25, 0.25, 0.25))
MOVING = ImageAugment(shift_px=2, flip=True)
MIXING = ImageAugment(mixup_alpha=0.4, cutmix_alpha=1.0)
EVERYTHING = ImageAugment(
    crop="random-resized",
    shift_px=2,
    flip=True,
    policy="rand-augment",
    erase=0.5,
    mixup_alpha=0.4,
    cutmix_alpha=1.0,
    fill="mean",
)


def reader(length: int = 50) -> ArrayReader:
    draws = np.random.default_rng(0)
    return ArrayReader(
        name="made",
        split="train",
        classes=("a", "b", "c"),
        view=RULE,
        images=draws.integers(0, 256, (length, 16, 16, 3), dtype=np.uint8),
        targets=draws.integers(0, 3, length),
    )


def train_batches(source: ArrayReader | None = None, **changes: object) -> TrainBatches:
    return TrainBatches(source or reader(), **{"batch_size": 8, "seed": 0, "augment": MOVING, **changes})


def equal(a: Batch, b: Batch) -> bool:
    mixed = isinstance(a.targets, MixedTargets)
    targets = zip(a.targets, b.targets, strict=True) if mixed else [(a.targets, b.targets)]
    return (
        type(a.targets) is type(b.targets)
        and torch.equal(a.inputs.images, b.inputs.images)
        and all(torch.equal(x, y) for x, y in targets)
        and torch.equal(a.ids, b.ids)
    )


def write_images(folder: Path, count: int = 12) -> Path:
    draws = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = draws.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


def test_a_batch_is_a_pure_function_of_the_step() -> None:
    first = train_batches()
    forward = [first[step] for step in range(20)]
    second = train_batches()
    assert all(equal(forward[step], second[step]) for step in reversed(range(20)))
    torch.manual_seed(7)
    np.random.seed(7)
    assert equal(first[3], forward[3])


def test_seed_epoch_and_step_change_the_batch() -> None:
    made = train_batches()
    assert not equal(made[0], made[1])
    assert not equal(made[0], made[made.steps_per_epoch])
    assert not equal(made[0], train_batches(seed=1)[0])


def test_an_epoch_visits_full_batches_in_its_order() -> None:
    made = train_batches()
    assert made.steps_per_epoch == 6
    for epoch in (0, 3):
        ids = torch.cat([made[6 * epoch + position].ids for position in range(6)])
        assert ids.tolist() == order(0, epoch, 50)[:48].tolist()


def test_images_targets_and_ids_belong_together() -> None:
    source = reader()
    batch = train_batches(source, augment=ImageAugment())[4]
    assert batch.inputs.images.shape == (8, 3, 16, 16)
    assert batch.inputs.images.dtype == torch.uint8
    assert batch.targets.dtype == torch.int64
    assert batch.inputs.images.is_contiguous(memory_format=torch.channels_last)
    for image, target, index in zip(batch.inputs.images, batch.targets, batch.ids, strict=True):
        assert np.array_equal(image.permute(1, 2, 0).numpy(), source.images[index])
        assert target == source.targets[index]


def test_what_a_sample_becomes_depends_on_its_epoch_and_not_on_its_batch() -> None:
    large, small = train_batches(batch_size=25), train_batches(batch_size=5)
    by_id = {
        int(i): image for step in range(2) for image, i in zip(large[step].inputs.images, large[step].ids, strict=True)
    }
    for step in range(10):
        for image, index in zip(small[step].inputs.images, small[step].ids, strict=True):
            assert torch.equal(image, by_id[int(index)])


@pytest.mark.parametrize("crop", ["none", "random-resized"])
def test_sides_take_turns_by_epochs_and_show_the_same_part_of_an_image(crop: str) -> None:
    flat, whole = reader(), train_batches(augment=ImageAugment(crop=crop))
    flat.images[:] = flat.images[:, :1, :1]  # one colour each, which no resampling changes
    turns = train_batches(flat, augment=ImageAugment(crop=crop, sides_px=(16, 24, 10)))
    sides = [turns[step].inputs.images.shape[2:] for step in range(0, 7 * turns.steps_per_epoch, turns.steps_per_epoch)]
    assert sides == [(16, 16), (24, 24), (10, 10)] * 2 + [(16, 16)]
    for step in (0, 6, 13):
        batch = turns[step]
        assert torch.equal(batch.ids, whole[step].ids)
        assert batch.inputs.images.is_contiguous(memory_format=torch.channels_last)
        colours = torch.from_numpy(flat.images[batch.ids.numpy(), 0, 0])
        assert torch.equal(batch.inputs.images, colours[:, :, None, None].expand_as(batch.inputs.images))
    same = train_batches(augment=ImageAugment(crop=crop, sides_px=(24, 16)))
    assert torch.equal(same[6].inputs.images, whole[6].inputs.images)
    averaged = same[0].inputs.images.float().mean(dim=(2, 3)) - whole[0].inputs.images.float().mean(dim=(2, 3))
    assert averaged.abs().max() < 4  # the same parts, enlarged


@pytest.mark.parametrize(("fill", "colour"), [("black", [0, 0, 0]), ("mean", [128, 64, 255])])
def test_shifts_bring_in_the_fill(fill: str, colour: list[int]) -> None:
    source = reader()
    source.images[:] = 200
    images = train_batches(source, augment=ImageAugment(shift_px=3, fill=fill))[0].inputs.images
    corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].permute(0, 2, 1).reshape(-1, 3)
    seen = {tuple(corner.tolist()) for corner in corners}
    assert seen == {(200, 200, 200), tuple(colour)}


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_take_parts_of_one_global_batch(world: int) -> None:
    whole = train_batches()
    parts = [train_batches(rank=rank, world=world) for rank in range(world)]
    for step in (0, 5, 6):
        shares = [part[step] for part in parts]
        assert torch.equal(torch.cat([share.ids for share in shares]), whole[step].ids)
        assert torch.equal(torch.cat([share.inputs.images for share in shares]), whole[step].inputs.images)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batch_size": 51}, "batch_size: 51, but made has 50 training images"),
        ({"batch_size": 0}, "batch_size: 0"),
        ({"batch_size": 9, "world": 2}, "batch_size: 9 cannot be shared by 2"),
    ],
)
def test_a_batch_that_cannot_be_filled_names_the_setting(changes: dict[str, int], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        train_batches(**changes)


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 7, 12, 50])
def test_evaluation_sees_every_image_once_over_all_ranks(world: int, length: int) -> None:
    source = reader(length)
    ids: list[int] = []
    for rank in range(world):
        share = EvalBatches(source, batch_size=4, rank=rank, world=world)
        for batch in batches(share, 0, len(share), workers=0):
            assert 1 <= len(batch.ids) <= 4
            pixels = batch.inputs.images.permute(0, 2, 3, 1).numpy()
            assert np.array_equal(pixels, source.images[batch.ids.numpy()])
            ids += batch.ids.tolist()
    assert sorted(ids) == list(range(length))


@pytest.mark.parametrize("crop", ["none", "random-resized", "scale-jitter"])
def test_batches_do_not_depend_on_workers(crop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    splits = open_splits(str(write_images(tmp_path / "images")), image_size=24)
    made = TrainBatches(splits.train, batch_size=6, seed=3, augment=ImageAugment(crop=crop, shift_px=1, flip=True))
    torch.manual_seed(0)
    here = list(batches(made, 2, 7, workers=0))
    assert [len(batch.ids) for batch in here] == [6] * 5
    for workers in (1, 2):
        there = list(batches(made, 2, 7, workers=workers))
        assert all(equal(a, b) for a, b in zip(here, there, strict=True))
        assert there[0].inputs.images.is_contiguous(memory_format=torch.channels_last)
    assert torch.initial_seed() == 0
    torch_draw = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch_draw, torch.rand(1))  # nothing was taken from the net's generator


def test_memory_and_files_give_the_same_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    splits = open_splits(str(write_images(tmp_path / "images")), image_size=24)

    def read() -> list[Batch]:
        made = TrainBatches(splits.train, batch_size=5, seed=0, augment=MOVING)
        share = EvalBatches(splits.test, batch_size=3)
        return [*batches(made, 0, 5, workers=0), *batches(share, 0, len(share), workers=0)]

    from_memory = read()
    monkeypatch.setattr(loading_batches, "MEMORY_BYTES", 0)
    assert kept_in_memory(splits.train, splits.train.view) is None
    assert all(equal(a, b) for a, b in zip(from_memory, read(), strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_file_stops_the_run_with_its_name_on_one_line(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_images(tmp_path / "images")
    monkeypatch.setattr(loading_batches, "MEMORY_BYTES", 0)
    splits = open_splits(str(folder), image_size=24)
    made = TrainBatches(splits.train, batch_size=len(splits.train), seed=0, augment=MOVING)
    bad = Path(splits.train.source(4))
    bad.write_bytes(bad.read_bytes()[:-900])
    with pytest.raises(DataError, match=rf"^{bad}: a damaged PNG") as error:
        list(batches(made, 0, 1, workers=workers))
    assert "\n" not in str(error.value)


def test_colour_for_a_grey_net_is_converted_only_when_asked() -> None:
    grey = RULE.coloured(1)
    with pytest.raises(DataError, match=r"made/train\[0\]: a colour image"):
        EvalBatches(reader(), batch_size=4, view=grey)
    assert EvalBatches(reader(), batch_size=4, view=grey, grey=True)[0].inputs.images.shape == (
        4,
        1,
        16,
        16,
    )


def test_what_is_off_changes_no_draw_of_what_is_on() -> None:
    source = reader()
    batch = train_batches(source, seed=9)[8]
    draws = uniform(9, 1, batch.ids.numpy(), 25)
    expected = flip(shift(source.images[batch.ids], 2, draws[:, 22:24], (0, 0, 0)), draws[:, 24])
    assert np.array_equal(batch.inputs.images.permute(0, 2, 3, 1).numpy(), expected)


def test_everything_at_once_does_not_depend_on_workers_or_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    splits = open_splits(str(write_images(tmp_path / "images")), image_size=24)
    made = TrainBatches(splits.train, batch_size=6, seed=3, augment=EVERYTHING)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    here = list(batches(made, 2, 7, workers=0))
    for workers in (1, 2):
        there = list(batches(made, 2, 7, workers=workers))
        assert all(equal(a, b) for a, b in zip(here, there, strict=True))
        assert all(isinstance(batch.targets, MixedTargets) for batch in there)
    assert torch.equal(torch.get_rng_state(), state)
    torch.set_num_threads(2)
    again = TrainBatches(splits.train, batch_size=6, seed=3, augment=EVERYTHING)
    assert all(equal(here[step - 2], again[step]) for step in reversed(range(2, 7)))


def test_every_augmentation_changes_the_batch() -> None:
    plain = train_batches(augment=ImageAugment())[3]
    for changed in (
        {"policy": "trivial-augment"},
        {"brightness": 0.5},
        {"erase": 1.0},
        {"mixup_alpha": 5.0},
        {"cutmix_alpha": 5.0},
    ):
        batch = train_batches(augment=ImageAugment(**changed))[3]
        assert torch.equal(batch.ids, plain.ids)
        assert not torch.equal(batch.inputs.images, plain.inputs.images)


def test_what_is_erased_takes_the_mean_colour() -> None:
    source = reader()
    source.images[:] = 200
    images = train_batches(source, augment=ImageAugment(erase=1.0))[0].inputs.images
    assert {tuple(colour) for colour in images.permute(0, 2, 3, 1).reshape(-1, 3).tolist()} == {
        (200, 200, 200),
        (128, 64, 255),
    }


@pytest.mark.parametrize("world", [1, 2, 4])
def test_each_rank_mixes_inside_its_own_share_by_the_same_draw(world: int) -> None:
    source = reader()
    source.classes, source.targets = tuple(map(str, range(50))), np.arange(50)
    shares = [train_batches(source, augment=MIXING, rank=rank, world=world)[5] for rank in range(world)]
    assert torch.equal(torch.cat([share.ids for share in shares]), train_batches(source)[5].ids)
    for batch in shares:
        assert torch.equal(batch.targets.first, batch.ids)
        assert sorted(batch.targets.second.tolist()) == sorted(batch.ids.tolist())
    assert len({float(each) for batch in shares for each in batch.targets.share}) == 1


def test_a_share_of_one_image_cannot_be_mixed() -> None:
    with pytest.raises(SettingsError, match="batch_size: 4 over 4 processes leaves mixup and cutmix no second image"):
        train_batches(batch_size=4, world=4, augment=MIXING)


@pytest.mark.parametrize("changes", [{"policy": "trivial-augment"}, {"erase": 1.0}])
def test_every_sample_draws_anew_in_every_epoch(changes: dict[str, object]) -> None:
    source = reader()
    source.images[:] = np.arange(16, dtype=np.uint8)[:, None, None] * 10
    made = train_batches(source, batch_size=50, augment=ImageAugment(**changes))
    first, second = (
        {int(i): image.numpy().tobytes() for i, image in zip(batch.ids, batch.inputs.images, strict=True)}
        for batch in (made[0], made[1])
    )
    assert len(set(first.values())) > 10
    assert sum(first[i] != second[i] for i in range(50)) > 25
