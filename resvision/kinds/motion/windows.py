"""Windows: one vehicle at one moment, with its past and its future. A window is the target of a sample.

Past and future of a window are in the agent's frame at the last observed frame: x forward, y left, in metres.

Glossary
    H  frames of history before the last observed one, so that H + 1 are seen
    T  steps of the future that are predicted
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.geometry.frames import Pose, agent_from_world, world_from_agent, wrapped
from resvision.kinds.motion.scenes import Flags, Floats, Scene

NOWHERE_ELSE = Pose(0.0, 0.0, 0.0)
"""The offset of a frame that stays where the agent is."""

STANDSTILL = 0.5
"""Speed in metres a second below which headings are not taken as recorded: stopped cars turn on the spot in NGSIM."""

MEAN_SECONDS = 0.5
"""The time over which speed, acceleration and yaw rate are means."""


class Span(NamedTuple):
    """How much of a track a window takes.

    history       frames before the last observed one
    steps         predicted positions
    step_frames   frames from one predicted position to the next
    start_frames  frames from one window of a vehicle to the next
    """

    history: int
    steps: int
    step_frames: int = 1
    start_frames: int = 1

    @property
    def future(self) -> int:
        """The frames that are predicted, all of them."""
        return self.steps * self.step_frames


class Past(NamedTuple):
    """A vehicle over the seen frames of a window, oldest first; 0 where it was not seen.

    positions  (H + 1, 2) metres in the agent's frame
    headings   (H + 1,) radians from the agent's own
    present    (H + 1,)
    """

    positions: Floats
    headings: Floats
    present: Flags


class Future(NamedTuple):
    """The true positions at the predicted steps, 0 where the vehicle was not seen.

    positions  (T, 2) metres in the agent's frame
    present    (T,)
    """

    positions: Floats
    present: Flags


class State(NamedTuple):
    """The motion at the last observed frame, by differences over the history.

    speed         metres a second, 0 where there is no earlier frame to tell it
    acceleration  metres a second squared, along the heading
    yaw_rate      radians a second, counter-clockwise
    known         (3,) whether each could be told
    """

    speed: float
    acceleration: float
    yaw_rate: float
    known: NDArray[np.bool_]


class Window(NamedTuple):
    """One vehicle of a scene at one moment.

    vehicle  its position in `scene.vehicles`
    frame    the last observed frame
    offset   where the frame lies in which all is said, seen from the agent: elsewhere in augmentation alone
    """

    scene: Scene
    vehicle: int
    frame: int
    span: Span
    offset: Pose = NOWHERE_ELSE

    @property
    def name(self) -> str:
        """The window in results and errors: `scenario:vehicle@frame`."""
        return f"{self.scene.name}:{self.scene.vehicles[self.vehicle]}@{self.frame}"

    @property
    def step_seconds(self) -> float:
        """Time from one predicted position to the next."""
        return self.span.step_frames * self.scene.frame_seconds

    def pose(self) -> Pose:
        """The agent's frame in the world."""
        x, y = self.scene.positions[self.vehicle, self.frame]
        agent = Pose(float(x), float(y), float(self.scene.headings[self.vehicle, self.frame]))
        if self.offset == NOWHERE_ELSE:
            return agent
        x, y = world_from_agent(self.offset[:2], agent)
        return Pose(float(x), float(y), agent.heading + self.offset.heading)

    def past(self) -> Past:
        """The vehicle's own past."""
        return self.past_of(self.vehicle)

    def past_of(self, vehicle: int) -> Past:
        """The past of any vehicle of the scene, in the agent's frame of this window's."""
        scene, pose = self.scene, self.pose()
        frames = np.arange(self.frame - self.span.history, self.frame + 1)
        inside = frames >= 0
        kept = frames.clip(min=0)
        present = scene.present[vehicle, kept] & inside
        positions = np.where(present[:, None], agent_from_world(scene.positions[vehicle, kept], pose), 0.0)
        headings = np.where(present, wrapped(scene.headings[vehicle, kept] - pose.heading), 0.0)
        return Past(positions, headings, present)

    def future(self) -> Future:
        """The positions that are to be predicted."""
        scene, span = self.scene, self.span
        frames = self.frame + span.step_frames * np.arange(1, span.steps + 1)
        inside = frames < scene.frames
        kept = frames.clip(max=scene.frames - 1)
        present = scene.present[self.vehicle, kept] & inside
        positions = agent_from_world(scene.positions[self.vehicle, kept], self.pose())
        return Future(np.where(present[:, None], positions, 0.0), present)

    @property
    def lag(self) -> int:
        """The frames between two of the three that tell the state: half a second, or what the history holds."""
        return max(1, min(round(MEAN_SECONDS / self.scene.frame_seconds), self.span.history // 2))

    def state(self) -> State:
        """Speed, acceleration and yaw rate by backward differences of three frames, half a second apart.

        After nuScenes' devkit, whose frames are that far apart; at ten frames a second the differences of neighbours
        would be noise.
        """
        past, seconds = self.past(), self.lag * self.scene.frame_seconds
        latest = slice(None, None, -self.lag)
        seen, positions, headings = past.present[latest][:3], past.positions[latest][:3], past.headings[latest][:2]
        speeds = np.hypot(*np.diff(positions, axis=0).T) / seconds  # from the latest to the oldest
        known = np.array([seen[:2].all() and len(seen) > 1, seen.all() and len(seen) > 2, False])
        known[2] = known[0]
        speed = float(speeds[0]) if known[0] else 0.0
        acceleration = float((speeds[0] - speeds[1]) / seconds) if known[1] else 0.0
        yaw_rate = float(wrapped(headings[0] - headings[1]) / seconds) if known[2] else 0.0
        return State(speed, acceleration, yaw_rate, known)
