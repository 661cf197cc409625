"""MTP: counts, and the answers that its devkit's own tests know."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from resvision import catalog
from resvision.contracts import Batch
from resvision.core.errors import SettingsError
from resvision.motion.forecaster import Forecast, MotionInputs, MotionTargets
from resvision.motion.mtp import MTPForecaster, MTPLoss, angles_between, chosen_modes
from resvision.training.gradients import quotient


def parameters(**options: Any) -> int:
    with torch.device("meta"):
        net = catalog.build("mtp", **options)
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"backbone": "resnet50", "modes": 1, "steps": 12}, 32_015_449),
        ({"backbone": "resnet50", "modes": 2, "steps": 12}, 32_117_874),
        ({"backbone": "resnet50", "modes": 3, "steps": 12}, 32_220_299),
        ({"backbone": "resnet50", "modes": 16, "steps": 12}, 33_551_824),
        ({"backbone": "resnet18", "modes": 1, "steps": 12}, 13_392_473),
    ],
)
def test_its_parameters_are_those_of_the_devkit(options: dict[str, Any], expected: int) -> None:
    assert parameters(**options) == expected


def system(modes: int, steps: int, **options: Any) -> MTPForecaster:
    net = catalog.build("mtp", backbone="resnet20", width=4, hidden=4, modes=modes, steps=steps)
    return MTPForecaster(net, mean=(0.0,) * 3, std=(1.0,) * 3, options=MTPLoss(**options))


def driven(windows: int = 16, steps: int = 30) -> Tensor:
    """The truth of the devkit's tests: .1 m a step to one side."""
    positions = torch.zeros(windows, steps, 2)
    positions[..., 1] = torch.arange(0, 3, 0.1)[:steps]
    return positions


def loss(positions: Tensor, logits: Tensor, truth: Tensor, *, angle_deg: float = 20.0) -> float:
    """The loss of a batch, from trajectories (N, M, T, 2) and logits (N, M)."""
    targets = MotionTargets(truth, torch.ones(truth.shape[:2]), torch.zeros(len(truth)))
    batch = Batch(None, targets, torch.arange(len(truth)))
    terms = system(*positions.shape[1:3], angle_deg=angle_deg).losses_of(Forecast(positions, logits), batch)
    return sum(float(quotient(*term)) for term in terms.values())


def test_one_mode_that_is_exact_costs_nothing_and_one_that_is_a_metre_off_a_half() -> None:
    truth, logits = driven(), torch.full((16, 1), 0.1)
    exact = truth[:, None].clone()
    assert loss(exact, logits, truth) == pytest.approx(0, abs=1e-6)
    off = exact + 1
    assert loss(off, logits, truth) == pytest.approx(0.5, abs=1e-6)
    off[1] = exact[1]
    assert loss(off, logits, truth) == pytest.approx(15 / 16 * 0.5, abs=1e-6)


def test_of_ten_equal_modes_the_exact_one_costs_the_logarithm_of_ten() -> None:
    truth, logits = driven(), torch.full((16, 10), 0.1)
    modes = torch.ones(16, 10, 30, 2)
    modes[:, 9] = truth
    assert loss(modes, logits, truth) == pytest.approx(2.302585, abs=1e-5)
    modes[:, 9] += 1
    assert loss(modes, logits, truth) == pytest.approx(2.302585 + 0.5, abs=1e-5)


def test_three_of_four_ahead_and_one_back_is_told_best_by_their_shares() -> None:
    """The best that two modes, ahead and back, can do for a set of which a quarter drives back is its entropy."""
    ahead = torch.stack([torch.arange(1, 13.0), torch.zeros(12)], dim=-1)
    truth = torch.stack([ahead, ahead, ahead, -ahead])
    modes = torch.stack([ahead, -ahead]).expand(4, 2, 12, 2)
    logits = torch.tensor([0.75, 0.25]).log().expand(4, 2)
    assert loss(modes, logits, truth) == pytest.approx(0.56234, abs=1e-5)
    for share in (0.7, 0.8):
        assert loss(modes, torch.tensor([share, 1 - share]).log().expand(4, 2), truth) > 0.5624


@pytest.mark.parametrize(
    ("first", "second", "degrees"),
    [
        ((0, 0), (0, 0), 0),
        ((15, 15), (15, 15), 0),
        ((0, 0), (3, 1), 0),
        ((1, 1), (math.sqrt(3) / 2, 0.5), 15),
        ((1, 0), (math.sqrt(3) / 2, 0.5), 30),
        ((1, 1), (0, 1), 45),
        ((1, 0), (1, -1), 45),
        ((1, 1), (-1, 1), 90),
        ((1, 0), (-1, 0), 180),
        ((3, 1), (-3, -1), 180),
    ],
)
def test_angles_between_last_points_are_those_of_the_devkit(
    first: tuple[float, float], second: tuple[float, float], degrees: float
) -> None:
    angle = angles_between(torch.tensor(first, dtype=torch.float64), torch.tensor(second, dtype=torch.float64))
    assert math.degrees(angle) == pytest.approx(degrees, abs=1e-6)


def towards(degrees: float, metres: float = 10.0) -> Tensor:
    """A straight trajectory of four steps in one direction, (4, 2)."""
    direction = torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    return metres * torch.arange(1, 5)[:, None] / 4 * direction


def choice(truth: Tensor, modes: list[Tensor], *, draw: float = 0.0, known: int = 4) -> int:
    present = (torch.arange(4) < known).float()
    targets = MotionTargets((truth * present[:, None])[None], present[None], torch.tensor([draw]))
    return int(chosen_modes(torch.stack(modes)[None], targets, angle_deg=5.0))


def test_the_nearest_mode_within_the_angle_is_chosen() -> None:
    truth = towards(0)
    assert choice(truth, [towards(4, 5.0), towards(3, 11.0), towards(8)]) == 1
    assert choice(truth, [towards(4, 5.0), towards(8), towards(90)]) == 0
    assert choice(truth, [towards(0, 30.0), towards(6, 10.0)]) == 0, "a nearer mode beyond the angle is none"


def test_where_no_mode_fits_the_counted_draw_decides() -> None:
    modes = [towards(90), towards(120), towards(-90)]
    assert [choice(towards(0), modes, draw=draw) for draw in (0.0, 0.34, 0.99)] == [0, 1, 2]


def test_the_last_known_point_tells_the_direction() -> None:
    bend = torch.cat([towards(0)[:2], towards(60)[2:]])
    assert choice(bend, [towards(0), towards(60)]) == 1
    assert choice(bend, [towards(0), towards(60)], known=2) == 0


def inputs(windows: int) -> MotionInputs:
    return MotionInputs(
        torch.randint(256, (windows, 3, 16, 16), dtype=torch.uint8),
        torch.randn(windows, 3),
        torch.ones(windows, 3),
        torch.zeros(windows, 3, 4),
        torch.ones(windows, 3),
        10 * torch.randn(windows, 2, 2),
    )


def test_the_state_reaches_the_hidden_layer() -> None:
    built = system(2, 2).eval()
    some = inputs(3)
    with torch.no_grad():
        before, after = (
            built.predict(one).positions for one in (some, some._replace(state=some.state + torch.tensor([9.0, 0, 0])))
        )
    assert not torch.allclose(before, after)


def test_from_constant_velocity_the_net_says_the_departure() -> None:
    built = system(2, 2).eval()
    some = inputs(3)
    with torch.no_grad():
        from_agent = built.predict(some).positions
        built.net.reference = "constant-velocity"
        from_velocity = built.predict(some).positions
    torch.testing.assert_close(from_velocity, from_agent + some.steady[:, None])


def test_with_the_relu_of_the_devkit_on_its_last_layer_no_position_lies_behind() -> None:
    net = catalog.build("mtp", backbone="resnet20", width=4, hidden=16, relu="last").eval()
    with torch.no_grad():
        assert (net(torch.randn(4, 3, 16, 16)) >= 0).all()
    with pytest.raises(SettingsError, match="relu 'both': choices are hidden, last, none"):
        catalog.build("mtp", backbone="resnet20", relu="both")


def test_without_a_relu_the_head_is_one_linear_map() -> None:
    net = catalog.build("mtp", backbone="resnet20", width=4, hidden=16, relu="none").eval()
    some = inputs(4)
    pictures = some.images.float() / 255
    doubled, single, none = (net(pictures, some._replace(state=factor * some.state)) for factor in (2.0, 1.0, 0.0))
    torch.testing.assert_close(doubled - none, 2 * (single - none), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("values", [{"angle_deg": 181.0}, {"regression_weight": -1.0}, {"regression_weight": math.inf}])
def test_a_loss_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        MTPLoss(**values)


def test_dropout_leaves_hidden_features_out_in_training_alone() -> None:
    net = catalog.build("mtp", backbone="resnet20", width=4, hidden=64, dropout=0.5).eval()
    pictures = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(net(pictures), net(pictures))
        net.dropout.train()
        assert not torch.equal(net(pictures), net(pictures))
    with pytest.raises(SettingsError, match="dropout probability has to be between 0 and 1"):
        catalog.build("mtp", backbone="resnet20", dropout=7.0)


def test_its_losses_are_one_graph() -> None:
    built, some = system(2, 2), inputs(3)
    truth = MotionTargets(torch.randn(3, 2, 2), torch.ones(3, 2), torch.rand(3))
    batch = Batch(some, truth, torch.arange(3))
    expected = built.eval().losses(batch).terms
    traced = torch.compile(built.losses, fullgraph=True, backend="eager")(batch).terms
    for name, term in expected.items():
        torch.testing.assert_close(traced[name].total, term.total)
