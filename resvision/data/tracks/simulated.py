"""Traffic of our own short simulation, named as what it is; nothing needs to be downloaded.

Each recording is a road of its own, straight or bent, of two to four lanes, on which cars and a few trucks follow the
intelligent-driver model and change lanes (`data.tracks.driver_model`): they brake before bends, queue up, overtake. The
traffic goes round a ring of which the road is a part; a vehicle that comes round again is another track. A recording
follows from its number alone.

What it teaches is how these models drive, not how people do: use it to try things out, never to say how good a net is.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resvision.core.draws import uniform
from resvision.data.fault_kinds import Ledger
from resvision.data.splits import Splits
from resvision.data.tracks.driver_model import Traffic
from resvision.data.tracks.reader import TrackReader
from resvision.data.tracks.road_shape import RoadShape, Section
from resvision.data.tracks.scan import Gathered, TrackScan
from resvision.kinds.motion.scenes import Flags, Floats, Scene

NAME = "traffic-simulated"
SEED = 16
RECORDINGS = {"train": range(8), "val": range(50, 52), "test": range(100, 103)}
RULE = "by recording: 8 train, 2 val, 3 test, each with a road of its own"
FRAME_SECONDS = 0.1
FRAMES = 200
UNSEEN_FRAMES = 150
"""Frames before the recording, in which the traffic finds its order."""
MOOD_FRAMES = 40
"""Frames for which a driver dawdles or does not."""
HIDDEN_M = 60.0
"""The stretch of the ring beyond the recorded road."""
TRUCKS = 0.1
"""Share of trucks."""
SWAY_M = 0.15
"""How far cars sway about the middle of their lane, to either side."""


class Way(NamedTuple):
    """The vehicles of a ring over all frames of a recording.

    s, offsets, speeds  (F, V) metres along the ring, metres to the left of the middle, metres a second
    """

    s: Floats
    offsets: Floats
    speeds: Floats


def open_splits(root: Path | None = None) -> Splits:
    """Windows of 8 recordings to train on, 2 to validate with and 3 to test with; `root` is not needed."""
    train, validation, test = (TrackReader(name=NAME, split=split, scenes=scenes(split)) for split in RECORDINGS)
    return Splits(train, test, RULE, validation)


def scan(root: Path | None = None) -> TrackScan:
    """The same splits with the faults of their tracks; `root` is not needed."""
    splits: dict[str, Sequence[Scene]] = {split: scenes(split) for split in ("train", "test", "val")}
    return Gathered(folder=Path(NAME), shown=NAME, ledger=Ledger(), splits=splits, rule=RULE).scan()


@cache
def scenes(split: str) -> tuple[Scene, ...]:
    """The recordings of a split: train, val or test."""
    return tuple(simulated(number) for number in RECORDINGS[split])


def simulated(number: int) -> Scene:
    """Recording `number`: 20 s at 10 frames a second of about 20 to 45 vehicles on 260 to 340 m of road."""
    road = _road(number)
    traffic = _traffic(road, number)
    counters = 1000 * number + np.arange(len(traffic.s), dtype=np.int64)
    steps = UNSEEN_FRAMES + FRAMES
    draws = uniform(SEED, 1, counters, 3 * steps).reshape(-1, steps, 3)
    draws[:, :, 2] = np.repeat(draws[:, ::MOOD_FRAMES, 2], MOOD_FRAMES, axis=1)[:, :steps]
    states = []
    for frame in range(steps):
        traffic.step(FRAME_SECONDS, draws[:, frame])
        if frame >= UNSEEN_FRAMES:
            states.append((traffic.s, traffic.offsets(), traffic.speeds))
    way = Way(*(np.array(values) for values in zip(*states, strict=True)))
    return _scene(number, road, traffic, way)


def _road(number: int) -> RoadShape:
    """The road of a recording: straights and bends of 50 to 200 m radius; every fourth one is straight."""
    draws = uniform(SEED, 0, np.array([number]), 16)[0]
    lanes = 2 + number % 3
    if number % 4 == 0:
        return RoadShape([Section(300)], lanes=lanes, heading=6.28 * draws[0])
    sections = [Section(40 + 60 * draws[1])]
    for bend in range(2):
        sign = 1 if draws[2 + 4 * bend] < 0.5 else -1
        sections.append(Section(50 + 50 * draws[3 + 4 * bend], sign / (50 + 150 * draws[4 + 4 * bend])))
        sections.append(Section(30 + 30 * draws[5 + 4 * bend]))
    return RoadShape(sections, lanes=lanes, heading=6.28 * draws[0])


def _traffic(road: RoadShape, number: int) -> Traffic:
    """Vehicles of a recording, spread over the lanes of its ring."""
    ring = road.length + HIDDEN_M
    density = 24 + 20 * uniform(SEED, 0, np.array([number]), 17)[0, 16]  # metres of a lane for each vehicle
    in_lane = int(ring / density)
    count = in_lane * road.lanes
    draws = uniform(SEED, 0, 1000 * (number + 1) + np.arange(count), 7)
    truck = draws[:, 0] < TRUCKS
    lanes = np.repeat(np.arange(road.lanes), in_lane)
    s = (np.tile(np.arange(in_lane), road.lanes) + 0.3 * draws[:, 1]) * (ring / in_lane)
    return Traffic(
        road=road,
        ring=ring,
        s=s,
        speeds=np.full(count, 6.0),
        lengths=np.where(truck, 9 + 5 * draws[:, 2], 4 + draws[:, 2]),
        wished=np.where(truck, 10 + 4 * draws[:, 3], 9 + 11 * draws[:, 3]),
        headways=0.9 + 0.9 * draws[:, 4],
        strengths=np.where(truck, 0.7, 1.0 + draws[:, 5]),
        durations=3 + 2 * draws[:, 6],
        lanes=lanes,
    )


def _scene(number: int, road: RoadShape, traffic: Traffic, way: Way) -> Scene:
    """The recorded road's part of a way around the ring, each passage of a vehicle as a track of its own."""
    passage = np.cumsum(np.diff(way.s, axis=0, prepend=way.s[:1]) < 0, axis=0)
    on_road = way.s <= road.length
    tracks = [(vehicle, lap) for vehicle in range(way.s.shape[1]) for lap in range(int(passage[-1, vehicle]) + 1)]
    present = np.array([on_road[:, vehicle] & (passage[:, vehicle] == lap) for vehicle, lap in tracks])
    seen = np.flatnonzero(present.any(axis=1))
    tracks, present = [tracks[number] for number in seen], present[seen]
    who = np.array([vehicle for vehicle, _ in tracks])
    positions, headings = _poses(road, way)
    lengths = traffic.lengths[who]
    truck = lengths > 8
    name = f"{NAME}-{number:03d}"
    return Scene(
        name=name,
        source=name,
        recording=name,
        frame_seconds=FRAME_SECONDS,
        vehicles=tuple(f"{vehicle}.{lap}" for vehicle, lap in tracks),
        kinds=tuple("truck" if is_truck else "car" for is_truck in truck),
        present=present,
        positions=_where(present, positions[:, who].transpose(1, 0, 2)),
        headings=_where(present, headings[:, who].T),
        speeds=_where(present, way.speeds[:, who].T),
        sizes=np.stack([lengths, np.where(truck, 2.5, 1.8)], axis=1),
        lanes=road.as_lanes(),
    )


def _poses(road: RoadShape, way: Way) -> tuple[Floats, Floats]:
    """Positions (F, V, 2) and headings (F, V) in the world."""
    s = way.s.clip(max=road.length)
    sway = SWAY_M * np.sin(s / 15 + np.arange(s.shape[1]))
    positions = road.points(s, way.offsets + sway)
    forward = np.maximum(way.speeds, 1.0)
    sideways = np.gradient(way.offsets, FRAME_SECONDS, axis=0)
    slopes = np.arctan2(sideways, forward) + np.arctan(SWAY_M / 15 * np.cos(s / 15 + np.arange(s.shape[1])))
    return positions, road.headings(s) + slopes


def _where(present: Flags, values: Floats) -> Floats:
    """The values where a vehicle is present, 0 elsewhere."""
    mask = present if values.ndim == 2 else present[..., None]
    return np.asarray(np.where(mask, values, 0.0))
