"""The place of a window in the world, as the geometry of its picture: what decodes a prediction asks it."""

from dataclasses import dataclass, field

from resvision.core.view_geometry import Geometry
from resvision.geometry.frames import Pose
from resvision.kinds.motion.windows import Window


@dataclass(frozen=True)
class WindowGeometry(Geometry):
    """The geometry of a window's raster in its picture for people, with the window, which knows its pose in the world.

    Positions that a net gives are in the agent's frame at the last observed frame. By `pose`,
    `geometry.frames.world_from_agent` brings them into the world's: metres along whatever axes the recording has.
    """

    window: Window = field(kw_only=True)

    @property
    def pose(self) -> Pose:
        """The agent's frame in the world."""
        return self.window.pose()
