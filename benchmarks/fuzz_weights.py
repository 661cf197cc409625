"""Mutated files of weights into the readers of foreign and of our own ones: safetensors, PyTorch's pickles, Darknet's.

    python benchmarks/fuzz_weights.py --seconds 120 --save found

Expected: nothing crashed, nothing hung.
"""

import io
import json
import struct
import sys
import warnings
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from fuzz_runs import each_of
from fuzzing import Target, main
from mutations import mutated_bytes, mutated_json, mutated_lines, pick
from numpy.random import Generator
from safetensors import SafetensorError
from safetensors.torch import save

from resvision import catalog
from resvision.core.views import Stretch
from resvision.inference.load import load
from resvision.training.checkpoints import load_weights, read_weights
from resvision.weights.about import About, header_of
from resvision.weights.darknet_cfg import read_cfg
from resvision.weights.darknet_differences import differences
from resvision.weights.darknet_weights import look_at, numbers_of, read_darknet
from resvision.weights.foreign import read_foreign

NARROW = {"width": 1, "in_channels": 1}
JSON_KEYS = ("options", "view", "classes")
"""The keys of a header whose texts are JSON."""


def small_net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1))


def read_safetensors(data: bytes, folder: Path) -> None:
    path = folder / "it.safetensors"
    path.write_bytes(data)
    each_of(lambda: read_foreign(path), lambda: read_weights(path), lambda: load_weights(small_net(), path))


def read_pickle(data: bytes, folder: Path) -> None:
    path = folder / "it.pth"
    path.write_bytes(data)
    read_foreign(path)


def safetensors() -> list[bytes]:
    """The weights of a small net, with and without texts about them."""
    state = small_net().state_dict()
    return [save(state), save(state, {"source": "a fuzzer", "sha256": "0" * 64})]


def pickles() -> list[bytes]:
    """State dicts as PyTorch has written them, bare and wrapped."""
    state = small_net().state_dict()
    doubled = {f"module.{key}": value for key, value in state.items()}
    wrapped = {"state_dict": doubled, "epoch": 3, "best": 0.5, "args": ["--lr", "1"]}
    return [_saved(state), _saved(wrapped), _saved(state, zipped=False), _saved({"model": state}, zipped=False)]


def _saved(content: object, *, zipped: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@cache
def narrow_state() -> dict[str, torch.Tensor]:
    """The weights of a net of our catalog, as narrow as it can be built."""
    torch.manual_seed(0)
    return catalog.build("resnet20", num_classes=2, **NARROW).state_dict()


def headers() -> list[bytes]:
    """The texts that our files of weights hold about themselves, as one JSON document."""
    view = Stretch(channels=1, resize_px=8, crop_px=8, mean=(0.5,), std=(0.25,))
    about = About(model="resnet20", options={"num_classes": 2, **NARROW}, view=view, classes=("cat", "dog"))
    texts = header_of(about, made_from="it.pth")
    return [json.dumps({**texts, **{key: json.loads(texts[key]) for key in JSON_KEYS if key in texts}}).encode()]


def read_header(data: bytes, folder: Path) -> None:
    """Weights under another header are refused, or answer about an image."""
    path = folder / "it.safetensors"
    try:
        parts = json.loads(data)
        texts = {str(key): part if isinstance(part, str) else json.dumps(part) for key, part in parts.items()}
        path.write_bytes(save(narrow_state(), texts))
    except (ValueError, AttributeError, RecursionError, SafetensorError):  # no header can say this
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = load("resnet20", weights=path)
    assert all(map(str.isprintable, trained.classes))
    trained(np.zeros((8, 8), np.uint8))


@cache
def darknets() -> list[bytes]:
    """The weights of a narrow Darknet-19 behind both headers."""
    numbers = np.full(numbers_of(darknet()), 0.5, "<f4").tobytes()
    return [struct.pack("<iiiq", 0, 2, 5, 9) + numbers, struct.pack("<iiii", 0, 1, 0, 9) + numbers]


def darknet() -> torch.nn.Module:
    """A net of Darknet, as narrow as it can be built."""
    with torch.device("meta"):
        return catalog.build("darknet19", num_classes=2, **NARROW)


def read_darknets(data: bytes, folder: Path) -> None:
    path = folder / "it.weights"
    path.write_bytes(data)
    state = read_darknet(look_at(path), darknet())
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


CFG = b"""[net]
width=32 # of images
height=32
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2
[upsample]
stride=2
[route]
layers=-1,0
[reorg]
stride=2
[shortcut]
from=-1
[convolutional]
filters=14
size=1
activation=linear
[region]
classes=2
num=2
anchors=1.5,2, 3,4.25
"""


def read_cfgs(data: bytes, folder: Path) -> None:
    path = folder / "it.cfg"
    path.write_bytes(data)
    cfg = read_cfg(path)
    assert str(cfg).isprintable()
    assert all(map(str.isprintable, differences(cfg, darknet())))


def mutated_cfg(corpus: list[bytes], draws: Generator) -> bytes:
    """Other lines or other bytes."""
    return pick([mutated_lines, mutated_bytes], draws)(corpus, draws)


def mutated_safetensors(corpus: list[bytes], draws: Generator) -> bytes:
    """Most of the time another header under its right length, else other bytes."""
    whole = pick(corpus, draws)
    length = int.from_bytes(whole[:8], "little")
    if draws.random() < 0.2 or length > len(whole) - 8:
        return mutated_bytes(corpus, draws)
    header = mutated_json([whole[8 : 8 + length]], draws)
    return len(header).to_bytes(8, "little") + header + whole[8 + length :]


def mutated_pickle(corpus: list[bytes], draws: Generator) -> bytes:
    """Most of the time other contents of one file in the archive under the right sum, else other bytes."""
    whole = pick(corpus, draws)
    if draws.random() < 0.2 or not zipfile.is_zipfile(io.BytesIO(whole)):
        return mutated_bytes([whole], draws)
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return mutated_bytes([whole], draws)
    names = [*files]
    pickled = [name for name in names if name.endswith("data.pkl")]
    name = pickled[0] if pickled and draws.random() < 0.8 else pick(names, draws)
    files[name] = mutated_bytes([files[name]], draws)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", pick([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], draws)) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


TARGETS = [
    Target(name="safetensors", seeds=cache(safetensors), read=read_safetensors, mutate=mutated_safetensors),
    Target(name="header of weights", seeds=cache(headers), read=read_header, mutate=mutated_json),
    Target(name="pickle of weights", seeds=cache(pickles), read=read_pickle, mutate=mutated_pickle),
    Target(name="weights of Darknet", seeds=darknets, read=read_darknets),
    Target(name="cfg of Darknet", seeds=lambda: [CFG], read=read_cfgs, mutate=mutated_cfg),
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(TARGETS, __doc__))
