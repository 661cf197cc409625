"""Files are read whole only where they are regular and small enough."""

import os
import threading
from pathlib import Path

import pytest

from resvision.core.files import DEEPEST, RefusedFileError, parse_json, read_text, read_whole


def test_a_file_of_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(b"x" * 10)
    assert read_whole(path, 10) == b"x" * 10


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(b"x" * 11)
    with pytest.raises(RefusedFileError, match="more than 10 bytes, which is the limit here"):
        read_whole(path, 10)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "classes.txt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    errors: list[OSError] = []

    def read() -> None:
        try:
            read_whole(path, 10)
        except OSError as error:
            errors.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert not reader.is_alive()
    assert errors[0].strerror == "not a regular file" or kind == "folder"


def test_text_that_is_no_utf8_is_a_value_error(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "list", 10)


def test_json_may_be_nested_up_to_a_depth() -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "]" * depth

    assert parse_json(nested(DEEPEST - 1))
    for depth in (DEEPEST + 1, 100_000):
        with pytest.raises(ValueError, match="nested deeper"):
            parse_json(nested(depth))


def test_a_name_with_a_null_character_is_refused_as_a_file_is() -> None:
    with pytest.raises(OSError, match="a name with a null character"):
        read_whole(Path("a\0b"), 1)
