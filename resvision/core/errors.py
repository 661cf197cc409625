"""The tree of errors. Every message says what went wrong, where, and what to do.

ResVisionError              the command line prints it as one line
├── SettingsError           a key or a value of a Run or of a command       exit code 2
│   └── MissingStageError   a backbone lacks a map that a system needs      exit code 2
├── UnknownNameError        no model, data set, recipe or verb of that name exit code 2
├── DataError               a file or folder of images                      exit code 2
├── RunError                a run directory: missing, another run, damaged  exit code 2
├── WeightsError            weights from elsewhere: a file, an address      exit code 2
├── MissingExtraError       a part of the package that is not installed     exit code 2
├── NonFiniteLossError      training went astray                            exit code 1
└── Stopped                 a signal stopped the run                        exit code 128 + its number
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class ResVisionError(Exception):
    """Every error of the package: its message has the remedy, and the command line ends with its `exit_code`."""

    exit_code = 2


class SettingsError(ResVisionError):
    """A setting has an unknown name, a wrong type, or a value that cannot work."""


class MissingStageError(SettingsError):
    """The backbone lacks a feature map that the system needs."""


class UnknownNameError(ResVisionError):
    """None of our tables holds a name; the message gives the nearest ones."""


class DataError(ResVisionError):
    """A file or folder of images cannot be used; the message names it."""


class TooManyPixelsError(DataError):
    """An image has more pixels than are read."""


class RunError(ResVisionError):
    """A run directory is missing, damaged, or belongs to another run."""


class WeightsError(ResVisionError):
    """Weights from elsewhere cannot be had, read or used; the message names the file or the address."""


class MissingExtraError(ResVisionError):
    """A verb needs an extra of the package, which is not installed."""


class NonFiniteLossError(ResVisionError):
    """The loss became infinite or NaN; the message names step, terms and the last good checkpoint."""

    exit_code = 1


class Stopped(ResVisionError):
    """A signal stopped the run; it left a checkpoint, unless it was not `kept`.

    `command` goes on with the run; it is "" where there is no run directory yet.
    """

    def __init__(self, signal: int, *, kept: bool = True) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.exit_code = 128 + signal
        self.kept, self.command = kept, ""

    def __str__(self) -> str:
        if not self.command:
            return f"{self.args[0]}; nothing was begun"
        outcome = "a checkpoint was written" if self.kept else "nothing after the last checkpoint is kept"
        return f"{self.args[0]}; {outcome}; go on with: {self.command}"


def is_memory_shortage(error: Exception) -> bool:
    """Whether numpy or torch, on the CPU or on CUDA, failed for lack of memory."""
    words = ("out of memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def nearest(name: str, choices: Iterable[str], *, limit: int = 3, cutoff: float = 0.5) -> list[str]:
    """The choices spelled most like `name`, best first, at most `limit`; `cutoff` is 1 for those that are equal."""
    by_folded = {choice.lower(): choice for choice in choices}
    return [by_folded[match] for match in get_close_matches(name.lower(), by_folded, n=limit, cutoff=cutoff)]


def unknown_name(noun: str, name: str, choices: Iterable[str], *, remedy: str = "") -> UnknownNameError:
    """An UnknownNameError that names the nearest choices, or all of them when they are few."""
    choices = list(choices)
    close = nearest(name, choices)
    if close:
        hint = f"nearest: {', '.join(close)}"
    elif len(choices) <= 12:
        hint = f"choices: {', '.join(choices)}"
    else:
        hint = ""
    parts = [f"unknown {noun} {name!r}", hint, remedy]
    return UnknownNameError("; ".join(part for part in parts if part))


def printable(name: Path | str) -> str:
    """The name on one line: line breaks, control characters and undecodable bytes are written as escapes."""
    text = str(name)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
