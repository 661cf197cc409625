"""The gradient norms of a run, written step by step into `gradients.jsonl`; `core.gradient_norms` defines a line."""

import json
from collections.abc import Mapping
from pathlib import Path

from resvision.core import rundir
from resvision.core.gradient_norms import GradientNorms, read, to_json
from resvision.training.growing_files import GrowingFile, written_anew


class GradientFile:
    """The file of one run, opened for writing after the first `step` steps; lines of later steps are cut away.

    RunError where it cannot be written.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        path = folder / rundir.GRADIENTS
        with written_anew(path) as file:
            for sample in read(path) if path.exists() else ():  # one at a time: there may be very many
                if sample.step <= step:
                    file.write(_line(sample))
        self._file = GrowingFile(path)

    def add(self, step: int, norms: Mapping[str, float]) -> None:
        """Append the norms of one step."""
        self._file.write(_line(GradientNorms(step, dict(norms))))

    def sync(self) -> None:
        """Force the added lines to disk, before a checkpoint says that their steps happened."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _line(sample: GradientNorms) -> bytes:
    return (json.dumps(to_json(sample), allow_nan=False) + "\n").encode()
