"""Replay and vector: the two systems without a raster."""

import numpy as np
import pytest
import torch
from motion.traffic import SPAN, Windows, scene

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.motion.batches import MotionEvalBatches, Undrawn
from resvision.motion.replay import Replay, ReplayForecaster

FRAMES = SPAN.history + 1


def system(reader: Windows, *, tracks: int = 200, modes: int = 2, reference: str = "agent") -> ReplayForecaster:
    net = catalog.build("replay", frames=FRAMES, steps=SPAN.steps, tracks=tracks, modes=modes, reference=reference)
    assert isinstance(net, Replay)
    built = ReplayForecaster(net, mean=(0.0,) * 3, std=(1.0,) * 3)
    built.measure(reader)
    return built.eval()


def test_a_track_that_was_kept_is_replayed_exactly() -> None:
    reader = Windows([scene(cars=4)])
    batch = MotionEvalBatches(Undrawn(reader), batch_size=len(reader))[0]
    for reference in ("agent", "constant-velocity"):
        with torch.no_grad():
            predicted = system(reader, reference=reference).predict(batch.inputs)
        torch.testing.assert_close(predicted.positions[:, 0], batch.targets.positions, rtol=1e-4, atol=1e-3)
        assert (predicted.probabilities[:, 0] >= predicted.probabilities[:, 1]).all()


def test_the_nearest_tracks_are_those_of_a_brute_force_each_of_another_vehicle() -> None:
    kept, asked = Windows([scene(cars=5, seed=1)]), Windows([scene(cars=2, seed=2)])
    built = system(kept, modes=3)
    net = built.net
    batch = MotionEvalBatches(Undrawn(asked), batch_size=len(asked))[0]
    with torch.no_grad():
        predicted = built.predict(batch.inputs).positions.numpy()
    pasts = np.stack([window.past().positions for window in kept.windows])
    for row, window in enumerate(asked.windows):
        apart = ((pasts - window.past().positions) ** 2).sum(axis=-1).mean(axis=-1)
        best = {}  # of each vehicle
        for index, other in enumerate(kept.windows):
            if other.vehicle not in best or apart[index] < apart[best[other.vehicle]]:
                best[other.vehicle] = index
        nearest = sorted(best.values(), key=apart.__getitem__)[:3]
        expected = np.stack([kept.windows[index].future().positions for index in nearest])
        np.testing.assert_allclose(predicted[row], expected, atol=1e-3)
    assert int(net.tracks) == len(kept)


def test_a_frame_that_a_track_lacks_puts_it_behind_those_that_have_it() -> None:
    near, far = scene("near", cars=1), scene("far", cars=1, seed=7)
    near.present[0, :3] = False
    near.positions[0, :3] = 0
    asked = Windows([scene("asked", cars=1)])
    both = Windows([near, far])
    both.windows = [window for window in both.windows if window.frame == SPAN.history]
    asked.windows = asked.windows[:1]
    batch = MotionEvalBatches(Undrawn(asked), batch_size=1)[0]
    with torch.no_grad():
        predicted = system(both).predict(batch.inputs).positions[0]
    futures = [window.future().positions for window in both.windows]
    np.testing.assert_allclose(predicted[0], futures[1], atol=1e-3)
    np.testing.assert_allclose(predicted[1], futures[0], atol=1e-3)


def test_where_there_are_more_tracks_than_room_some_are_drawn_and_fewer_leave_room() -> None:
    reader = Windows([scene()])
    assert int(system(reader, tracks=5).net.tracks) == 5
    few = system(reader, tracks=200)
    assert int(few.net.tracks) == len(reader) < 200
    assert few.net.futures[: len(reader)].any(dim=(1, 2)).all()
    assert not few.net.futures[len(reader) :].any()


def test_the_width_is_how_far_the_nearest_other_vehicle_is() -> None:
    reader = Windows([scene(cars=4)])
    pasts = np.stack([window.past().positions for window in reader.windows])
    apart = np.sqrt(((pasts[:, None] - pasts[None]) ** 2).sum(axis=-1).mean(axis=-1))
    vehicles = np.array([window.vehicle for window in reader.windows])
    apart[vehicles[:, None] == vehicles] = np.inf
    assert float(system(reader).net.log_width.detach().exp()) == pytest.approx(apart.min(axis=1).mean(), rel=1e-3)


def test_more_modes_than_tracks_are_refused() -> None:
    with pytest.raises(SettingsError, match="modes is 9"):
        catalog.build("replay", tracks=8, modes=9)


def test_a_vector_sees_the_past_and_nothing_of_the_raster() -> None:
    net = catalog.build("vector", frames=FRAMES, steps=SPAN.steps, width=8).eval()
    inputs = MotionEvalBatches(Windows([scene()]), batch_size=4)[0].inputs
    with torch.no_grad():
        out = net(inputs.images.float(), inputs)
        assert torch.equal(out, net(torch.zeros(4, 3, 1, 1), inputs))
        for member in ("past", "present", "state", "known"):
            changed = inputs._replace(**{member: getattr(inputs, member) + 1})
            assert not torch.equal(out, net(inputs.images.float(), changed)), member


def test_a_plain_vector_has_the_parameters_of_the_residual_one() -> None:
    residual, plain = (catalog.build("vector", shortcut=shortcut) for shortcut in ("identity", "none"))
    assert [p.shape for p in residual.parameters()] == [p.shape for p in plain.parameters()]
    with pytest.raises(SettingsError, match="shortcut 'long': choices are"):
        catalog.build("vector", shortcut="long")
    with pytest.raises(SettingsError, match="depth 7"):
        catalog.build("vector", depth=7)
