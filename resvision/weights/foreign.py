"""State dicts from elsewhere: read without running code, taken out of their wrappers, under our names.

Our names are torchvision's wherever it has the net, so most files need no more than reading.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from resvision.core.errors import WeightsError, printable
from resvision.core.files import open_regular, require_tensors
from resvision.training.checkpoints import State
from resvision.weights.torch_files import require_as_large, require_room

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""The keys under which training scripts save weights beside other things, the likeliest first."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""The prefixes of all names in a file: of DataParallel, torch.compile, and modules that hold the net."""
RENAMED = {"pre_logits.fc1.": "classifier.0.", "pre_logits.fc2.": "classifier.3.", "head.fc.": "classifier.6."}
"""timm's names in VGG, whose first two layers of the classifier it keeps as convolutions; its ResNets have ours."""
OLDER = (
    (re.compile(r"((?:backbone\.)?fpn\.(?:inner|layer)_blocks\.\d+|rpn\.head\.conv\.0)\.(weight|bias)"), r"\1.0.\2"),
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)"), r"\1.0.0.\2"),
)
"""Names of torchvision's detectors in files from before 0.14, and their present ones."""
_SUBNET = re.compile(r"(head\.(?:classification|regression)_head\.conv)\.(\d+)\.(weight|bias)")
"""Layers of RetinaNet's subnets in such files, in which a ReLU was counted after each convolution."""

_COUNT = "num_batches_tracked"
_AVERAGED = "n_averaged"
"""The count of weights in an average, which torch's AveragedModel keeps among them."""
_DEEPEST = 8
"""The most wrappers around each other."""


class Foreign(NamedTuple):
    """The weights of a file from elsewhere, and the changes made to them.

    state    tensors on the CPU, by our names
    wrapped  the wrappers taken off: keys of dictionaries and prefixes of names, from the outside in
    others   keys of other weights in the file that were not taken, such as averaged ones
    renamed  our names of those tensors that the file calls otherwise, with its names, prefixes left out
    dropped  tensors that are no weights of a net
    filled   counts of batches that files from before PyTorch 0.4.1 do not have, here 0
    """

    state: State
    wrapped: tuple[str, ...]
    others: tuple[str, ...]
    renamed: dict[str, str]
    dropped: tuple[str, ...]
    filled: tuple[str, ...]


def read_foreign(path: Path, *, name: str | None = None, key: str | None = None) -> Foreign:
    """Read the weights in a file of PyTorch or safetensors; `name` stands for it in errors.

    Of a file with several state dicts the one under `key` is taken, else the likeliest. Pickles are read with
    `weights_only=True`. Raises WeightsError for a file that is missing, cut off, would take more memory than it has
    bytes, holds code or objects beside tensors, or no weights at all.
    """
    shown = printable(name or path)
    require_regular(path, shown)
    loaded = _load_safetensors(path, shown) if _is_safetensors(path, shown) else _load_pickle(path, shown)
    inner, wrapped, others = _unwrapped(loaded, key, shown)
    state = _checked(inner, shown)
    _require_as_large(state, path, shown)
    dropped = tuple(key for key in state if key == _AVERAGED and state[key].ndim == 0)
    state = {key: tensor for key, tensor in state.items() if key not in dropped}
    while prefix := next(
        (candidate for candidate in PREFIXES if state and all(key.startswith(candidate) for key in state)), None
    ):
        wrapped.append(prefix)
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    names = {key: _our_name(key) for key in state}
    ours = {names[key]: tensor for key, tensor in state.items()}
    if len(ours) < len(state):
        raise WeightsError(f"{shown}: holds some weights twice, by two names")
    norms = [key.rpartition(".")[0] for key in ours if key.endswith(".running_mean")]
    filled = tuple(f"{norm}.{_COUNT}" for norm in norms if f"{norm}.{_COUNT}" not in ours)
    ours |= {key: torch.tensor(0) for key in filled}
    renamed = {new: old for old, new in names.items() if new != old}
    return Foreign(ours, tuple(wrapped), others, renamed, dropped, filled)


def _unwrapped(loaded: Any, key: str | None, shown: str) -> tuple[Any, list[str], tuple[str, ...]]:
    """The innermost dictionary, the keys of those around it, and the keys of other weights beside them."""
    wrapped: list[str] = []
    others: list[str] = []
    if key is not None:
        if not isinstance(loaded, Mapping) or not isinstance(loaded.get(key), Mapping):
            choices = ", ".join(printable(choice)[:60] for choice in _state_dicts(loaded)) or "none"
            raise WeightsError(f"{shown}: holds no weights under the key {printable(key)!r}; choices: {choices}")
        wrapped.append(key)
        loaded = loaded[key]
    while isinstance(loaded, Mapping) and len(wrapped) < _DEEPEST:
        inside = _state_dicts(loaded)
        usual = next((name for name in WRAPPERS if isinstance(loaded.get(name), Mapping)), None)
        if usual is None and len(inside) > 1:
            listed = ", ".join(printable(name)[:60] for name in inside[:8])
            raise WeightsError(f"{shown}: holds the weights of several nets, {listed}; choose by --key")
        taken = usual or next(iter(inside), None)
        if taken is None:
            break
        others += [name for name in inside if name != taken]
        wrapped.append(taken)
        loaded = loaded[taken]
    return loaded, wrapped, tuple(others)


def _state_dicts(loaded: Any) -> list[str]:
    """The keys under which a dictionary holds tensors by name, in wrappers or without."""
    if not isinstance(loaded, Mapping):
        return []
    return [key for key, value in loaded.items() if isinstance(key, str) and _holds_tensors(value, _DEEPEST)]


def _holds_tensors(value: Any, deepest: int) -> bool:
    if not isinstance(value, Mapping) or not value or not deepest:
        return False
    if all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in value.items()):
        return True
    return any(_holds_tensors(value.get(name), deepest - 1) for name in WRAPPERS)


def require_regular(path: Path, shown: str) -> None:
    """Raise WeightsError for a path that is no file, and for pipes and devices, whose reading would not end."""
    if path.is_file():
        return
    fault = "a folder, not a file" if path.is_dir() else "not a regular file" if path.exists() else "no such file"
    raise WeightsError(f"{shown}: {fault}")


def _require_as_large(state: State, path: Path, shown: str) -> None:
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in state.values()}
    try:
        require_as_large(
            path.stat().st_size,
            storages=sum(storages.values()),
            tensors=sum(tensor.numel() * tensor.element_size() for tensor in state.values()),
        )
    except WeightsError as error:
        raise WeightsError(f"{shown}: {error}") from None


def _our_name(key: str) -> str:
    for theirs, ours in RENAMED.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    for older, present in OLDER:
        if older.fullmatch(key):
            return older.sub(present, key)
    if in_subnet := _SUBNET.fullmatch(key):
        conv, index, name = in_subnet.groups()
        return f"{conv}.{int(index) // 2}.0.{name}"
    return key


def _is_safetensors(path: Path, shown: str) -> bool:
    """Whether a file is safetensors, by its first bytes: the length of a header, then the header, which is JSON."""
    try:
        require_tensors(path)
        with open_regular(path) as file:
            return file.read(9)[8:] == b"{"
    except OSError as error:
        raise WeightsError(f"{shown}: cannot be read: {error.strerror}") from None


def _load_safetensors(path: Path, shown: str) -> State:
    try:
        state: State = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{shown}: cut off or damaged, not whole safetensors ({printable(str(error))})") from None
    return state


def _load_pickle(path: Path, shown: str) -> Any:
    try:
        with warnings.catch_warnings(), open_regular(path) as file:  # a path would be read by what it is called
            warnings.simplefilter("ignore")  # what else there is to say is said by the error
            require_room(file)
            return torch.load(file, map_location="cpu", weights_only=True)
    except WeightsError as error:
        raise WeightsError(f"{shown}: {error}") from None
    except MemoryError:
        raise WeightsError(f"{shown}: asks for more memory than there is; save the state dict alone") from None
    except Exception as error:  # noqa: BLE001 - damaged bytes make the reader raise nearly anything
        raise WeightsError(f"{shown}: {_reason(str(error))}") from None


def _reason(message: str) -> str:
    """The reason for which torch.load refused a file, without its advice to read it unsafely."""
    if named := re.search(r"GLOBAL (\S+)", message):
        return (
            f"names {printable(named[1])[:80]}, which is not part of a state dict: reading it could run code, so it is"
            " refused; save the state dict alone"
        )
    if "TorchScript" in message or "legacy .tar" in message:
        return "a program of TorchScript or a file from before PyTorch 0.4, not a state dict; save its state_dict()"
    return "not a whole file of weights: it is cut off, damaged, or something else"


def _checked(loaded: Any, shown: str) -> State:
    """The loaded object as a state dict of plain tensors; WeightsError for anything else."""
    if not isinstance(loaded, Mapping) or not loaded:
        content = "an empty dictionary" if isinstance(loaded, Mapping) else f"a {type(loaded).__name__}"
        raise WeightsError(f"{shown}: holds {content}, not a state dict of tensors by name")
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            name = printable(str(key))[:60]
            raise WeightsError(f"{shown}: {name} is a {type(value).__name__}, not a tensor with a name")
        if value.layout is not torch.strided or value.is_quantized or value.device.type != "cpu":
            raise WeightsError(f"{shown}: {printable(key)[:60]} is not a plain dense tensor")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise WeightsError(f"{shown}: {printable(key)[:60]} claims more numbers than the file holds")
    return {key: value.detach() for key, value in loaded.items()}
