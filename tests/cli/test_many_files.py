"""Whether the files of `predict` are more than one batch."""

from pathlib import Path

import pytest

from resvision.cli.predict import _are_many
from resvision.runtime.engines import BATCH


@pytest.mark.parametrize(
    ("in_folder", "named", "expected"), [(BATCH, 0, False), (BATCH, 1, True), (0, BATCH + 1, True)]
)
def test_files_of_folders_count_with_those_that_are_named(
    in_folder: int, named: int, expected: bool, tmp_path: Path
) -> None:
    for number in range(in_folder):
        (tmp_path / f"{number}.png").touch()
    assert _are_many([tmp_path, *(Path(f"other{number}.png") for number in range(named))]) is expected
