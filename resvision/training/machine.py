"""The machine of a run: automatic choices are made once, here, written into the run, and used again on resume."""

import ctypes
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.distributed as dist
from msgspec import Meta
from torch import nn

from resvision.core.errors import SettingsError
from resvision.core.plurals import counted
from resvision.layers.on_cpu import convolutions

COMPILE_PAYS_FROM = 3e14
"""The multiply-adds of a run from which compiling surely pays: on two cores ResNet-20 at 28 px was 1.24 times as fast
after 52 s of compiling, and deeper nets compile longer."""

COMPILE_BYTES = 4 * 2**20
"""Room in the folder of temporary files without which compiling fails."""

COMPILE_PAYS_UP_TO_PX = 64
"""The side of the images up to which compiling pays on a CPU: ResNet-18 at 224 px was 0.9 times as fast compiled, since
the convolutions are the same and the gradient of max pooling is slower."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Device, precision and speed choices; `auto` and None are decided by `decide`.

    device         where the run computes; auto takes CUDA where there is one
    precision      fp32, or bf16 by autocast (weights and optimizer stay fp32)
    channels_last  NHWC memory format
    compile        torch.compile of the training step, with fixed shapes
    threads        threads of the CPU, in each process
    workers        processes that decode images; 0 decodes in the training process
    matrix_units   compute convolutions in bf16 as suits a CPU with matrix units (AMX); none asks what this CPU has
    deterministic  ask CUDA for deterministic kernels
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool | None = None
    compile: bool | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None  # torch takes more, and ends the process
    workers: Annotated[int, Meta(ge=0, le=256)] | None = None
    matrix_units: bool | None = None
    deterministic: bool = False


def decide(
    machine: Machine, *, training_macs: float, image_px: int, decodes_files: bool, too_small_for: str | None = None
) -> Machine:
    """Make every automatic choice of a machine.

    training_macs  an estimate of the run's multiply-adds
    image_px       side of its images
    decodes_files  whether images are decoded while training
    too_small_for  the convolution, if any, that the images are too small for, as `probes.padding` finds it

    Raises SettingsError where CUDA is asked for and absent, and for bf16 on a CPU with images that are too small.
    """
    if machine.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("machine.device: cuda is not available here; choose cpu")
    device = machine.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and machine.precision == "bf16" and too_small_for:
        raise SettingsError(
            f"machine.precision: the images are so small that weights of {too_small_for} meet padding alone, and torch"
            " gives wrong gradients for those in bf16; choose fp32, or a larger data.image_size"
        )
    fast_bf16 = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_has_bf16() and not too_small_for
    suits = device != "cpu" or image_px <= COMPILE_PAYS_UP_TO_PX
    pays = suits and training_macs >= COMPILE_PAYS_FROM and can_compile(device)
    if machine.compile and (hindrance := compile_hindrance(device)):
        raise SettingsError(f"machine.compile: {hindrance}")
    return replace(
        machine,
        device=device,
        precision=("bf16" if fast_bf16 else "fp32") if machine.precision == "auto" else machine.precision,
        channels_last=True if machine.channels_last is None else machine.channels_last,
        compile=pays if machine.compile is None else machine.compile,
        threads=machine.threads or torch.get_num_threads(),
        workers=(decoding_workers() if decodes_files else 0) if machine.workers is None else machine.workers,
        matrix_units=_cpu_has_matrix_units() if machine.matrix_units is None else machine.matrix_units,
    )


def adopt(asked: Machine, decided: Machine) -> Machine:
    """The machine `asked` with the choices of `decided` wherever it leaves one open."""
    open_choices = {name for name, value in vars(asked).items() if value is None or value == "auto"}
    return replace(asked, **{name: getattr(decided, name) for name in open_choices})


def can_compile(device: str) -> bool:
    """Whether torch.compile finds what it needs."""
    return compile_hindrance(device) is None


def compile_hindrance(device: str) -> str | None:
    """The reason why torch.compile would fail here, with the remedy, None where it would not.

    It needs a compiler of C++ for the CPU, and room for its files, which the compiler writes to TMPDIR as well.
    """
    if device == "cpu" and not any(shutil.which(os.environ.get("CXX", name)) for name in ("c++", "g++", "clang++")):
        return "no C++ compiler found; install one, such as g++"
    try:
        named = [os.environ.get(name) for name in ("TMPDIR", "TORCHINDUCTOR_CACHE_DIR")]
        for folder in (Path(name).absolute() for name in (tempfile.gettempdir(), *named) if name):
            there = next(place for place in (folder, *folder.parents) if place.is_dir())  # torch makes the rest
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(bytes(COMPILE_BYTES))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return f"compiling needs temporary files ({place}{error.strerror}); free some room, or set TMPDIR elsewhere"
    return None


def decoding_workers() -> int:
    """The number of processes that decode images beside a net on the CPU."""
    return min(2, os.cpu_count() or 1)


def described(machine: Machine) -> str:
    """A decided machine in a line, with the reason where it does not compile."""
    reason = (compile_hindrance(machine.device) or "").partition(";")[0]
    if not reason:
        reason = "compiling pays in long runs" + (" on small images" if machine.device == "cpu" else "")
    choices = [
        machine.device,
        machine.precision,
        "channels_last" if machine.channels_last else "contiguous",
        "compiled" if machine.compile else f"eager ({reason}; machine.compile=true forces it)",
        counted(machine.threads or 1, "thread"),
        counted(machine.workers or 0, "worker"),
    ]
    return ", ".join(choices)


def prepare(machine: Machine) -> torch.device:
    """Set the process up for a decided machine, and return its device."""
    assert machine.threads is not None, "decide() comes first"
    keep_freed_memory()
    torch.set_num_threads(machine.threads)
    if machine.deterministic:  # cuBLAS asks for it, and looks once, when it is first used
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(machine.deterministic)
    if machine.device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(machine.device)


def place(net: nn.Module, machine: Machine, device: torch.device) -> nn.Module:
    """Put the net on its device, in its memory format, with the convolutions that suit it in training."""
    if device.type == "cpu":
        convolutions.use(net, **_suited(machine))
    return move(net, machine, device)


@contextmanager
def at_work(net: nn.Module, machine: Machine) -> Iterator[None]:
    """Have the net compute as suits its machine inside the block; outside it is made of torch's own layers."""
    if machine.device != "cpu":
        yield
        return
    with convolutions.used(net, **_suited(machine)):
        yield


def _suited(machine: Machine) -> dict[str, bool]:
    """The choice of convolutions for a decided machine, as it was recorded and whatever this CPU has."""
    return {"bf16": machine.precision == "bf16", "matrix_units": bool(machine.matrix_units)}


def move(net: nn.Module, machine: Machine, device: torch.device) -> nn.Module:
    """Put the net on its device, in its memory format."""
    # For a net that only predicts as well: torch's own choice is TF32, which keeps three digits of fp32.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = machine.precision != "fp32"
    if machine.channels_last:
        return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return net.to(device)


def autocast(machine: Machine) -> torch.autocast:
    """A fresh autocast context of the run's precision."""
    return torch.autocast(machine.device, dtype=torch.bfloat16, enabled=machine.precision == "bf16")


def rank_and_world() -> tuple[int, int]:
    """This process's rank and the number of processes; (0, 1) where no group was joined."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def environment() -> dict[str, Any]:
    """Versions and hardware, for the run directory."""
    return {
        "resvision": version("resvision"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "numpy": version("numpy"),
        "pillow": version("pillow"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_capabilities().get("cpu_name") or platform.processor() or "unknown",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "bf16_matrix_units": _cpu_has_matrix_units(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "processes": rank_and_world()[1],
    }


def keep_freed_memory() -> None:
    """Have glibc keep large blocks for the next step.

    Where it gives them back, the kernel maps their pages anew, which takes up to 7 % of a step.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other libraries do without
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # of malloc.h
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)


def _cpu_has_bf16() -> bool:
    return any(_cpu_capabilities().get(name) for name in ("amx_bf16", "avx512_bf16", "sve_bf16"))


def _cpu_has_matrix_units() -> bool:
    return bool(_cpu_capabilities().get("amx_bf16"))


def _cpu_capabilities() -> Mapping[str, Any]:
    """The CPU's capabilities by torch's names; empty in releases of torch without them, which then train in fp32."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities
