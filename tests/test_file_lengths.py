"""No file of the package is longer than a reader holds: one that grows past it is two nouns, and is split by them."""

from pathlib import Path

import resvision

PACKAGE = Path(resvision.__file__).parent
MOST_LINES = 350


def test_no_file_of_the_package_is_longer_than_a_reader_holds() -> None:
    lines = {
        str(file.relative_to(PACKAGE)): file.read_text(encoding="utf-8").count("\n") for file in PACKAGE.rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
