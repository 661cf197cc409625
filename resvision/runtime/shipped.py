"""The bundles that are part of the package, and the folder that a person means by a path or by one of their names."""

from pathlib import Path

from resvision.core.errors import RunError, printable, unknown_name
from resvision.runtime.bundle_format import BUNDLE, is_bundle

SHIPPED_IN = Path(__file__).parent / "bundles"
"""The folder of the package that holds a folder for each of them."""


def _shipped_names() -> tuple[str, ...]:
    """Names of the folders that hold a bundle; none where the package was installed without them."""
    if not SHIPPED_IN.is_dir():
        return ()
    return tuple(sorted(folder.name for folder in SHIPPED_IN.iterdir() if is_bundle(folder)))


SHIPPED = _shipped_names()
"""Names of the bundles that every installation has."""


def place_of(name_or_path: str | Path) -> Path:
    """The folder of a bundle: a path that holds one, or the place of the shipped one of that name.

    What has that name in the working folder comes before a shipped one. Raises RunError for a path that is there and
    holds no bundle, UnknownNameError, with the names that there are, for anything else.
    """
    name, path = str(name_or_path), Path(name_or_path)
    if is_bundle(path):
        return path
    if path.exists():
        raise RunError(
            f"{printable(path)}: no bundle, it holds no {BUNDLE}; `resvision export RUN --out DIR` makes one"
        )
    if name in SHIPPED:
        return SHIPPED_IN / name
    raise unknown_name("bundle", printable(name), SHIPPED, remedy="a path leads to a folder that holds bundle.json")


def is_place(name_or_path: str | Path) -> bool:
    """Whether `place_of` finds a bundle."""
    path = Path(name_or_path)
    return is_bundle(path) or (str(name_or_path) in SHIPPED and not path.exists())
