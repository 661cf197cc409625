"""Plots of errors by horizon, by speed and by manoeuvre, and of the calibration of probabilities."""

from collections.abc import Callable, Sequence

import numpy as np

from resvision.kinds.kind import Line, Plot
from resvision.kinds.motion.baselines import CONSTANT_VELOCITY
from resvision.kinds.motion.manoeuvres import BRAKING_MPS2, STOPPED_M, TURN_DEG
from resvision.kinds.motion.metrics import MODES_COUNTED
from resvision.kinds.motion.scores import GroupErrors, HorizonErrors, MotionScores, SystemErrors

_COLOURS = ("#0b62c4", "#343a40", "#2b8a3e", "#b08800", "#9c36b5")
"""Colours of the run, of constant velocity and of the other baselines, in their order."""
_BEST = "#74a9e8"

_RULES = {
    "speed": ". The speed is the mean over the last half second that is seen",
    "manoeuvre": (
        f". A vehicle is stopped that moves less than {STOPPED_M:g} m; a turn is a course that differs at the end by"
        f" {TURN_DEG:g} degrees or more; a lane change crosses borders of lanes to one side more often than to the"
        f" other; braking is a speed that falls by {BRAKING_MPS2:g} m/s or more in a second"
    ),
}


def plots(scores: MotionScores) -> list[Plot]:
    """Errors by horizon, by speed and by manoeuvre; the calibration, of a system with several modes."""
    distance = (
        "The distance of the most probable trajectory. The physics oracle is no prediction: of four models of motion it"
        " is the one that the truth shows to be the best"
    )
    final = _by_horizon(scores, "FDE", lambda at: at.min_fde[0], distance)
    squared = "The root of the mean squared distance of the most probable trajectory, as tables of NGSIM have it"
    return [
        final._replace(lines=(*final.lines, *_best_of_five(scores))),
        _by_horizon(scores, "RMSE", lambda at: at.rmse, squared),
        _by_group(scores, "speed", lambda system: system.speeds),
        _by_group(scores, "manoeuvre", lambda system: system.manoeuvres),
        *_calibration(scores),
    ]


def _by_horizon(scores: MotionScores, name: str, figure: Callable[[HorizonErrors], float], caption: str) -> Plot:
    lines = [
        _line(system, colour, [at.seconds for at in system.horizons], [figure(at) for at in system.horizons], scores)
        for system, colour in _coloured(scores)
    ]
    return Plot(f"{name} by horizon", ("horizon", name), tuple(lines), caption, ("s", "m"))


def _best_of_five(scores: MotionScores) -> list[Line]:
    """The run's least final error among the five most probable trajectories, where it has several."""
    if scores.modes == 1:
        return []
    horizons, row = scores.net.horizons, MODES_COUNTED.index(5)
    seconds, errors = [at.seconds for at in horizons], [at.min_fde[row] for at in horizons]
    return [Line("this run, best of 5", np.array(seconds), np.array(errors), _BEST)]


def _by_group(scores: MotionScores, noun: str, groups: Callable[[SystemErrors], Sequence[GroupErrors]]) -> Plot:
    """The final error for each group of windows, with their number in its name."""
    lines = [
        _line(system, colour, range(len(groups(system))), [group.min_fde[0] for group in groups(system)], scores)
        for system, colour in _coloured(scores)
    ]
    ticks = tuple(f"{group.name} ({group.windows:,})" for group in groups(scores.net))
    caption = f"FDE at {scores.horizon_seconds:g} s of the most probable trajectory; the number of windows in brackets"
    caption += _RULES.get(noun, "")
    return Plot(f"FDE by {noun}", (noun, "FDE"), tuple(lines), caption, ("", "m"), ticks)


def _calibration(scores: MotionScores) -> list[Plot]:
    if scores.modes == 1:
        return []
    said, came = ([getattr(row, name) for row in scores.calibration] for name in ("probability", "nearest"))
    ends = np.array([0.0, 1.0])
    lines = (
        Line("this run", np.array(said), np.array(came), _COLOURS[0], bold=True),
        Line("as it should be", ends, ends, _COLOURS[1]),
    )
    caption = (
        "Of the modes that are said to have a probability, the share that came nearest to the truth of all modes of"
        " their window"
    )
    return [Plot("Calibration of the modes", ("probability", "nearest to the truth"), lines, caption)]


def _coloured(scores: MotionScores) -> list[tuple[SystemErrors, str]]:
    return [(system, _COLOURS[row % len(_COLOURS)]) for row, system in enumerate(scores.systems)]


def _line(system: SystemErrors, colour: str, x: Sequence[float], y: Sequence[float], scores: MotionScores) -> Line:
    bold = system is scores.net or system.name == CONSTANT_VELOCITY
    return Line(system.name, np.array(x, dtype=np.float64), np.array(y), colour, bold)
