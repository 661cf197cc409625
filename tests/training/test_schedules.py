import pytest
from hypothesis import given
from hypothesis import strategies as st

from resvision.training.schedules import Schedule

CIFAR = Schedule(kind="step", milestones=(0.5, 0.75), gamma=0.1)
SHAPES = [
    Schedule(kind="constant"),
    CIFAR,
    Schedule(kind="cosine", warmup=0.1),
    Schedule(kind="one-cycle", warmup=0.2),
    Schedule(kind="poly"),
]


@pytest.mark.parametrize(
    ("iteration", "lr"), [(0, 0.1), (31_999, 0.1), (32_000, 0.01), (48_000, 0.001), (63_999, 0.001)]
)
def test_the_cifar_schedule_drops_at_32k_and_48k(iteration: int, lr: float) -> None:
    assert 0.1 * CIFAR.factor(iteration / 64_000) == pytest.approx(lr)


@pytest.mark.parametrize(("iteration", "lr"), [(0, 0.01), (399, 0.01), (400, 0.1), (32_000, 0.01)])
def test_the_warm_start_of_depth_110_lasts_400_iterations(iteration: int, lr: float) -> None:
    warm = Schedule(
        kind="step", milestones=(0.5, 0.75), warmup=400 / 64_000, warmup_factor=0.1, warmup_shape="constant"
    )
    assert 0.1 * warm.factor(iteration / 64_000) == pytest.approx(lr)


def test_one_cycle_rises_to_its_peak_and_falls_to_zero() -> None:
    cycle = Schedule(kind="one-cycle", warmup=0.2)
    assert [cycle.factor(p) for p in (0, 0.1, 0.2, 0.6)] == pytest.approx([0, 0.5, 1, 0.5])
    assert cycle.factor(1 - 1e-9) == pytest.approx(0, abs=1e-6)


def test_poly_halfway_is_the_known_answer() -> None:
    assert Schedule(kind="poly", power=0.9).factor(0.5) == pytest.approx(0.535887, abs=1e-6)


def test_cosine_is_half_way_down_at_half_time() -> None:
    assert Schedule(kind="cosine", final_factor=0.1).factor(0.5) == pytest.approx(0.55)


@given(st.sampled_from(SHAPES), st.floats(0, 1, exclude_max=True))
def test_every_factor_lies_between_zero_and_one(schedule: Schedule, progress: float) -> None:
    assert 0 <= schedule.factor(progress) <= 1


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "step"}, {"kind": "step", "milestones": (0.75, 0.5)}, {"kind": "cosine", "warmup": 1.0}],
)
def test_a_schedule_that_cannot_work_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"milestones|warmup"):
        Schedule(**wrong)
