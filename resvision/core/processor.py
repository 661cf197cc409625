"""The processor of this machine: its name, and the instructions that decide how fast nets are on it."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

INSTRUCTIONS: Mapping[str, str] = {
    "amx_int8": "AMX-INT8",
    "amx_bf16": "AMX-BF16",
    "avx512_bf16": "AVX512-BF16",
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX512",
    "avx2": "AVX2",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
    "asimd": "NEON",
}
"""The kernel's words for instructions that kernels of nets are written with, and the usual ones."""


@cache
def model_name(cpuinfo: Path = CPUINFO) -> str:
    """The processor in the words of its maker; what the system says where the kernel does not tell."""
    name = _fields(cpuinfo).get("model name", "")
    return name or platform.processor() or platform.machine() or "unknown processor"


@cache
def instructions(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """The instructions of `INSTRUCTIONS` that the processor has; none where the system does not tell."""
    fields = _fields(cpuinfo)
    flags = {*(fields.get("flags", "") + " " + fields.get("Features", "")).split()}
    return tuple(name for flag, name in INSTRUCTIONS.items() if flag in flags)


@cache
def fingerprint(cpuinfo: Path = CPUINFO) -> str:
    """The processor by its name and every flag that the kernel tells, which decide what a graph is compiled to."""
    fields = _fields(cpuinfo)
    return "\n".join([model_name(cpuinfo), fields.get("flags", ""), fields.get("Features", "")])


def _fields(cpuinfo: Path) -> dict[str, str]:
    """The facts about the first core."""
    fields: dict[str, str] = {}
    with suppress(OSError):
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return fields
