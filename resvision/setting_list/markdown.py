"""The page docs/settings.md, made of the kept list."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from resvision import catalog
from resvision.core.meanings import Leaf
from resvision.setting_list.kept import KeptList, Setting

_HEAD = """# Every setting

`resvision train ... --set KEY=VALUE` changes any of these, and `run.json` of a run has the value of each. A default is
that of the setting itself; a recipe may say another, and `resvision settings --run RUN` tells what a run has.
`resvision settings PREFIX` prints a part of this page, which `make settings` writes.
"""


def page(listed: KeptList) -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_groups(listed.settings), *_options(listed)])


def _groups(settings: Iterable[Setting]) -> Iterator[str]:
    for group, members in groupby(settings, key=lambda setting: setting.leaf.path.partition(".")[0]):
        for only_for, part in groupby(members, key=lambda setting: setting.only_for):
            yield f"## {group}{f' of {only_for}' if only_for else ''}\n"
            yield from _table(setting.leaf for setting in part)


def _options(listed: KeptList) -> Iterator[str]:
    yield "## model.options\n"
    yield "The options of a net. A name may fix some of them; a net over a backbone takes those of the backbone too.\n"
    for builder, leaves in listed.options.items():
        names = [row.name for row in catalog.ROWS if row.builder == builder]
        yield f"### {', '.join(names)}\n"
        yield from _table(leaves)


def _table(leaves: Iterable[Leaf]) -> Iterator[str]:
    yield "| setting | meaning | form | default |\n|---|---|---|---|"
    for leaf in leaves:
        written = ", ".join(f"`{choice}`" for choice in leaf.choices) or leaf.form
        cells = (f"`{leaf.path}`", leaf.meaning, written, f"`{leaf.default}`" if leaf.default else "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""
