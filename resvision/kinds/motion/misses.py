"""Windows that a system misses. There are three rules, so a miss rate is named by rule, threshold, horizon and k.

    pointwise  nuScenes': no mode stays within 2 m over the whole horizon; its code counts exactly 2 m as missed, as
               here, where its README says "greater" (Caesar et al. 2020, arXiv:1903.11027)
    endpoint   Argoverse's: no mode ends within 2 m; exactly 2 m is no miss (Chang et al. 2019, arXiv:1911.02620)
    waymo      Waymo's: no mode ends within a threshold along the true heading and one across it, of 2 and 1 m at 3 s,
               3.6 and 1.8 m at 5 s, 6 and 3 m at 8 s, half of that for vehicles slower than 1.4 m/s, the whole from
               11 m/s on (Ettinger et al. 2021, arXiv:2104.10133)

Glossary
    n  windows
    M  modes
    S  horizons
    K  the entries of MODES_COUNTED
"""

from collections.abc import Sequence

import numpy as np

from resvision.kinds.motion.metrics import MODES_COUNTED, AnyFloats, Floats, Horizon, Truth, least_of_first

THRESHOLD_M = 2.0
"""That of nuScenes and of Argoverse."""
WAYMO_M = {3.0: (2.0, 1.0), 5.0: (3.6, 1.8), 8.0: (6.0, 3.0)}
"""Waymo's thresholds along and across the true heading, by the seconds of the horizons at which it judges."""
WAYMO_SLOW, WAYMO_FAST = 1.4, 11.0
"""Speeds in metres a second up to which Waymo's thresholds are halved, and from which on they are whole."""


def waymo_ratios(
    positions: AnyFloats, probabilities: AnyFloats, truth: Truth, horizons: Sequence[Horizon], speeds: Floats
) -> Floats:
    """The least ratio of an offset to Waymo's threshold among the k most probable modes, (n, S, K); above 1 is missed.

    speeds  (n,) metres a second at the last observed frame

    NaN at horizons at which Waymo does not judge, and where the true place is not known.
    """
    ratios = np.full((len(positions), len(horizons), len(MODES_COUNTED)), np.nan)
    scales = np.interp(speeds, (WAYMO_SLOW, WAYMO_FAST), (0.5, 1.0))[:, None]
    for row, horizon in enumerate(horizons):
        if horizon.seconds not in WAYMO_M:
            continue
        step, (along_m, across_m) = horizon.steps - 1, WAYMO_M[horizon.seconds]
        offsets = positions[:, :, step] - truth.positions[:, None, step]
        heading = truth.headings[:, step, None]
        along = offsets[..., 0] * np.cos(heading) + offsets[..., 1] * np.sin(heading)
        across = offsets[..., 1] * np.cos(heading) - offsets[..., 0] * np.sin(heading)
        worse = np.maximum(np.abs(along) / along_m, np.abs(across) / across_m) / scales
        known = truth.present[:, step, None]
        ratios[:, row] = np.where(known, least_of_first(worse[..., None], probabilities)[:, 0], np.nan)
    return ratios


def miss_rates(largest: AnyFloats, final: AnyFloats, waymo: AnyFloats, seconds: float) -> dict[str, float]:
    """The shares of windows that are missed at one horizon, by their names, from errors (n, K)."""
    end = f"{seconds:g}s"
    rules = {
        f"miss_pointwise_{THRESHOLD_M:g}m_{end}": (largest, largest >= THRESHOLD_M),
        f"miss_endpoint_{THRESHOLD_M:g}m_{end}": (final, final > THRESHOLD_M),
        f"miss_waymo_{end}": (waymo, waymo > 1),
    }
    return {
        f"{rule}_k{k}": float(missed[known, column].mean())
        for rule, (errors, missed) in rules.items()
        for column, k in enumerate(MODES_COUNTED)
        if (known := ~np.isnan(errors[:, column])).any()
    }
