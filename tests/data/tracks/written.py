"""Recordings as files, for tests: CommonRoad's XML, Argoverse's parquet and JSON, and CSV."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LANE = {"left": [(-50.0, 2.0), (250.0, 2.0)], "right": [(-50.0, -2.0), (250.0, -2.0)]}


def driven(seed: int, frames: int = 60, *, frame_seconds: float = 0.1, y: float = 0.0) -> Floats:
    """A path along x, (F, 2), whose speeds no other seed has: 8 to 14 m/s, never the same for two steps."""
    draws = np.random.default_rng(seed)
    accelerations = draws.uniform(-3, 3, frames)
    speeds = np.clip(11 + frame_seconds * np.cumsum(accelerations), 8, 14) + draws.uniform(-0.05, 0.05, frames)
    x = np.concatenate([[0.0], np.cumsum(speeds[1:] * frame_seconds)])
    return np.column_stack([x, np.full(frames, y)])


def state(tag: str, frame: int, x: float, y: float, heading: float = 0.0, speed: float | None = None) -> str:
    """A state of CommonRoad."""
    speed_tag = "" if speed is None else f"<velocity><exact>{speed}</exact></velocity>"
    return (
        f"<{tag}><position><point><x>{x}</x><y>{y}</y></point></position>"
        f"<orientation><exact>{heading}</exact></orientation><time><exact>{frame}</exact></time>{speed_tag}</{tag}>"
    )


def obstacle(name: str, path: Floats, *, first: int = 0, kind: str = "car", version: str = "2020a") -> str:
    """A moving obstacle of CommonRoad, 4.5 x 1.8 m."""
    tag, role = ("obstacle", "<role>dynamic</role>") if version == "2018b" else ("dynamicObstacle", "")
    states = [
        state("initialState" if number == 0 else "state", first + number, x, y)
        for number, (x, y) in enumerate(path.tolist())
    ]
    return (
        f'<{tag} id="{name}">{role}<type>{kind}</type>'
        "<shape><rectangle><length>4.5</length><width>1.8</width></rectangle></shape>"
        f"{states[0]}<trajectory>{''.join(states[1:])}</trajectory></{tag}>"
    )


def lanelet(lane: Mapping[str, Sequence[tuple[float, float]]] = LANE) -> str:
    """A lane of CommonRoad."""
    bounds = (
        f"<{side}Bound>{''.join(f'<point><x>{x}</x><y>{y}</y></point>' for x, y in points)}</{side}Bound>"
        for side, points in lane.items()
    )
    return f'<lanelet id="1">{"".join(bounds)}</lanelet>'


def scenario(
    *parts: str, version: str = "2020a", step: str = 'timeStepSize="0.1"', name: str = "TST_Road-1_1_T-1"
) -> str:
    """A document of CommonRoad, a part a line from the third."""
    head = f'<commonRoad commonRoadVersion="{version}" benchmarkID="{name}" {step}>'
    return "\n".join(['<?xml version="1.0"?>', head, *parts, "</commonRoad>"])


def commonroad(folder: Path, recordings: Mapping[str, int], *, frames: int = 60) -> Path:
    """A folder with a scenario of two cars for each name, whose cars follow from its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in recordings.items():
        cars = [obstacle(str(seed * 2 + lane), driven(seed * 2 + lane, frames, y=4.0 * lane)) for lane in (0, 1)]
        (folder / f"{name}.xml").write_text(scenario(lanelet(), *cars, name=name))
    return folder


def csv(path: Path, scenes: Mapping[str, Mapping[str, Floats]], *, header: str = "", also: str = "") -> Path:
    """A table of tracks: vehicles by scene and name. `also` is added to each row, `{frame}` being its frame."""
    rows = [header or "scene,track,frame,x,y,heading,length,width"]
    for scene, vehicles in scenes.items():
        for vehicle, track in vehicles.items():
            for frame, (x, y) in enumerate(track.tolist()):
                rows.append(f"{scene},{vehicle},{frame},{x},{y},0,4.5,1.8{also.format(frame=frame)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def argoverse(
    folder: Path,
    name: str,
    *,
    seed: int = 0,
    frames: int = 110,
    changed: Mapping[str, object] = {},
    jump_m: float = 0.0,
) -> Path:
    """A scenario of Argoverse with a focal car, another car, a pedestrian and a cone, and a map of a lane.

    jump_m  by which the focal car jumps after half of the frames
    """
    import pyarrow
    from pyarrow import parquet

    kinds = {"focal": "vehicle", "other": "vehicle", "walker": "pedestrian", "cone": "construction"}
    columns: dict[str, list[object]] = {
        key: []
        for key in (
            "scenario_id", "track_id", "object_type", "object_category", "timestep", "position_x", "position_y",
            "heading", "velocity_x", "velocity_y", "focal_track_id", "city",
        )
    }  # fmt: skip
    for number, (track, kind) in enumerate(kinds.items()):
        path = driven(seed * 4 + number, frames, y=4.0 * number)
        path[frames // 2 :, 1] += jump_m if track == "focal" else 0.0
        for frame in range(frames if track == "focal" else frames // 2):
            speed = float(np.diff(path[:, 0])[min(frame, frames - 2)] * 10)
            row = (name, track, kind, 3, frame, *path[frame].tolist(), 0.0, speed, 0.0, "focal", "here")
            for key, value in zip(columns, row, strict=True):
                columns[key].append(changed.get(key, value))
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), place / f"scenario_{name}.parquet")
    borders = {f"{side}_lane_boundary": [{"x": x, "y": y, "z": 0.0} for x, y in LANE[side]] for side in LANE}
    (place / f"log_map_archive_{name}.json").write_text(json.dumps({"lane_segments": {"1": {"id": 1, **borders}}}))
    return place / f"scenario_{name}.parquet"
