"""The place of a drawn view in the world: that of the window that it shows."""

from dataclasses import dataclass, field

from resvision.core.view_geometry import Geometry
from resvision.kinds.motion.windows import Window


@dataclass(frozen=True)
class WindowGeometry(Geometry):
    """The geometry of a view that was drawn from a window, by which a prediction is brought into the world.

    The view is its own image: its pixels need no way back.
    """

    window: Window = field(kw_only=True)
