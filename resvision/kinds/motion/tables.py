"""Scores of motion in words and tables; constant velocity stands in every one."""

from resvision.core.plurals import counted
from resvision.kinds.kind import Table
from resvision.kinds.motion.metrics import MODES_COUNTED
from resvision.kinds.motion.scores import MotionScores


def verdict(scores: MotionScores) -> str:
    """`14.2 % lower FDE`, or that the run loses."""
    if scores.gain > 0:
        return f"{scores.gain:.1%} lower FDE"
    return f"loses: {-scores.gain:.1%} higher FDE" if scores.gain < 0 else "the same FDE"


def sentence(scores: MotionScores, data: str) -> str:
    """`comes within 2.31 m of the true place after 3 s ...`."""
    final, baseline = scores.net.whole.min_fde[0], scores.constant_velocity.whole.min_fde[0]
    windows = counted(scores.windows, "test window")
    against = "which it loses to" if final > baseline else verdict(scores)
    return (
        f"is {final:.2f} m off after {scores.horizon_seconds:g} s, on average over {windows}{data} (constant velocity"
        f" is {baseline:.2f} m off: {against})"
    )


def for_terminal(scores: MotionScores) -> list[Table]:
    """Tables of all systems by horizon and by speed."""
    return [_by_horizon(scores), *_by_group(scores)]


def _by_horizon(scores: MotionScores) -> Table:
    named = [f"min{error}_{k}" for k in MODES_COUNTED for error in ("ADE", "FDE")]
    numbers = ("windows", *named, "RMSE", "NLL")
    rows = [
        (
            system.name,
            f"{at.seconds:g} s",
            f"{at.windows:,}",
            *(f"{value:.2f}" for pair in zip(at.min_ade, at.min_fde, strict=True) for value in pair),
            f"{at.rmse:.2f}",
            f"{at.nll:.2f}",
        )
        for system in scores.systems
        for at in system.horizons
    ]
    return Table(("system", "horizon", *numbers), rows, numbers, "Errors by horizon, m")


def _by_group(scores: MotionScores) -> list[Table]:
    rows = [
        (system.name, group.name, f"{group.windows:,}", f"{group.ade:.2f}", f"{group.fde:.2f}")
        for system in scores.systems
        for group in system.speeds
    ]
    numbers = ("windows", "ADE", "FDE")
    return [
        Table(("system", "speed", *numbers), rows, numbers, f"Errors over {scores.horizon_seconds:g} s by speed, m")
    ]
