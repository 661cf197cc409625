"""Pickles read without running code: plain values, and the bytes of numpy arrays.

The unpickler is Python's own: the one in C makes room for any place in its memory that a pickle names, and ends the
process over a damaged pickle.
"""

import pickle
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.files import DOCUMENT, open_regular

MOST_OPERATIONS = 1_000_000
"""The limit of a pickle; that of the 50,000 images of CIFAR-100 has a quarter."""

_OPERATIONS: dict[int, Any] = dict(pickle._Unpickler.dispatch)
_REFUSED = {ord(code) for code in (pickle.BYTEARRAY8, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET)}
"""Operations that no data set needs: one makes as much room as it says, the others hash what they are given."""


def read_arrays(file: IO[bytes]) -> Any:
    """Read the values of a pickle, arrays as StoredArray, text as bytes; DataError where it asks for anything else."""
    return _ArraysOnly(file, encoding="bytes").load()


def read_saved(path: Path) -> Any:
    """Read the plain values that `torch.save` wrote; DataError where it wrote anything else, such as a tensor."""
    with open_regular(path) as file:
        if not is_zipfile(file):
            file.seek(0)
            for _ in range(3):  # before PyTorch 1.6: a magic number, the version, the system, and then the values
                _PlainValues(file).load()
            return _PlainValues(file).load()
        with ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as member:
                values = member.read(DOCUMENT + 1)  # a member may be deflated, and announce any size
    if len(values) > DOCUMENT:
        raise DataError("values of more than the limit of what is read at once")
    return _PlainValues(BytesIO(values)).load()


class _Operations(dict[int, Any]):
    """The operations of pickles by their codes, of which so many are done and no more."""

    def __init__(self, operations: dict[int, Any]) -> None:
        super().__init__(operations)
        self._left = MOST_OPERATIONS

    def __getitem__(self, code: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise DataError(f"a pickle of more than {MOST_OPERATIONS:,} operations, refused")
        return super().__getitem__(code)


class _PlainValues(pickle._Unpickler):
    """An unpickler of numbers, text, tuples, lists and dictionaries, which imports nothing.

    Keys of dictionaries are texts, numbers, and tuples of these: to hash tuples of tuples of tuples can take for ever.
    """

    stack: list[Any]

    def __init__(self, file: IO[bytes], **options: Any) -> None:
        super().__init__(file, **options)
        operations = {code: _OPERATIONS[code] for code in _OPERATIONS if code not in _REFUSED}
        operations[pickle.SETITEM[0]] = _PlainValues._set_item
        operations[pickle.SETITEMS[0]] = _PlainValues._set_items
        unpickler: Any = self  # its operations are of the class, but their count is of one pickle
        unpickler.dispatch = _Operations(operations)

    def _set_item(self) -> None:
        _require_plain_keys(self.stack[-2:-1])
        _OPERATIONS[pickle.SETITEM[0]](self)

    def _set_items(self) -> None:
        _require_plain_keys(self.stack[::2])  # names and values above the mark
        _OPERATIONS[pickle.SETITEMS[0]](self)

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every name, so that a pickle can call nothing."""
        raise DataError(f"a pickle that asks for {printable(f'{module}.{name}')}, refused")


class Outline(_PlainValues):
    """An unpickler that makes nothing of a pickle but its dictionaries and lists, and a stand-in for all other objects.

    Where it comes to the end, so does another one, without making room or hashing for ever. Raises DataError for what
    could do that, and whatever a damaged pickle makes an unpickler raise.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of every name but `bytearray`, which makes as much room as it is told."""
        if name == "bytearray":
            raise DataError("a pickle that asks for a bytearray, refused")
        return _StandInOfSet if name in {"set", "frozenset", "Counter"} else _StandIn

    def persistent_load(self, pid: Any) -> Any:
        """The stand-in of what lies outside the pickle, such as the numbers of a tensor."""
        return _StandIn()


class _StandIn:
    """An object in an outline, which takes all that a pickle does to it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        for pairs in arguments:
            if isinstance(pairs, list):  # of an OrderedDict, as Python 2 wrote it
                _require_plain_keys([pair[0] for pair in pairs if isinstance(pair, list | tuple) and pair])

    def __setstate__(self, state: Any) -> None:
        """Forget the state."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget the item."""

    def extend(self, items: Any) -> None:
        """Forget the items."""

    append = extend


class _StandInOfSet(_StandIn):
    """A set or a count in an outline."""

    def __init__(self, *arguments: Any) -> None:
        for items in arguments:
            _require_plain_keys(items if isinstance(items, list) else [items])


def _require_plain_keys(keys: list[Any]) -> None:
    plain = str | bytes | int | float | None
    for key in keys:
        if not all(isinstance(part, plain) for part in (key if isinstance(key, tuple) else (key,))):
            raise DataError("a pickle of a dictionary whose keys are neither texts nor numbers, refused")


class _ArraysOnly(_PlainValues):
    """An unpickler that also takes arrays, as StoredArray."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-ins for the three names that a pickle of arrays needs; every other name is refused."""
        stand_ins = {"_reconstruct": lambda *_: StoredArray(), "ndarray": StoredArray, "dtype": _StoredType}
        modules = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}
        if module in modules and name in stand_ins:
            return stand_ins[name]
        if (module, name) == ("_codecs", "encode"):  # how newer pickles of protocol 2 write bytes
            return _latin_bytes
        return super().find_class(module, name)


class StoredArray:
    """The state of an array in a pickle, unchecked: numpy would believe it, and a damaged one can end the process."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def pixels(self) -> NDArray[np.uint8] | None:
        """The array, None where it is not whole or not of bytes."""
        try:
            _, shape, stored_type, by_columns, data = self.state
            is_bytes = stored_type.code in {"u1", b"u1"}
            return np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_columns else "C") if is_bytes else None
        except (TypeError, ValueError, AttributeError):
            return None


class _StoredType:
    """The type of an array's numbers."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Drop byte order and the like, which bytes do not have."""


def _latin_bytes(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")
