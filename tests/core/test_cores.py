import os
from pathlib import Path

import pytest

from resvision.core.cores import usable_cores, usable_threads


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(8)}, raising=False)


def groups(folder: Path, files: dict[str, str]) -> Path:
    """A folder of control groups with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "own", "cores"),
    [
        ({}, "", 8.0),
        ({"cpu.max": "max 100000\n"}, "0::/\n", 8.0),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"cpu.max": "1600000 100000\n"}, "0::/\n", 8.0),
        ({"cpu.max": "garbage\n"}, "0::/\n", 8.0),
        ({"system/site/cpu.max": "max 100000\n", "system/cpu.max": "400000 100000\n"}, "0::/system/site\n", 4.0),
        ({"other/cpu.max": "100000 100000\n"}, "0::/mine\n", 8.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "1:cpu:/\n", 8.0),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "1:cpu:/\n", 2.0),
        (
            {"cpu/box/cpu.cfs_quota_us": "50000\n", "cpu/box/cpu.cfs_period_us": "100000\n"},
            "4:cpuset:/\n1:cpu,cpuacct:/box\n",
            0.5,
        ),
    ],
)
def test_the_tightest_quota_around_this_process_counts(
    tmp_path: Path, files: dict[str, str], own: str, cores: float
) -> None:
    (tmp_path / "own").write_text(own)
    assert usable_cores(groups(tmp_path / "groups", files), tmp_path / "own") == cores


def test_systems_without_groups_have_the_cores_of_the_affinity(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path / "none") == 8.0


def test_half_a_core_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resvision.core.cores.usable_cores", lambda: 0.5)
    assert usable_threads() == 1
