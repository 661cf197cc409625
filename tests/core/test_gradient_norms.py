from pathlib import Path

import pytest

from resvision.core.errors import RunError
from resvision.core.gradient_norms import GradientNorms, read


def test_whole_lines_are_read_and_a_cut_one_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "gradients.jsonl"
    path.write_text('{"step": 1, "norms": {"conv1": 0.5, "fc": 2}}\n{"step": 11, "norms": {"conv1": 0.')
    assert [*read(path)] == [GradientNorms(1, {"conv1": 0.5, "fc": 2.0})]


@pytest.mark.parametrize(
    "line",
    ["{", "[1]", '{"step": 1}', '{"step": "1", "norms": {}}', '{"step": 1, "norms": {"fc": "much"}}', '{"norms": {}}'],
)
def test_a_line_that_training_does_not_write_is_named(line: str, tmp_path: Path) -> None:
    (path := tmp_path / "gradients.jsonl").write_text(f'{{"step": 1, "norms": {{}}}}\n{line}\n')
    with pytest.raises(RunError, match=r"gradients\.jsonl:2: not a line of gradient norms"):
        list(read(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gradients\.jsonl: cannot be read"):
        list(read(tmp_path / "gradients.jsonl"))
