"""The machine of a measurement: its processor, the cores that may be used, what else they do, and its ceilings."""

import os
from dataclasses import dataclass, replace
from typing import Any

from resvision.bench.ceilings import ceilings
from resvision.core.cores import usable_cores
from resvision.core.processor import instructions, model_name


@dataclass(frozen=True, kw_only=True)
class MeasuredMachine:
    """The machine, before anything is measured.

    cores         that this process may use, a fraction under a quota
    cores_there   of the machine
    load          processes that wanted to run over the last minute, on average; None where the system does not tell
    instructions  that decide how fast nets are, such as AMX-BF16
    ceilings      operations a second of matrix products by number format; bytes a second under `copy`
    """

    processor: str
    instructions: tuple[str, ...]
    cores: float
    cores_there: int
    load: float | None
    ceilings: dict[str, float]

    @property
    def lines(self) -> list[str]:
        """The machine in words."""
        rates = [f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in self.ceilings.items() if name != "copy"]
        copied = f"copy {self.ceilings['copy'] / 1e9:.1f} GB/s"
        busy = "" if self.load is None else f", load {self.load:.1f}"
        of_all = "" if self.cores == self.cores_there else f" of {self.cores_there}"
        return [
            f"{self.processor}, {', '.join(self.instructions) or 'instructions not known'}",
            f"{self.cores:g}{of_all} cores{busy}",
            f"ceilings: {', '.join([*rates, copied])}",
        ]

    def measured_again(self, *, least_s: float = 0.5) -> "MeasuredMachine":
        """The same with ceilings measured once more, the better ones kept, since other work lowers them."""
        again = ceilings(least_s=least_s)
        return replace(self, ceilings={name: max(rate, again.get(name, rate)) for name, rate in self.ceilings.items()})

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**vars(self), "instructions": [*self.instructions]}


def measured_machine(*, least_s: float = 0.5) -> MeasuredMachine:
    """This machine; ceilings are measured, each for `least_s` seconds."""
    return MeasuredMachine(
        processor=model_name(),
        instructions=instructions(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        cores=usable_cores(),
        cores_there=os.cpu_count() or 1,
        ceilings=ceilings(least_s=least_s),
    )
