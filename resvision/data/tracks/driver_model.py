"""Drivers who keep their distance and change lanes, on a ring of parallel lanes.

Acceleration is the intelligent-driver model's (Treiber, Hennecke, Helbing 2000,
https://arxiv.org/abs/cond-mat/0002177), lane changes follow MOBIL (Kesting, Treiber, Helbing 2007,
https://doi.org/10.3141/1999-10). Ours: a driver's wished speed is at most what the road's bends allow, and he brakes
comfortably where he is faster; his acceleration wavers a little; now and then one dawdles; while he changes lanes, he
heeds the leaders of both.

Glossary
    V  vehicles
    s  metres along the ring, of their fronts' middle; the ring is long enough for all lanes
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from resvision.data.tracks.road_shape import RoadShape
from resvision.kinds.motion.scenes import Floats

Ints = NDArray[np.int64]

STANDING_GAP = 2.0
"""Metres between vehicles that stand."""
BRAKING = 2.0
"""Comfortable deceleration, metres a second squared."""
HARDEST = 8.0
"""The deceleration that no driver exceeds, metres a second squared."""
SAFE = 3.0
"""The deceleration that a lane change may ask of the one behind, metres a second squared."""
GAIN = 0.2
"""The least gain of acceleration for which a lane is changed, metres a second squared."""
POLITENESS = 0.3
"""The weight of the acceleration that others lose by a lane change."""
WAVERING = 0.25
"""The standard deviation of accelerations around the model's, metres a second squared, which drifts over a second."""
DAWDLERS, DAWDLING = 0.06, 0.3
"""The share of drivers who dawdle at a time, and the share of their wished speed at which they do."""
PAUSE_S = 4.0
"""The least time between a driver's lane changes."""


@dataclass
class Traffic:
    """The vehicles of a ring at one moment; `step` takes them to the next.

    s, speeds         (V,) metres, metres a second
    lengths           (V,) metres
    wished, headways  (V,) speed in metres a second, time to the leader in seconds
    strengths         (V,) greatest acceleration in metres a second squared
    durations         (V,) seconds that a lane change takes
    lanes, before     (V,) the lane that each drives or changes to, and the one that it comes from
    since             (V,) seconds since the last change of lanes began
    """

    road: RoadShape
    ring: float
    s: Floats
    speeds: Floats
    lengths: Floats
    wished: Floats
    headways: Floats
    strengths: Floats
    durations: Floats
    lanes: Ints
    before: Ints = field(init=False)
    since: Floats = field(init=False)
    drift: Floats = field(init=False)
    _wishes: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.lanes.copy()
        self.since = np.full(len(self.s), 60.0)
        self.drift = np.zeros(len(self.s))
        self._wishes = self.wished

    def step(self, seconds: float, draws: Floats) -> None:
        """Move all by `seconds`; draws (V, 3) in 0..1 waver accelerations and say who thinks of his lane or dawdles."""
        self._wishes = np.minimum(
            self.wished * np.where(draws[:, 2] < DAWDLERS, DAWDLING, 1.0),
            self.road.speed_limits(self.s.clip(max=self.road.length)),
        )
        kept = self._accelerations(self.lanes)
        self._change_lanes(draws[:, 1] < seconds, kept)  # each thinks of it about once a second
        changing = np.flatnonzero(self._changing())
        if len(changing):
            kept = np.minimum(kept, self._accelerations(np.where(self._changing(), self.before, self.lanes)))
            kept[changing] = np.minimum(kept[changing], self._accelerations(self.lanes)[changing])
        self.drift += (-self.drift + WAVERING * np.sqrt(24 / seconds) * (draws[:, 0] - 0.5)) * seconds
        speeds = np.maximum(self.speeds + np.maximum(kept + self.drift, -HARDEST) * seconds, 0)
        self.s = (self.s + (self.speeds + speeds) / 2 * seconds) % self.ring
        self.speeds = speeds
        self.since += seconds

    def offsets(self) -> Floats:
        """Metres to the left of the middle of the road, (V,); a change of lanes is the smoothest way across."""
        share = (self.since / self.durations).clip(0, 1)
        share = share**3 * (10 - 15 * share + 6 * share**2)
        old, new = self.road.offsets(self.before), self.road.offsets(self.lanes)
        return np.asarray(old + (new - old) * share)

    # Following ---------------------------------------------------------------------------------------------------

    def _accelerations(self, lanes: Ints) -> Floats:
        """The model's acceleration of each vehicle, (V,), if it drove in the given lane."""
        gaps, leaders = self._leaders(lanes)
        return self._following(np.arange(len(self.s)), gaps, self.speeds[leaders])

    def _following(self, who: Ints, gaps: Floats, leader_speeds: Floats) -> Floats:
        """The intelligent-driver model's acceleration of drivers `who` behind leaders at `gaps` metres."""
        speeds, strengths = self.speeds[who], self.strengths[who]
        closing = speeds * (speeds - leader_speeds) / (2 * np.sqrt(strengths * BRAKING))
        gap_wished = STANDING_GAP + np.maximum(0, speeds * self.headways[who] + closing)
        ratio = (speeds / self._wishes[who]) ** 2
        free = np.maximum(strengths * (1 - ratio * ratio), -BRAKING)
        return np.asarray(free - strengths * (gap_wished / np.maximum(gaps, 0.1)) ** 2)

    def _leaders(self, lanes: Ints) -> tuple[Floats, Ints]:
        """The gap to the next vehicle ahead in a lane, and which it is, (V,); those who change are in both lanes."""
        ahead = self._ahead()
        taken = (self.lanes[None] == lanes[:, None]) | ((self.before[None] == lanes[:, None]) & self._changing()[None])
        distances = np.where(taken, ahead, np.inf)
        leader = distances.argmin(axis=1)
        who = np.arange(len(leader))
        gaps = distances[who, leader] - (self.lengths + self.lengths[leader]) / 2
        return np.where(np.isfinite(gaps), gaps, self.ring), leader

    def _ahead(self) -> Floats:
        """How far ahead of each vehicle (row) each other one (column) is, around the ring, (V, V); inf for itself."""
        ahead = self.s[None] - self.s[:, None]
        ahead[ahead < 0] += self.ring
        np.fill_diagonal(ahead, np.inf)
        return ahead

    def _changing(self) -> NDArray[np.bool_]:
        return self.since < self.durations

    # Changing lanes ----------------------------------------------------------------------------------------------

    def _change_lanes(self, thinking: NDArray[np.bool_], kept: Floats) -> None:
        """Let drivers begin a change, one after another, so that no two take the same gap; `kept` as for `_gain`."""
        free = thinking & (self.since > self.durations + PAUSE_S)
        for driver in np.flatnonzero(free):
            sides = [lane for lane in (self.lanes[driver] + 1, self.lanes[driver] - 1) if 0 <= lane < self.road.lanes]
            gains = [self._gain(int(driver), int(lane), kept) for lane in sides]
            if gains and max(gains) > GAIN:
                self.before[driver] = self.lanes[driver]
                self.lanes[driver] = sides[int(np.argmax(gains))]
                self.since[driver] = 0.0

    def _gain(self, driver: int, lane: int, kept: Floats) -> float:
        """MOBIL's gain of acceleration, the driver's and a share of the new follower's; -inf where it is not safe.

        kept  (V,) accelerations if all stay in their lanes
        """
        ahead = (self.s - self.s[driver]) % self.ring
        taken = (self.lanes == lane) | ((self.before == lane) & self._changing())
        if not taken.any():
            return float(
                self._following(np.array([driver]), np.array([self.ring]), self.speeds[[driver]])[0] - kept[driver]
            )
        leader = int(np.where(taken, ahead, np.inf).argmin())
        follower = int(np.where(taken, ahead, -np.inf).argmax())
        front = ahead[leader] - (self.lengths[driver] + self.lengths[leader]) / 2
        behind = self.ring - ahead[follower] - (self.lengths[driver] + self.lengths[follower]) / 2
        if min(front, behind) < STANDING_GAP:
            return -np.inf
        pair, leaders = np.array([driver, follower]), np.array([leader, driver])
        own, pressed = self._following(pair, np.array([front, behind]), self.speeds[leaders]).tolist()
        if min(own, pressed) < -SAFE:
            return -np.inf
        return float(own - kept[driver] + POLITENESS * (pressed - kept[follower]))
