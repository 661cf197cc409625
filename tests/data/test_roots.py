import tempfile
from pathlib import Path

import pytest

from resvision.core.errors import DataError
from resvision.data.roots import cache_root


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of a user without a home folder."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_user_without_a_home_has_a_private_cache(temporary: Path) -> None:
    folder = cache_root()
    assert (folder.parent, folder.stat().st_mode & 0o777) == (temporary, 0o700)
    assert cache_root() == folder


def test_a_cache_that_others_can_write_to_is_refused(temporary: Path) -> None:
    cache_root().chmod(0o777)
    with pytest.raises(DataError, match="not a folder of yours alone; name another place for caches by XDG_CACHE_HOME"):
        cache_root()


def test_a_link_in_the_place_of_the_cache_is_refused(temporary: Path) -> None:
    folder = cache_root()
    folder.rmdir()
    (temporary / "elsewhere").mkdir()
    folder.symlink_to(temporary / "elsewhere")
    with pytest.raises(DataError, match="not a folder of yours alone"):
        cache_root()
