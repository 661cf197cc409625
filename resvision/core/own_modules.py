"""A user's own modules in the working folder, which is on no import path.

`references` names the modules that may be loaded from there. They find their neighbours in the same folder whenever
they ask for them, also in worker processes; nobody else finds anything there.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


class OwnModules(MetaPathFinder):
    """A finder of modules that Python asks after all others.

    It finds a module that is named to it, and every module that is imported while code of one found earlier runs.
    """

    def __init__(self) -> None:
        self.folders: dict[str, str] = {}
        """The folders of the modules that were found, by their names."""
        self._named: str | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of that name in the folder of the module that asks for it; None where nobody may have it."""
        if path is not None:  # it is part of a package, which knows where its parts are
            return None
        folder = self._working_folder() if fullname == self._named else self.folders.get(fullname) or self._caller()
        spec = None if folder is None else PathFinder.find_spec(fullname, [folder])
        if spec is not None and folder is not None:
            self.folders[fullname] = folder
        return spec

    @contextmanager
    def named(self, module: str) -> Iterator[None]:
        """Find this module in the working folder during the block, where it is nowhere else."""
        self._install()
        before, self._named = self._named, module.partition(".")[0]
        try:
            yield
        finally:
            self._named = before

    def add(self, folders: Mapping[str, str]) -> None:
        """Find these modules from now on, each in its folder."""
        self._install()
        self.folders.update(folders)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[dict[str, str]]]:
        return _found_before, (self.folders,)

    def _install(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.append(self)

    def _caller(self) -> str | None:
        """The folder of the innermost own module whose code is running, None where none is."""
        frame = sys._getframe() if self.folders else None
        while frame is not None:
            module = str(frame.f_globals.get("__name__")).partition(".")[0]
            if module in self.folders:
                return self.folders[module]
            frame = frame.f_back
        return None

    @staticmethod
    def _working_folder() -> str | None:
        try:
            return str(Path.cwd())
        except OSError:  # it was deleted
            return None


def _found_before(folders: dict[str, str]) -> OwnModules:
    """The finder of a process to which one was sent by pickle; it finds again what that had found."""
    OWN_MODULES.add(folders)
    return OWN_MODULES


OWN_MODULES = OwnModules()
"""The finder of this process, which Python asks from the first module on that is named to it."""
