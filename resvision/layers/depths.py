"""Depths of nets that repeat one block n times: such a net has per_step * n + 2 weighted layers."""

from resvision.core.errors import SettingsError


def repeats(depth: int, *, per_step: int, kind: str) -> int:
    """The n >= 1 with depth == per_step * n + 2. Raises SettingsError, which names the nearest depths, without one."""
    n, rest = divmod(depth - 2, per_step)
    if n >= 1 and rest == 0:
        return n
    nearest = [per_step * k + 2 for k in (n, n + 1) if k >= 1] or [per_step + 2]
    raise SettingsError(
        f"depth {depth}: {kind} has {per_step}n+2 weighted layers; nearest: {', '.join(map(str, nearest))}"
    )
