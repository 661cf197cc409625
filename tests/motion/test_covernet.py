"""CoverNet: counts, the greedy cover beside a brute force, and the set that a run keeps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from motion.traffic import SPAN, Windows, scene
from numpy.typing import NDArray

from resvision import catalog
from resvision.contracts import Batch
from resvision.motion.batches import MotionEvalBatches
from resvision.motion.covernet import CoverForecaster, CoverLoss
from resvision.motion.forecaster import Forecast, MotionTargets
from resvision.motion.parts.cover import greedy_cover


@pytest.mark.parametrize(("modes", "expected"), [(64, 32_175_232), (415, 33_613_279), (2206, 40_951_006)])
def test_its_parameters_are_those_of_the_devkit(modes: int, expected: int) -> None:
    with torch.device("meta"):
        net = catalog.build("covernet", backbone="resnet50", modes=modes)
    assert sum(parameter.numel() for parameter in net.parameters()) == expected


def driven(count: int = 60, steps: int = 5, seed: int = 0) -> NDArray[np.float32]:
    draws = np.random.default_rng(seed)
    return np.cumsum(draws.normal(1, 1, (count, steps, 2)), axis=1).astype(np.float32)


def by_brute_force(paths: NDArray[np.float32], epsilon_m: float) -> list[int]:
    """The greedy cover, from all distances anew at each choice."""
    farthest = np.linalg.norm(paths[:, None] - paths[None], axis=-1).max(axis=-1)
    left, chosen = {*range(len(paths))}, []
    while left:
        gains = [sum(farthest[one, other] <= epsilon_m for other in left) for one in range(len(paths))]
        chosen.append(int(np.argmax(gains)))
        left -= {other for other in left if farthest[chosen[-1], other] <= epsilon_m}
    return chosen


@pytest.mark.parametrize("epsilon_m", [1.0, 3.0, 6.0])
def test_the_cover_is_that_of_a_brute_force(epsilon_m: float) -> None:
    paths = driven()
    cover = greedy_cover(paths, epsilon_m=epsilon_m, most=100)
    np.testing.assert_array_equal(cover.positions, paths[by_brute_force(paths, epsilon_m)])
    assert cover.share == 1


def test_a_cover_that_is_cut_off_covers_a_share_and_begins_like_the_whole() -> None:
    paths = driven()
    whole = greedy_cover(paths, epsilon_m=2.0, most=100)
    cut = greedy_cover(paths, epsilon_m=2.0, most=7)
    np.testing.assert_array_equal(cut.positions, whole.positions[:7])
    nearest = np.linalg.norm(paths[:, None] - cut.positions[None], axis=-1).max(axis=-1).min(axis=1)
    assert cut.share == pytest.approx((nearest <= 2.0).mean())
    assert 0 < cut.share < 1


def test_a_finer_cover_needs_more_trajectories() -> None:
    sizes = [len(greedy_cover(driven(), epsilon_m=epsilon, most=100).positions) for epsilon in (8.0, 4.0, 2.0)]
    assert sizes[0] < sizes[1] < sizes[2]


def system(modes: int = 6, reference: str = "agent", **options: Any) -> CoverForecaster:
    torch.manual_seed(0)
    net = catalog.build(
        "covernet", backbone="resnet20", width=4, hidden=8, modes=modes, steps=SPAN.steps, reference=reference
    )
    return CoverForecaster(net, mean=(0.0,) * 3, std=(1.0,) * 3, options=CoverLoss(**options))


def reader(seeds: Sequence[int] = (0, 1)) -> Windows:
    return Windows([scene(seed=seed) for seed in seeds])


def test_the_set_is_driven_trajectories_and_says_what_it_covers() -> None:
    built, windows = system(epsilon_m=3.0), reader()
    built.measure(windows)
    futures = np.stack([windows.target(index).future().positions for index in range(len(windows))]).astype(np.float32)
    net = built.net
    for trajectory in net.trajectories[: net.members].numpy():
        assert np.abs(futures - trajectory).max(axis=(1, 2)).min() < 1e-4
    farthest = np.linalg.norm(futures[:, None] - net.trajectories[: net.members].numpy()[None], axis=-1).max(axis=-1)
    assert float(net.covered) == pytest.approx((farthest.min(axis=1) <= 3.0).mean(), abs=1e-6)
    assert float(net.epsilon_m) == 3.0


def test_the_set_is_made_once_by_its_seed_and_stays_with_the_weights() -> None:
    first, second, other = (system(cover_windows=12, cover_seed=seed) for seed in (0, 0, 1))
    for built in (first, second, other):
        built.measure(reader())
    assert torch.equal(first.net.trajectories, second.net.trajectories)
    assert not torch.equal(first.net.trajectories, other.net.trajectories)
    before = first.net.trajectories.clone()
    first.measure(reader((5, 6)))
    assert torch.equal(first.net.trajectories, before), "weights know the set that they were trained with"
    assert "trajectories" in first.net.state_dict()


def test_modes_beyond_the_set_are_never_chosen() -> None:
    built = system(modes=80, epsilon_m=20.0).eval()
    built.measure(reader())
    members = int(built.net.members)
    assert members < 80
    with torch.no_grad():
        predicted = built.predict(MotionEvalBatches(reader((3,)), batch_size=8)[0].inputs)
    assert not predicted.probabilities[:, members:].any()
    assert not predicted.probabilities.isnan().any()
    said = built.advice(reader())["cover"]
    assert f"{members} trajectories lie within 20 m of 100.0% of training futures" in said
    assert f"the other {80 - members} modes are never chosen" in said


def test_a_set_that_is_cut_off_is_said() -> None:
    said = system(modes=2, epsilon_m=0.5).advice(reader())["cover"]
    assert said.startswith("2 trajectories lie within 0.5 m of ")
    assert said.endswith("model.options.modes=N takes more, loss.epsilon_m=1 needs fewer")


def test_the_loss_is_the_surprise_of_the_nearest_trajectory() -> None:
    built = system(modes=3)
    paths = torch.arange(3.0)[:, None, None].expand(3, SPAN.steps, 2)
    truth = torch.full((1, SPAN.steps, 2), 1.2)
    truth[0, -1] = 500.0
    present = torch.ones(1, SPAN.steps)
    present[0, -1] = 0
    logits = torch.tensor([[0.2, 0.5, 0.3]]).log()
    batch = Batch(None, MotionTargets(truth, present, torch.zeros(1)), torch.arange(1))
    (term,) = built.losses_of(Forecast(paths[None], logits), batch).values()
    assert float(term.mean()) == pytest.approx(-np.log(0.5))


def test_from_constant_velocity_the_set_is_one_of_departures() -> None:
    built, agent = system(reference="constant-velocity"), system()
    for one in (built, agent):
        one.measure(reader())
    assert built.net.trajectories.abs().max() < 0.5 * agent.net.trajectories.abs().max()


@pytest.mark.parametrize("values", [{"epsilon_m": 0.0}, {"cover_windows": 0}, {"cover_seed": -1}])
def test_options_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        CoverLoss(**values)
