"""Bundles that are served: each by a name, and replaced without a stop when its folder changes."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resvision.core.errors import SettingsError, printable
from resvision.kinds.kind import Kind
from resvision.kinds.table import kind_of
from resvision.prediction.predictions import AS_TRAINED, showing
from resvision.runtime.bundle import Bundle, open_bundle
from resvision.runtime.bundle_format import Manifest, identity, read_manifest
from resvision.runtime.engines import EngineSettings
from resvision.runtime.shipped import place_of
from resvision.serving.lanes import Lanes
from resvision.serving.refused_requests import RefusedRequest, busy
from resvision.serving.warm_up import warmed_up

LOG = logging.getLogger("resvision.serving")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Names of models, which are part of addresses."""

Stamp = tuple[tuple[str, int, int, int], ...]
"""Name, inode, size and time of change of the files in a folder, by which a change is seen without reading them."""


class OpenModel:
    """A bundle that is open, warm, and has its lanes; requests that use it keep it open."""

    def __init__(self, name: str, bundle: Bundle, watch: Callable[[int], None]) -> None:
        self.name, self.bundle = name, bundle
        self.version = version_of(bundle.manifest)
        self.usual_options = showing(bundle, AS_TRAINED).options
        pays_from, largest = warmed_up(bundle)
        self.lanes = Lanes(
            bundle.answers,
            number=bundle.graph.lanes,
            pays_from=pays_from,
            largest=largest,
            watch=watch,
        )
        self._users = 0
        self._retired = False

    @contextmanager
    def used(self) -> Iterator["OpenModel"]:
        """Keep the model open for the time of a request; called by the event loop's thread alone."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            self._close_unused()

    def retire(self) -> None:
        """Close the model once the last request that uses it has its answer."""
        self._retired = True
        self._close_unused()

    def _close_unused(self) -> None:
        if self._retired and not self._users:
            self.lanes.close()


class ServedModel:
    """A bundle under its name.

    place  the bundle's folder
    watch  called with the number of views of each batch
    """

    def __init__(self, name: str, place: Path, settings: EngineSettings, watch: Callable[[int], None]) -> None:
        self.name, self.place = name, place
        self._settings, self._watch = settings, watch
        self._manifest: Manifest = read_manifest(place)
        self._stamp: Stamp = ()
        self.current: OpenModel | None = None

    @property
    def manifest(self) -> Manifest:
        """What the bundle that answers says of itself."""
        return self._manifest

    @property
    def version(self) -> str:
        """The version of that bundle: another one for other files."""
        return version_of(self._manifest)

    @property
    def kind(self) -> Kind[Any, Any, Any]:
        """The torch-free half of its task."""
        return kind_of(self._manifest.task)

    def opened(self) -> OpenModel:
        """The model that answers; RefusedRequest (503) before it is warm."""
        if self.current is None:
            raise busy(f"{self.name}: is not ready yet")
        return self.current

    def load(self) -> OpenModel:
        """Open the folder's bundle and warm it up, in any thread; errors are those of `open_bundle`."""
        self._stamp = stamp_of(self.place)
        return OpenModel(self.name, open_bundle(self.place, self._settings), self._watch)

    def replacement(self) -> OpenModel | None:
        """The bundle that has taken the place of the one that answers, open and warm, in any thread; None for none.

        A damaged one is logged once, and looked at again when its folder changes again.
        """
        stamp = stamp_of(self.place)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return None if read_manifest(self.place) == self._manifest else self.load()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new one, the old one goes on
            LOG.warning("%s: the bundle that was there goes on answering: %s", self.name, error)
            return None

    def swap(self, new: OpenModel) -> None:
        """Have a model answer from now on; the old one ends with its last request."""
        old, self.current, self._manifest = self.current, new, new.bundle.manifest
        if old is not None:
            LOG.info("%s: replaced by version %s", self.name, new.version)
            old.retire()


class ServedModels(Mapping[str, ServedModel]):
    """All models of a server by name, in the order in which they were named."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = {model.name: model for model in models}

    def __getitem__(self, name: str) -> ServedModel:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def ready(self) -> bool:
        """Whether all of them have answered a first call."""
        return all(model.current is not None for model in self.values())

    def named(self, name: str) -> ServedModel:
        """The model of a name; RefusedRequest (404) for one that there is not."""
        if name not in self:
            raise RefusedRequest(404, f"no model {printable(name)[:100]!r}; there are {', '.join(self)}")
        return self[name]


def version_of(manifest: Manifest) -> str:
    """A short name for the files of a bundle."""
    return identity(manifest)[:12]


def named_places(words: Sequence[str]) -> dict[str, Path]:
    """The folders of bundles by the names that they are served under: `NAME=BUNDLE`, or the name of the folder.

    Raises what `place_of` raises, and SettingsError for two of one name, or a name that no address can hold.
    """
    places: dict[str, Path] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        is_named = bool(equals) and NAME.fullmatch(name) is not None
        place = place_of(rest if is_named else word)
        name = name if is_named else place.resolve().name
        if NAME.fullmatch(name) is None:
            raise SettingsError(
                f"{printable(word)}: the folder's name is none for an address; write NAME={printable(word)}"
            )
        if name in places:
            raise SettingsError(f"{printable(word)}: a second model {name!r}; write OTHER={printable(word)}")
        places[name] = place
    return places


def stamp_of(folder: Path) -> Stamp:
    """The stamp of a folder; empty where it cannot be read."""
    try:
        files = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
    except OSError:
        return ()
    return tuple((name, status.st_ino, status.st_size, status.st_mtime_ns) for name, status in files)
