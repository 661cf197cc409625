"""Batches of windows: pure functions of the step, whose augmentation changes pictures and metres alike."""

from typing import Any

import numpy as np
import pytest
import torch
from motion.traffic import SPAN, Windows, scene, view

from resvision.contracts import Batch, tensors_of
from resvision.core.errors import SettingsError
from resvision.kinds.motion.rasters import drawn
from resvision.motion.augment import MotionAugment
from resvision.motion.batches import MotionEvalBatches, MotionTrainBatches, Undrawn


def batches(reader: Windows | None = None, **changes: Any) -> MotionTrainBatches:
    settings = {"batch_size": 8, "seed": 0, "augment": MotionAugment(), **changes}
    return MotionTrainBatches(reader or Windows([scene(seed=seed) for seed in range(2)]), **settings)


def same(first: Batch, second: Batch) -> bool:
    return all(map(torch.equal, tensors_of(first), tensors_of(second)))


def test_a_batch_has_the_rasters_of_its_windows_in_every_kind_of_channels() -> None:
    for shown in (view(), view(past="channels", history=2)):
        reader = Windows([scene()], shown)
        batch = batches(reader)[1]
        windows = [reader.target(index) for index in batch.ids.tolist()]
        assert batch.inputs.images.shape == (8, shown.channels, 32, 32)
        assert batch.inputs.images.is_contiguous(memory_format=torch.channels_last)
        np.testing.assert_array_equal(batch.inputs.images.numpy(), drawn(windows, shown))
        assert batch.inputs.images.any(dim=(2, 3)).any(dim=0)[:2].all()


def test_a_batch_follows_from_its_step_alone() -> None:
    augment = MotionAugment(mirror=True, shift_m=1.0, turn_deg=5.0)
    made, again = batches(augment=augment), batches(augment=augment)
    again[5], again[0]
    assert same(made[3], again[3])
    assert not same(made[3], made[4])
    assert not torch.equal(made[3].targets.draws, batches(seed=1)[3].targets.draws)


def test_the_shares_of_all_processes_are_the_batch() -> None:
    augment = MotionAugment(mirror=True, shift_m=1.0)
    whole = batches(augment=augment)[2]
    shares = [batches(augment=augment, rank=rank, world=2)[2] for rank in range(2)]
    for together, *apart in zip(tensors_of(whole), *map(tensors_of, shares), strict=True):
        assert torch.equal(together, torch.cat(apart))


def test_mirrored_windows_are_those_of_a_mirrored_world() -> None:
    plain = scene()
    mirrored = scene()
    mirrored.positions[..., 1] *= -1
    mirrored.headings[:] *= -1
    lanes = tuple(type(lane)(lane.right * [1, -1], lane.left * [1, -1]) for lane in plain.lanes)
    object.__setattr__(mirrored, "lanes", lanes)
    batch = batches(Windows([plain]), augment=MotionAugment(mirror=True))[0]
    untouched, of_mirror = (batches(Windows([one]))[0] for one in (plain, mirrored))
    is_mirrored = (batch.targets.positions != untouched.targets.positions).flatten(1).any(dim=1)
    assert 0 < is_mirrored.sum() < 8
    for row in range(8):
        expected = of_mirror if is_mirrored[row] else untouched
        for member, other in zip(tensors_of(batch), tensors_of(expected), strict=True):
            if member.dtype == torch.uint8:  # a pixel's half may fall to the other side
                difference = (member[row].int() - other[row].int()).abs()
                assert difference.max() <= 2
            else:
                torch.testing.assert_close(member[row], other[row], rtol=1e-5, atol=1e-5)


def test_a_moved_frame_moves_what_is_seen_and_what_is_to_come_alike() -> None:
    reader = Windows([scene()])
    plain, moved = (
        batches(reader, augment=augment)[0] for augment in (MotionAugment(), MotionAugment(shift_m=4.0, turn_deg=20.0))
    )
    for row in range(8):
        before, after = (
            torch.cat([one.inputs.past[row, :, :2], one.targets.positions[row], one.inputs.steady[row]])
            for one in (plain, moved)
        )
        assert not torch.allclose(before, after)
        torch.testing.assert_close(torch.cdist(before, before), torch.cdist(after, after), rtol=1e-4, atol=1e-3)
        assert (after[SPAN.history] - before[SPAN.history]).norm() <= 2**0.5 * 4.0
    torch.testing.assert_close(plain.inputs.state, moved.inputs.state, rtol=1e-4, atol=1e-4)
    assert not torch.equal(plain.inputs.images, moved.inputs.images)


def test_the_target_is_drawn_where_the_moved_frame_says() -> None:
    shown = view(64, history=0)
    batch = batches(Windows([scene(cars=1)], shown), batch_size=6, augment=MotionAugment(shift_m=10.0, turn_deg=30))[0]
    centres = np.arange(64) + 0.5
    for row in range(6):
        ahead, left = batch.inputs.past[row, -1, :2].tolist()
        box = batch.inputs.images[row, 0].numpy() / 255.0
        place = (box.sum(axis=1) @ centres / box.sum(), box.sum(axis=0) @ centres / box.sum())
        expected = shown.ahead * 64 - ahead / shown.metres_per_px, 32 - left / shown.metres_per_px
        np.testing.assert_allclose(place, expected, atol=0.2)


def test_an_evaluation_sees_every_window_once_whatever_the_number_of_processes() -> None:
    reader = Windows([scene()])
    whole = MotionEvalBatches(reader, batch_size=4)
    assert torch.cat([whole[at].ids for at in range(len(whole))]).tolist() == [*range(len(reader))]
    shares = [MotionEvalBatches(reader, batch_size=4, rank=rank, world=2) for rank in range(2)]
    ids = [share[at].ids.tolist() for share in shares for at in range(len(share))]
    assert sorted(index for some in ids for index in some) == [*range(len(reader))]
    assert same(shares[1][0], whole[1])


def test_a_net_without_image_costs_no_drawing() -> None:
    reader = Windows([scene()])
    batch = batches(Undrawn(reader))[0]  # type: ignore[arg-type]
    drawn_batch = batches(reader)[0]
    assert batch.inputs.images.shape == (8, 3, 1, 1)
    assert torch.equal(batch.inputs.past, drawn_batch.inputs.past)
    assert Undrawn(reader).source(3) == reader.source(3)


def test_a_batch_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="batch_size: 1000"):
        batches(batch_size=1000)
    with pytest.raises(SettingsError, match="batch_size: 0"):
        MotionEvalBatches(Windows([scene()]), batch_size=0)
    for values in ({"shift_m": -1.0}, {"turn_deg": 190.0}, {"shift_m": float("inf")}):
        with pytest.raises(ValueError, match=next(iter(values))):
            MotionAugment(**values)
