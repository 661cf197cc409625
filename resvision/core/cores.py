"""The cores that this process may use: its affinity, and the quota of the control groups that it runs in."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
"""The folder of all control groups; a container sees its own in their place."""
OWN_GROUPS = Path("/proc/self/cgroup")
"""The file that names the groups of this process, a line `number:controllers:/group` each; version 2 has number 0."""


def usable_cores(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> float:
    """The number of cores that this process may use; a fraction where a quota allows no whole number."""
    cores = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    return min([cores, *_quotas(groups, own)])


def usable_threads() -> int:
    """The number of threads that keep the usable cores busy, at least one."""
    return max(1, math.ceil(usable_cores()))


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """Yield the cores that each control group around this process allows, where it has a limit."""
    for folder in _folders(groups, own):
        for name in ("cpu.max", "cpu.cfs_quota_us"):  # version 2, which has the period in the same file, and version 1
            with suppress(OSError, ValueError):
                quota, *period = (folder / name).read_text().split()
                if quota not in {"max", "-1"}:
                    yield int(quota) / int(period[0] if period else (folder / "cpu.cfs_period_us").read_text())


def _folders(groups: Path, own: Path) -> set[Path]:
    """The folders of the groups of this process, and of all groups around them."""
    roots = {"cpu": groups / "cpu", "": groups}
    folders = {*roots.values()}
    with suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            root = roots.get("cpu" if "cpu" in controllers.split(",") else controllers)
            if root is not None and ".." not in group:
                inner = root / group.strip("/")
                folders.update(folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))
    return folders
