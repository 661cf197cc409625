"""The one OpenVINO core of a process."""

from functools import cache
from typing import Any

import numpy as np

from resvision.runtime.quiet_imports import engine


@cache
def openvino_core() -> Any:
    """The core, made once and kept until the process ends; MissingExtraError without the extra `openvino`.

    The CPU plugin of a core gives the thread that compiles first a stack for signals, since registers of AMX do not fit
    into the usual one, and frees it when the core goes, in whichever thread that happens. The next signal to the first
    thread, such as that of a child process that has ended, then ends the process.

    The tables between its number types and those of numpy are made on first use. Two threads whose first inferences
    meet there wait for each other for ever, one with the lock of a table and one with Python's: so they are used here.
    """
    openvino = engine("openvino")
    tensor = openvino.Tensor(np.zeros(1, dtype=np.uint8))
    tensor.element_type.to_dtype()
    return openvino.Core()


def default_precision() -> str:
    """The number format in which OpenVINO computes on this processor where nobody names one, such as bf16."""
    return str(openvino_core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string())
