"""Templates to pages: `base.html.j2` is the frame (head, style, footer) that every page of ours extends.

A page is one file. It names itself by a `generator` line, so that we replace only pages that we have written.
"""

from base64 import b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resvision import __version__
from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.files import open_regular
from resvision.report.svg import themed

GENERATOR = '<meta name="generator" content="resvision">'


def render(template: str, *, without: Callable[[str], str] = str, **values: object) -> str:
    """The page of a template of this package. Every value is escaped but those that are `markupsafe.Markup`.

    without  what is done to every other text before, such as taking folders of this machine out of it
    """

    def shown(value: object) -> object:
        return without(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return _templates().overlay(finalize=shown).get_template(template).render(**values)


def write_page(path: Path, html: str) -> Path:
    """Write the page so that `path` holds the old one or all of the new one; the path.

    Raises RunError where it cannot be written, or where a file stands that is not a page of ours.
    """
    assert GENERATOR in html, "pages extend base.html.j2"
    if path.is_dir():
        raise RunError(f"{path}: is a folder; name a file, such as --out {path / rundir.REPORT}")
    if path.exists() and not _is_ours(path):
        raise RunError(f"{path}: there already, and not written by resvision; name another file with --out")
    rundir.write_text(path, html)
    return path


def _is_ours(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return GENERATOR.encode() in file.read(4096)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}; name another file with --out") from None


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("resvision", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = files("resvision.report").joinpath("sorting.js").read_text(encoding="utf-8")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    templates.globals.update(generator=GENERATOR, version=__version__, script=script, policy=policy)
    templates.filters["themed"] = themed
    return templates
