"""What tasks show of nets and samples: tables and lines for the terminal, pictures for a folder."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core import rundir
from resvision.core.errors import SettingsError, printable

if TYPE_CHECKING:
    from resvision.kinds.forms import Showing


def print_showings(showings: "Sequence[Showing]", written: Sequence[Path], *, wide: bool) -> None:
    """Print tables and lines, and the paths of the pictures that have been written, or how to have some."""
    for showing in showings:
        for form in showing.tables:
            table = new_table(*form.columns, numbers=form.numbers, title=form.title, least=form.least)
            for row in form.rows:
                table.add_row(*row)
            print_tables(table, wide=wide)
        print_lines(*showing.lines)
    print_lines(*map(str, written) if written else ("for pictures, name a folder by --out",))


def write_showings(showings: "Sequence[Showing]", folder: Path, *, force: bool) -> list[Path]:
    """Write the pictures into the folder, made if it is missing; the paths. SettingsError where one is there."""
    contents = {folder / name: content for showing in showings for name, content in _contents(showing).items()}
    require_free(folder, *contents, force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise rundir.unwritable(folder, error) from None
    for path, content in contents.items():
        rundir.write_bytes(path, content)
    return [*contents]


def require_free(folder: Path, *paths: Path, force: bool) -> None:
    """Raise SettingsError where the folder is a file, or one of the paths is there unless `force` replaces it."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{printable(folder)}: a file; --out names a folder")
    for path in paths:
        if (path.exists() or path.is_symlink()) and not force:
            raise SettingsError(f"{printable(path)}: is there already; name another folder by --out, or say --force")


def _contents(showing: "Showing") -> dict[str, bytes]:
    """The files of a showing by their names."""
    contents = {}
    for name, picture in showing.pictures.items():
        stream = BytesIO()
        picture.save(stream, "PNG")
        contents[f"{name}.png"] = stream.getvalue()
    return {**contents, **showing.files}
