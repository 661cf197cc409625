"""Small recordings made by hand, for the tests of motion."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.scenes import Lane, Scene
from resvision.kinds.motion.windows import Span, Window

Floats = NDArray[np.float64]


def recording(
    paths: dict[str, Floats],
    *,
    headings: dict[str, Floats] | None = None,
    present: dict[str, NDArray[np.bool_]] | None = None,
    frame_seconds: float = 0.1,
    lanes: tuple[Lane, ...] = (),
    name: str = "road",
) -> Scene:
    """Vehicles by their names, on paths (F, 2) in metres; their headings are along the paths unless they are given."""
    positions = np.stack([np.asarray(path, dtype=np.float64) for path in paths.values()])
    along = [(headings or {}).get(vehicle, course(path)) for vehicle, path in zip(paths, positions, strict=True)]
    seen = np.stack([(present or {}).get(vehicle, np.ones(positions.shape[1], dtype=bool)) for vehicle in paths])
    return Scene(
        name=name,
        source=f"{name}.xml",
        recording=name,
        frame_seconds=frame_seconds,
        vehicles=tuple(paths),
        kinds=("car",) * len(paths),
        present=seen,
        positions=np.where(seen[..., None], positions, 0.0),
        headings=np.where(seen, np.stack(along), 0.0),
        speeds=None,
        sizes=np.tile([4.5, 1.8], (len(paths), 1)),
        lanes=lanes,
    )


def course(path: Floats) -> Floats:
    """The direction of a path (F, 2) at each of its points, (F,) radians; the last one holds to the end."""
    moved = np.diff(path, axis=0)
    angles = np.arctan2(moved[:, 1], moved[:, 0])
    return np.append(angles, angles[-1])


def driven(place: Callable[[Floats], tuple[Floats, Floats]], *, frames: int = 61, frame_seconds: float = 0.1) -> Floats:
    """The path (F, 2) of a vehicle whose x and y are functions of the seconds."""
    seconds = frame_seconds * np.arange(frames)
    return np.stack([np.broadcast_to(axis, seconds.shape) for axis in place(seconds)], axis=1)


def window_of(scene: Scene, *, vehicle: int = 0, frame: int = 20, history: int = 20, steps: int = 30) -> Window:
    """A window with a step for each frame."""
    return Window(scene, vehicle, frame, Span(history, steps))
