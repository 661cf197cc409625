"""Files of recorded traffic: which form a file has, the files of a folder, and their scenes.

CommonRoad's XML, Argoverse's parquet and tables of tracks are known; a folder holds files of one form, directly or in
folders of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from resvision.core.errors import DataError
from resvision.core.files import SMALL
from resvision.core.samples import Timing
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import Fault, fault_in, listing
from resvision.data.places import TABLES, Place, head
from resvision.data.tracks import argoverse, commonroad, scene_cache, table
from resvision.data.tracks.cuts import USUAL
from resvision.data.tracks.recorded import Recorded, scene_of
from resvision.kinds.motion.scenes import Scene

LOOKED_AT = 20
"""The number of files of a folder that are looked at for their form, such as a license that comes before them."""
DEEPEST = 2
"""The most folders inside one another below a set, or a split of it: Argoverse has one for each scenario."""


class Form(NamedTuple):
    """One form of files.

    is_named  whether a file can have the form, by its name
    holds     whether it does, by its beginning
    read      its scenarios; it raises DataError
    map_of    the file of the map that may lie beside one; None where the file itself holds the map
    usual     the usual cuts of windows
    """

    is_named: Callable[[str], bool]
    holds: Callable[[Place, Sequence[str]], bool]
    read: Callable[[Place, Sequence[str], list[Fault]], list[Recorded]]
    map_of: Callable[[Place], Place] | None = None
    usual: Timing = USUAL


FORMS = (
    Form(
        is_named=lambda name: name.casefold().endswith(".xml"),
        holds=lambda place, columns: b"<commonRoad" in head(place, SMALL),
        read=lambda place, columns, faults: [commonroad.read_scenario(place)],
    ),
    Form(
        is_named=argoverse.is_scenario,
        holds=lambda place, columns: True,
        read=lambda place, columns, faults: [argoverse.read_scenario(place)],
        map_of=argoverse.map_of,
        usual=argoverse.USUAL,
    ),
    Form(
        is_named=lambda name: PurePath(name).suffix.casefold() in TABLES and not name.endswith(table.LANES),
        holds=table.is_table_of_tracks,
        read=table.read_tracks,
        map_of=table.lanes_of,
    ),
)


class Reading(NamedTuple):
    """The scenes of some files, and the split that a table says for each, "" for none."""

    scenes: list[Scene]
    splits: list[str]


def form_of(place: Place, columns: Sequence[str] = ()) -> Form | None:
    """The form of a file, or of the first file in a folder that has one; None where none has.

    Of the files in a folder only the first few are looked at, and of its folders the first, since a set of images may
    have a million files.
    """
    if not place.is_dir():
        return next((form for form in FORMS if form.is_named(place.name) and form.holds(place, columns)), None)
    inner = place
    for _ in range(DEEPEST + 2):  # one more for a split
        entries = listing(inner, [], [], keep=_is_named)
        named = [inner / name for name, is_folder in entries if not is_folder and _is_named(name)][:LOOKED_AT]
        if form := next(filter(None, (form_of(file, columns) for file in named)), None):
            return form
        folder = next((name for name, is_folder in entries if is_folder), None)
        if folder is None:
            return None
        inner = inner / folder
    return None


def files_of(form: Form, place: Place, litter: list[str]) -> list[Place]:
    """The files of a form: a file itself, or those of a folder and of the folders in it, in order.

    The paths of others are added to `litter`, but for those that lie beside tracks as their maps.
    """
    return [place] if not place.is_dir() else [*_below(form, place, litter, DEEPEST)]


def read(form: Form, places: Sequence[Place], columns: Sequence[str], ledger: Ledger) -> Reading:
    """The scenes of files of one form, kept from an earlier reading where the files are as they were then.

    What cannot be read adds to the ledger.
    """
    maps = [] if form.map_of is None else [form.map_of(place) for place in places]
    key = scene_cache.fingerprint([*places, *maps], also=repr(tuple(columns)))
    if (kept := scene_cache.read(key)) is not None:
        return Reading(*kept)
    known = len(ledger.faults), sum(ledger.left_out.values())
    reading = _read(form, places, columns, ledger)
    if known == (len(ledger.faults), sum(ledger.left_out.values())):  # faults are to be told each time
        scene_cache.write(key, reading.scenes, reading.splits)
    return reading


def _read(form: Form, places: Sequence[Place], columns: Sequence[str], ledger: Ledger) -> Reading:
    reading = Reading([], [])
    for place in places:
        try:
            for scenario in form.read(place, columns, ledger.faults):
                reading.scenes.append(scene_of(scenario, ledger))
                reading.splits.append(scenario.split)
        except DataError as error:
            ledger.faults.append(fault_in(place, error))
    return reading


def has_future(form: Form, folder: Place, columns: Sequence[str]) -> bool:
    """Whether the first file of a folder shows more than the usual history: published tests may hold back the rest."""
    reading = _read(form, files_of(form, folder, [])[:1], columns, Ledger())
    if not reading.scenes or not reading.scenes[0].frame_seconds:
        return True
    scene = reading.scenes[0]
    return scene.frames > round((form.usual.history_seconds or 0.0) / scene.frame_seconds) + 1


def is_map(name: str) -> bool:
    """Whether a file, by its name, is a map that lies beside tracks and holds none itself."""
    return name.startswith(argoverse.MAP) or name.endswith(table.LANES)


def _is_named(name: str) -> bool:
    return any(form.is_named(name) for form in FORMS)


def _below(form: Form, folder: Place, litter: list[str], depth: int) -> Iterator[Place]:
    entries = listing(folder, [], litter, keep=lambda name: _is_named(name) or is_map(name))
    for name, is_folder in entries:
        if not is_folder and form.is_named(name):
            yield folder / name
        elif is_folder and depth:
            yield from _below(form, folder / name, litter, depth - 1)
        elif not is_folder and not is_map(name):
            litter.append(str(folder / name))
