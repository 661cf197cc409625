"""Scores of motion in words and tables; constant velocity stands in every one."""

from collections.abc import Callable, Sequence
from math import nan

from resvision.core.plurals import counted
from resvision.kinds.kind import ClassRow, ClassTable, Table, Written
from resvision.kinds.motion.metrics import MODES_COUNTED
from resvision.kinds.motion.scores import GroupErrors, HorizonErrors, MotionScores
from resvision.kinds.terminal_tables import as_text

SYSTEM = "system"
DRIVEN = "as it was driven"
"""The row of the vehicles themselves."""
LOSES = "loses"
"""Beside what constant velocity does better."""


def verdict(scores: MotionScores) -> str:
    """`14.2% lower FDE`, or that the run loses."""
    if scores.loses:
        return f"loses: {-scores.gain:.1%} higher FDE"
    return f"{scores.gain:.1%} lower FDE" if scores.gain else "the same FDE"


def sentence(scores: MotionScores, data: str) -> str:
    """`is 2.31 m off after 3 s, on average over 4,200 test windows (constant velocity is 2.58 m off: ...)`."""
    final, baseline = scores.net.whole.min_fde[0], scores.constant_velocity.whole.min_fde[0]
    against = "it loses" if scores.loses else verdict(scores)
    return (
        f"is {final:.2f} m off after {scores.horizon_seconds:g} s, on average over"
        f" {counted(scores.windows, 'test window')}{data} (constant velocity is {baseline:.2f} m off: {against})"
    )


def for_terminal(scores: MotionScores) -> list[Table]:
    """The tables of the page as text."""
    return [as_text(table) for table in for_page(scores)]


def for_page(scores: MotionScores) -> list[ClassTable]:
    """Tables of all systems: over the whole prediction, by horizon, misses, lanes, speed and manoeuvre."""
    by_horizon = (
        ("FDE by horizon, m", lambda at: at.min_fde[0]),
        ("ADE by horizon, m", lambda at: at.min_ade[0]),
        ("RMSE by horizon, m", lambda at: at.rmse),
    )
    return [
        _whole(scores),
        *(_by_horizon(scores, title, figure) for title, figure in by_horizon),
        _misses(scores),
        *_off_road(scores),
        _by_group(scores, "speed", [system.speeds for system in scores.systems]),
        _by_group(scores, "manoeuvre", [system.manoeuvres for system in scores.systems]),
        *_calibration(scores),
    ]


def _whole(scores: MotionScores) -> ClassTable:
    """All errors over the whole prediction."""
    counted_modes = [k for k in MODES_COUNTED if f"min_fde_{k}" in scores.figures()]
    names = ["ADE", "FDE", *(f"min{error}_{k}" for k in counted_modes[1:] for error in ("ADE", "FDE")), "RMSE", "NLL"]

    def errors(at: HorizonErrors) -> list[float]:
        pairs = [*zip(at.min_ade, at.min_fde, strict=True)][: len(counted_modes)]
        return [*(value for pair in pairs for value in pair), at.rmse, at.nll]

    rows = [errors(system.whole) for system in scores.systems]
    return _table(scores, rows, names, f"Errors over {scores.horizon_seconds:g} s, m; NLL has no unit")


def _by_horizon(scores: MotionScores, title: str, figure: Callable[[HorizonErrors], float]) -> ClassTable:
    rows = [[figure(at) for at in system.horizons] for system in scores.systems]
    return _table(scores, rows, [f"{at.seconds:g} s" for at in scores.net.horizons], title)


def _misses(scores: MotionScores) -> ClassTable:
    """The shares that are missed, of the most probable mode and of the best of five where there are more."""
    counted_modes = {"1"} if scores.modes == 1 else {"1", "5"}
    names = [name for name in scores.net.whole.misses if name.rpartition("_k")[2] in counted_modes]
    rows = [
        (_miss_words(name), scores.net.whole.windows, [system.whole.misses[name] for system in scores.systems])
        for name in names
    ]
    return _beside(scores, rows, "missed", f"Missed windows within {scores.horizon_seconds:g} s", written="percent")


def _miss_words(name: str) -> str:
    """`miss_pointwise_2m_3s_k5` as `pointwise, 2 m, 3 s, best of 5`."""
    rule, *threshold, horizon, modes = name.removeprefix("miss_").split("_")
    chosen = "most probable" if modes == "k1" else f"best of {modes[1:]}"
    return ", ".join([rule, *(f"{one.removesuffix('m')} m" for one in threshold), f"{horizon[:-1]} s", chosen])


def _off_road(scores: MotionScores) -> list[ClassTable]:
    """The shares that leave the lanes, where any are known."""
    if scores.driven_off_road is None:
        return []
    rows = [[system.whole.off_road, system.whole.modes_off_road] for system in scores.systems]
    title = f"Off the lanes within {scores.horizon_seconds:g} s"
    table = _table(scores, rows, ["most probable", "all modes"], title, written="percent")
    driven = ClassRow(DRIVEN, scores.windows, (scores.driven_off_road,) * 2)
    return [table._replace(rows=[*table.rows, driven])]


def _by_group(scores: MotionScores, noun: str, groups: Sequence[Sequence[GroupErrors]]) -> ClassTable:
    """The final errors of all systems for each group of windows; `groups` are those of each system, all alike."""
    rows = [(mine[0].name, mine[0].windows, [group.min_fde[0] for group in mine]) for mine in zip(*groups, strict=True)]
    return _beside(scores, rows, noun, f"FDE at {scores.horizon_seconds:g} s by {noun}, m")


def _beside(
    scores: MotionScores,
    rows: Sequence[tuple[str, int, Sequence[float]]],
    noun: str,
    title: str,
    *,
    written: Written = "hundredths",
) -> ClassTable:
    """A table of a column for each system, from the name of each row, its windows and the figures of all systems."""
    steady = scores.systems.index(scores.constant_velocity)
    shown = [
        ClassRow(f"{name} ({LOSES})" if values[0] > values[steady] else name, windows, tuple(values))
        for name, windows, values in rows
    ]
    headings = ("windows", *(system.name for system in scores.systems))
    return ClassTable(headings, shown, title=title, noun=noun, written=(written,) * len(scores.systems))


def _calibration(scores: MotionScores) -> list[ClassTable]:
    """The probabilities of the modes, and how often they came true, of a system with several."""
    if scores.modes == 1:
        return []
    rows = [
        ClassRow(f"{row.least:.0%} to {row.most:.0%}", row.modes, (row.probability, row.nearest))
        for row in scores.calibration
    ]
    headings = ("modes", "mean probability", "nearest to the truth")
    return [ClassTable(headings, rows, title="Probabilities of the modes", noun="probability")]


def _table(
    scores: MotionScores,
    rows: Sequence[Sequence[float | None]],
    names: Sequence[str],
    title: str,
    *,
    written: Written = "hundredths",
) -> ClassTable:
    """A table of a row for each system, in which the run is said to lose where it does: in all columns, or in some."""
    steady = rows[scores.systems.index(scores.constant_velocity)]
    shown = [
        ClassRow(system.name, system.whole.windows, tuple(nan if value is None else value for value in values))
        for system, values in zip(scores.systems, rows, strict=True)
    ]
    lost = [
        name for name, mine, its in zip(names, shown[0].shares, steady, strict=True) if its is not None and mine > its
    ]
    if lost:
        where = LOSES if len(lost) == len(names) else f"{LOSES}: {', '.join(lost)}"
        shown[0] = shown[0]._replace(name=f"{shown[0].name} ({where})")
    return ClassTable(("windows", *names), shown, title=title, noun=SYSTEM, written=(written,) * len(names))
