"""Scenes as they were read before, kept in the cache folder as arrays: XML of 80 MB is read in seconds, these at once.

They hold while every file stays as it is (`data.cache`). Only what was read without a fault is kept.

Glossary
    V, F, P  vehicles, frames and points, as in `kinds.motion.scenes`
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from resvision.core.drafts import draft_file, sweep
from resvision.core.files import parse_json, read_whole
from resvision.core.tensor_files import tensor_bytes
from resvision.data.cache import Count, stamp
from resvision.data.places import Place
from resvision.data.roots import cache_root
from resvision.kinds.motion.scenes import Lane, Scene

N = TypeVar("N", bound=np.generic)

FORMAT = 1  # raised when scenes are read in another way: older ones then no longer hold
LIMIT = 2**30
"""Bytes of the scenes of a set that are kept."""


class _Facts(msgspec.Struct, forbid_unknown_fields=True):
    """The parts of a scene that are no arrays.

    speeds  whether it has them
    lanes   the number of points of both borders of each
    """

    name: str
    source: str
    recording: str
    frame_seconds: Annotated[float, Meta(ge=0)]
    vehicles: tuple[str, ...]
    kinds: tuple[str, ...]
    frames: Count
    speeds: bool
    lanes: tuple[tuple[Count, Count], ...]
    focal: tuple[Count, ...]
    split: str


def fingerprint(places: Sequence[Place], also: str) -> str:
    """A hash of the path, size and times of every file, and of the text `also`."""
    digest = blake2b(f"{FORMAT}\n{also}\n".encode(errors="surrogateescape"), digest_size=16)
    for place in places:
        digest.update(f"{place}\0{stamp(place)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def read(key: str) -> tuple[list[Scene], list[str]] | None:
    """The scenes that were kept under a fingerprint, with the split of each; None where there are none, or damaged."""
    try:
        columns = load(read_whole(_path(key), LIMIT))
        facts = msgspec.convert(parse_json(columns["facts"].tobytes()), list[_Facts])
        return _unpacked(facts, columns), [fact.split for fact in facts]
    except (OSError, ValueError, KeyError, msgspec.MsgspecError, SafetensorError):
        return None


def write(key: str, scenes: Sequence[Scene], splits: Sequence[str]) -> None:
    """Keep scenes, with the split of each, for `read`."""
    content, path = tensor_bytes(_packed(scenes, splits)), _path(key)
    if len(content) > LIMIT:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, ours=True)
        with draft_file(path) as file:
            file.write(content)


def _path(key: str) -> Path:
    return cache_root() / "scenes" / f"{key}.safetensors"


def _packed(scenes: Sequence[Scene], splits: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    facts = [
        _Facts(
            name=scene.name,
            source=scene.source,
            recording=scene.recording,
            frame_seconds=scene.frame_seconds,
            vehicles=scene.vehicles,
            kinds=scene.kinds,
            frames=scene.frames,
            speeds=scene.speeds is not None,
            lanes=tuple((len(lane.left), len(lane.right)) for lane in scene.lanes),
            focal=scene.focal,
            split=split,
        )
        for scene, split in zip(scenes, splits, strict=True)
    ]
    numbers = [part[scene.present] for scene in scenes for part in _parts(scene)]
    lines = [line for scene in scenes for lane in scene.lanes for line in lane]
    document = json.dumps(msgspec.to_builtins(facts)).encode()
    return {
        "facts": np.frombuffer(document, dtype=np.uint8),
        "present": np.packbits(np.concatenate([np.empty(0, np.bool_), *(scene.present.ravel() for scene in scenes)])),
        "numbers": np.concatenate([np.empty(0), *numbers]),
        "sizes": np.concatenate([np.empty((0, 2)), *(scene.sizes for scene in scenes)]),
        "points": np.concatenate([np.empty((0, 2)), *lines]),
    }


def _parts(scene: Scene) -> list[NDArray[np.float64]]:
    """The numbers of a scene, (V, F) each: x, y, heading, and speed where it is stated."""
    speeds = [] if scene.speeds is None else [scene.speeds]
    return [scene.positions[..., 0], scene.positions[..., 1], scene.headings, *speeds]


class _Tape(Generic[N]):
    """An array that is read from its start, piece by piece; ValueError beyond its end."""

    def __init__(self, array: NDArray[N]) -> None:
        self._array, self._at = array, 0

    def next(self, count: int) -> NDArray[N]:
        piece = self._array[self._at : self._at + count]
        if len(piece) < count:
            raise ValueError("cut off")
        self._at += count
        return piece


def _unpacked(facts: Sequence[_Facts], columns: dict[str, NDArray[np.generic]]) -> list[Scene]:
    present = _Tape(np.unpackbits(columns["present"].astype(np.uint8)))
    numbers, sizes, points = (_Tape(columns[name].astype(np.float64)) for name in ("numbers", "sizes", "points"))
    scenes = []
    for fact in facts:
        shape = len(fact.vehicles), fact.frames
        seen = present.next(shape[0] * shape[1]).astype(np.bool_).reshape(shape)
        layers = np.zeros((3 + fact.speeds, *shape))
        for layer in layers:
            layer[seen] = numbers.next(int(seen.sum()))
        scenes.append(
            Scene(
                name=fact.name,
                source=fact.source,
                recording=fact.recording,
                frame_seconds=fact.frame_seconds,
                vehicles=fact.vehicles,
                kinds=fact.kinds,
                present=seen,
                positions=np.ascontiguousarray(np.stack([layers[0], layers[1]], axis=-1)),
                headings=layers[2],
                speeds=layers[3] if fact.speeds else None,
                sizes=sizes.next(shape[0]).reshape(-1, 2),
                lanes=tuple(Lane(points.next(left), points.next(right)) for left, right in fact.lanes),
                focal=fact.focal,
            )
        )
    return scenes
