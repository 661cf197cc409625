"""State dicts from elsewhere: what is read, what is mapped, and what is refused."""

import io
import json
import os
import pickle
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial, reduce
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn
from torchvision import models

from resvision import catalog
from resvision.core.errors import SettingsError, WeightsError
from resvision.layers.shortcuts import PaddedShortcut
from resvision.training.initial import initial_state
from resvision.weights.convert import fit, modules_that_differ, shapes, value_from_shapes
from resvision.weights.foreign import read_foreign

Cli = Callable[..., tuple[int, str, str]]
State = dict[str, Tensor]


def small(classes: int = 7, **options: object) -> State:
    """The state of a narrow ResNet-20 with random numbers, statistics too."""
    torch.manual_seed(0)
    net = catalog.build("resnet20", num_classes=classes, **{"width": 4, **options})
    return {name: torch.rand_like(t) if t.is_floating_point() else t + 3 for name, t in net.state_dict().items()}


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("wrap", "wrapped"),
    [
        (lambda state: state, ()),
        (OrderedDict, ()),
        (lambda state: {f"module.{name}": tensor for name, tensor in state.items()}, ("module.",)),
        (
            lambda state: {
                "epoch": 3,
                "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
                "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
            },
            ("state_dict", "module."),
        ),
        (lambda state: {"model": {f"_orig_mod.{name}": t for name, t in state.items()}}, ("model", "_orig_mod.")),
        (lambda state: {f"model.module.{name}": t for name, t in state.items()}, ("model.", "module.")),
        (lambda state: {name: nn.Parameter(t, t.is_floating_point()) for name, t in state.items()}, ()),
    ],
    ids=["bare", "ordered", "DataParallel", "a checkpoint", "compiled", "twice", "parameters"],
)
def test_wrappers_are_taken_off(wrap: Callable[[State], object], wrapped: tuple[str, ...], tmp_path: Path) -> None:
    state = small()
    torch.save(wrap(state), tmp_path / "it.pth")
    found = read_foreign(tmp_path / "it.pth")
    assert found.wrapped == wrapped
    assert equal(found.state, state)
    assert (found.renamed, found.filled) == ({}, ())


def averaged(state: State) -> State:
    return {name: tensor + 1 for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("beside", "raw", "key"),
    [
        (lambda raw, average: {"state_dict": raw, "state_dict_ema": average}, "state_dict", "state_dict_ema"),
        (lambda raw, average: {"ema": average, "epoch": 3, "model": raw}, "model", "ema"),
        (lambda raw, average: {"model": raw, "model_ema": {"state_dict": average}}, "model", "model_ema"),
    ],
)
def test_averaged_weights_beside_raw_ones_are_said_and_taken_by_their_key(
    beside: Callable[[State, State], object], raw: str, key: str, tmp_path: Path, cli: Cli
) -> None:
    state = small()
    torch.save(beside(state, averaged(state)), tmp_path / "it.pth")
    target = tmp_path / "it.safetensors"
    code, out, err = cli("convert", tmp_path / "it.pth", "resnet20")
    assert code == 0, err
    assert out.splitlines()[:2] == [f"taken out of {raw!r}", f"not taken   the weights in {key!r}: --key takes them"]
    assert equal(load_file(target), state)
    code, out, err = cli("convert", tmp_path / "it.pth", "resnet20", "--key", key, "--force")
    assert (code, out.splitlines()[0]) == (0, f"taken out of {key!r}"), err
    assert equal(load_file(target), averaged(state))
    code, _, err = cli("convert", tmp_path / "it.pth", "resnet20", "--key", "best", "--force")
    assert (code, err.count("\n")) == (2, 1)
    assert "holds no weights under the key 'best'; choices: " in err
    assert key in err
    assert raw in err


@pytest.mark.parametrize(
    ("wrap", "wrapped", "dropped"),
    [
        (lambda state: {"epoch": 3, "state_dict_ema": state}, ("state_dict_ema",), ()),
        (lambda state: {"ema": {"model": state}, "optimizer": {"state": {}}}, ("ema", "model"), ()),
        (
            lambda state: {"n_averaged": torch.tensor(9)} | {f"module.{name}": state[name] for name in state},
            ("module.",),
            ("n_averaged",),
        ),
    ],
    ids=["state_dict_ema", "ema", "AveragedModel"],
)
def test_averaged_weights_alone_are_taken(
    wrap: Callable[[State], object], wrapped: tuple[str, ...], dropped: tuple[str, ...], tmp_path: Path
) -> None:
    state = small()
    torch.save(wrap(state), tmp_path / "it.pth")
    found = read_foreign(tmp_path / "it.pth")
    assert (found.wrapped, found.dropped, found.others) == (wrapped, dropped, ())
    assert equal(found.state, state)


def test_a_net_whose_own_parts_have_such_names_keeps_them(tmp_path: Path) -> None:
    state = {"model.weight": torch.rand(2), "net.weight": torch.rand(3), "head.weight": torch.rand(4)}
    torch.save(state, tmp_path / "it.pth")
    assert equal(read_foreign(tmp_path / "it.pth").state, state)


def test_the_old_format_of_torch_and_safetensors_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    state = small()
    torch.save(state, tmp_path / "old.safetensors", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "new.pth")
    assert equal(read_foreign(tmp_path / "old.safetensors").state, state)
    assert equal(read_foreign(tmp_path / "new.pth").state, state)


class TimmVgg(nn.Module):
    """The parts and names that timm gives VGG, for maps of 2x2 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.pre_logits = nn.ModuleDict({"fc1": nn.Conv2d(4, 6, 2), "fc2": nn.Conv2d(6, 6, 1)})
        self.head = nn.ModuleDict({"fc": nn.Linear(6, 5)})

    def forward(self, images: Tensor) -> Tensor:
        x = self.pre_logits["fc1"](self.features(images)).relu()
        x = self.pre_logits["fc2"](x).relu()
        return self.head["fc"](x.flatten(1))


class OurVgg(nn.Module):
    """The same net by torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        layers = [nn.Linear(16, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 5)]
        self.classifier = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).flatten(1))


def test_timms_vgg_gives_the_same_logits_by_our_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs, ours = TimmVgg().eval(), OurVgg().eval()
    torch.save(theirs.state_dict(), tmp_path / "timm.pth")
    found = read_foreign(tmp_path / "timm.pth")
    assert found.renamed["classifier.0.weight"] == "pre_logits.fc1.weight"
    fitted = fit(ours.state_dict(), found.state)
    assert fitted.faults == {}
    assert fitted.reshaped["classifier.0.weight"] == "(6, 4, 2, 2) to (6, 16)"
    ours.load_state_dict(fitted.state)
    images = torch.randn(3, 3, 2, 2)
    torch.testing.assert_close(ours(images), theirs(images))
    back = fit(
        theirs.state_dict(), {**theirs.state_dict(), "pre_logits.fc1.weight": fitted.state["classifier.0.weight"]}
    )
    assert torch.equal(back.state["pre_logits.fc1.weight"], theirs.pre_logits["fc1"].weight)


def test_what_does_not_fit_is_told_by_kind() -> None:
    own = {
        "a": torch.zeros(2, 3),
        "b": torch.zeros(4),
        "c": torch.zeros(2, 6),
        "n": torch.tensor(0),
        "d": torch.zeros(1),
    }
    given = {"a": torch.zeros(3, 2), "c": torch.zeros(3, 2, 1, 2), "n": torch.tensor(0.0), "d": torch.zeros(1).half()}
    found = fit(own, {**given, "e": torch.zeros(9)})
    assert found.missing == {"b": "missing b (4,)"}
    assert found.unexpected == {"e": "unexpected e (9,)"}
    assert found.misshapen == {
        "a": "a is (3, 2), not (2, 3)",
        "c": "c is (3, 2, 1, 2), not (2, 6)",
        "n": "n is float32, not int64",
    }
    assert (found.cast, found.state["d"].dtype) == ({"d": "float16 to float32"}, torch.float32)


@pytest.mark.parametrize(("classes", "width", "channels"), [(10, 16, 3), (3, 4, 1), (1, 5, 2), (1000, 1, 4)])
def test_shapes_tell_the_options(classes: int, width: int, channels: int) -> None:
    def state(**options: int) -> State:
        with torch.device("meta"):
            return catalog.build("resnet20_b", **{"num_classes": 9, **options}).state_dict()

    given = state(num_classes=classes, width=width, in_channels=channels)
    for name, value in {"width": width, "in_channels": channels, "num_classes": classes}.items():
        known = {} if name == "width" else {"width": width}
        found = value_from_shapes(lambda at, name=name, known=known: shapes(state(**known, **{name: at})), given, at=8)
        assert found == value, name
    assert value_from_shapes(lambda at: shapes(state(num_classes=at)), {}, at=8) is None


def test_the_head_is_what_depends_on_the_number_of_classes() -> None:
    first, second = (
        {"features.0.weight": (4, 3), "classifier.6.weight": (k, 4), "classifier.6.bias": (k,), "aux1.fc2.bias": (k,)}
        for k in (2, 3)
    )
    assert modules_that_differ(first, second) == ("classifier.6", "aux1.fc2")
    assert modules_that_differ(first, first) == ()


# ------------------------------------------------------------------------------------------- the verb


def test_torchvisions_weights_become_ours_and_start_a_net(tmp_path: Path, cli: Cli) -> None:
    torch.manual_seed(0)
    state = models.resnet18(num_classes=12).state_dict()
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "it.pth")
    code, out, err = cli("convert", tmp_path / "it.pth", "resnet18")
    assert (code, err) == (0, ""), err
    assert out.splitlines() == [
        "taken out of 'module.'",
        f"{tmp_path / 'it.safetensors'}: 122 tensors of resnet18, num_classes 12, width 64, in_channels 3",
    ]
    assert equal(load_file(tmp_path / "it.safetensors"), state)
    with torch.device("meta"):
        net = catalog.build("resnet18", num_classes=12)
    assert equal(initial_state(net, tmp_path / "it.safetensors", fresh=()), state)


def test_half_precision_and_missing_counts_are_told_and_mended(tmp_path: Path, cli: Cli) -> None:
    state = small()
    given = {name: tensor.bfloat16() for name, tensor in state.items() if tensor.is_floating_point()}
    save_file(given, tmp_path / "half.safetensors")
    target = tmp_path / "whole.safetensors"
    code, out, err = cli("convert", tmp_path / "half.safetensors", "resnet20", "-o", target)
    assert code == 0, err
    lines = out.splitlines()
    assert "filled in   layer1.0.bn1.num_batches_tracked, 0" in lines
    assert "as          fc.weight: bfloat16 to float32" in lines
    assert lines[-1].endswith(f"{len(state)} tensors of resnet20, num_classes 7, width 4, in_channels 3")
    held = load_file(target)
    assert held.keys() == state.keys()
    assert torch.equal(held["fc.weight"], state["fc.weight"].bfloat16().float())
    with safe_open(target, "pt") as file:
        assert file.metadata()["model"] == "resnet20"


def test_options_may_be_given(tmp_path: Path, cli: Cli) -> None:
    torch.save(small(in_channels=1, shortcut="B"), tmp_path / "it.pth")
    words = ["convert", tmp_path / "it.pth", "resnet20", "--option", "shortcut=B", "--num-classes", "7"]
    code, out, err = cli(*words)
    assert (code, "shortcut B" in out, "in_channels 1" in out) == (0, True, True), err
    code, out, err = cli(*words[:-1], "8", "--force")
    assert (code, "fc.weight is (7, 16), not (8, 16)" in err) == (2, True), err
    assert cli(*words[:3], "--option", "shortcut=", "--force")[0] == 2


def test_a_file_without_side_heads_is_taken_where_that_is_said(tmp_path: Path, cli: Cli) -> None:
    torch.save(catalog.build("googlenet", num_classes=5, width=8, aux=False).state_dict(), tmp_path / "it.pth")
    code, _, err = cli("convert", tmp_path / "it.pth", "googlenet")
    assert (code, err.rpartition("; ")[2]) == (2, "they fit with --option aux=false\n"), err
    assert cli("convert", tmp_path / "it.pth", "googlenet", "--option", "aux=false")[0] == 0


def test_what_is_written_may_be_read_by_those_who_may_read_other_files(tmp_path: Path, cli: Cli) -> None:
    torch.save(small(), tmp_path / "it.pth")
    assert cli("convert", tmp_path / "it.pth", "resnet20")[0] == 0
    (tmp_path / "other").touch()
    assert (tmp_path / "it.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_nothing_is_written_over_without_force(tmp_path: Path, cli: Cli) -> None:
    torch.save(small(), tmp_path / "it.pth")
    (tmp_path / "it.safetensors").write_text("mine")
    code, _, err = cli("convert", tmp_path / "it.pth", "resnet20")
    assert (code, err.count("\n"), "is there already; name another place with --out, or say --force" in err) == (
        2,
        1,
        True,
    )
    assert (tmp_path / "it.safetensors").read_text() == "mine"
    assert cli("convert", tmp_path / "it.pth", "resnet20", "--force")[0] == 0
    assert equal(load_file(tmp_path / "it.safetensors"), small())
    os.mkfifo(tmp_path / "pipe")
    code, _, err = cli("convert", tmp_path / "it.pth", "resnet20", "--force", "-o", tmp_path / "pipe")
    assert (code, "pipe: not a regular file" in err) == (2, True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, cli: Cli) -> None:
    torch.save(small(), tmp_path / "it.pth")
    (tmp_path / "a file").write_text("")
    code, _, err = cli("convert", tmp_path / "it.pth", "resnet20", "-o", tmp_path / "a file" / "it.safetensors")
    assert (code, err.count("\n"), "cannot be written: " in err) == (2, 1, True), err
    assert {path.name for path in tmp_path.iterdir()} == {"it.pth", "a file"}


class Code:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def torch_saved(value: object, **options: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


def without(name: str) -> State:
    return {key: tensor for key, tensor in small().items() if key != name}


def deflated(data: bytes) -> bytes:
    """The same archive with compressed members: zeros then take a thousandth of their size."""
    stream = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as given, ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for member in given.infolist():
            archive.writestr(member.filename, given.read(member))
    return stream.getvalue()


def pickled(value: bytes) -> bytes:
    """An archive of torch whose pickle is {"w": value}, of these opcodes."""
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}X\x01\0\0\0w" + value + b"s.")
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")
    return stream.getvalue()


def call(name: bytes, number: int) -> bytes:
    """The opcodes that call a function with a number of five bytes."""
    return b"c" + name + b"\n(\x8a\x05" + number.to_bytes(5, "little") + b"tR"


TUPLES = b")q\x000" + b"".join(b"h%ch%c\x86q%c0" % (n, n, n + 1) for n in range(60))
"""The opcodes that memorize, as 60, a tuple of the tuple before it, twice, and so on: to hash it takes 2^60 steps."""

BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "code": (lambda place: torch_saved({"fc.weight": Code(place / "ran")}), "names posix.system, which is not part of"),
    "code, old format": (
        lambda place: torch_saved({"fc.weight": Code(place / "ran")}, _use_new_zipfile_serialization=False),
        "names posix.system, which is not part of a state dict: reading it could run code, so it is refused",
    ),
    "a namespace": (lambda _: torch_saved({"model": small(), "args": Namespace()}), "names argparse.Namespace"),
    "a module": (lambda _: torch_saved(nn.Linear(2, 2)), "names torch.nn.modules.linear.Linear"),
    "cut": (lambda _: torch_saved(small())[:-500], "not a whole file of weights: it is cut off"),
    "cut, old format": (
        lambda _: torch_saved(small(), _use_new_zipfile_serialization=False)[:-500],
        "not a whole file of weights: it is cut off",
    ),
    "empty": (lambda _: b"", "not a whole file of weights"),
    "a page": (lambda _: b"<html>log in first</html>", "not a whole file of weights"),
    "safetensors, cut": (lambda _: b"\x40\0\0\0\0\0\0\0{" + b" " * 9, "cut off or damaged, not whole safetensors"),
    "nothing in it": (lambda _: torch_saved({}), "holds an empty dictionary, not a state dict"),
    "a tensor": (lambda _: torch_saved(torch.zeros(2)), "holds a Tensor, not a state dict"),
    "a number": (lambda _: torch_saved({**small(), "epoch": 3}), "epoch is a int, not a tensor with a name"),
    "a sparse tensor": (lambda _: torch_saved({"a": torch.eye(3).to_sparse()}), "a is not a plain dense tensor"),
    "a tensor of nothing": (lambda _: torch_saved({"a": torch.zeros(3, device="meta")}), "a is not a plain dense"),
    "one number as a million million": (
        lambda _: torch_saved({"fc.weight": torch.zeros(1).expand(10**6, 10**6)}),
        "fc.weight claims more numbers than the file holds",
    ),
    "compressed": (lambda _: deflated(torch_saved(small())), "holds compressed parts, which torch.save never writes"),
    "room for gigabytes": (
        lambda _: pickled(call(b"builtins\nbytearray", 3 * 10**9)),
        "a pickle that asks for a bytearray, refused; save the state dict",
    ),
    "room for a tensor": (
        lambda _: pickled(call(b"torch\nFloatTensor", 3 * 10**9)),
        "its tensors claim more numbers than the file holds",
    ),
    "one tensor a hundred times": (
        lambda _: torch_saved(dict.fromkeys(map(str, range(100)), torch.zeros(1000))),
        "its tensors claim more numbers than the file holds",
    ),
    "millions of objects": (
        lambda _: pickled(b"]" * 1_100_000),
        "a pickle of more than 1,000,000 operations, refused; save the state dict alone",
    ),
    "millions of objects, old format": (
        lambda _: pickle.dumps(1, 2) + b"\x80\x02" + b"]" * 1_100_000,
        "a pickle of more than 1,000,000 operations, refused",
    ),
    "safetensors, a header of gigabytes": (
        lambda _: (17 * 2**20).to_bytes(8, "little") + b"{" + b" " * 17 * 2**20,
        "a header of more than 16 MB, which is the limit here",
    ),
    "a key without end": (lambda _: pickled(TUPLES + b"}h\x3cK\1s"), "keys are neither texts nor numbers, refused"),
    "a set without end": (
        lambda _: pickled(TUPLES + b"cbuiltins\nset\n(]h\x3catR"),
        "keys are neither texts nor numbers, refused",
    ),
    "a count without end": (
        lambda _: pickled(TUPLES + b"ccollections\nCounter\n(]h\x3catR"),
        "keys are neither texts nor numbers, refused",
    ),
    "pairs without end": (
        lambda _: pickled(TUPLES + b"ccollections\nOrderedDict\n(](h\x3cK\1latR"),
        "keys are neither texts nor numbers, refused",
    ),
    "wrappers without end": (lambda _: pickled(b"}q\0X\x05\0\0\0modelh\0s"), "w is a dict, not a tensor"),
    "two nets": (
        lambda _: torch_saved({"generator": small(), "discriminator": small(), "epoch": 3}),
        "holds the weights of several nets, generator, discriminator; choose by --key",
    ),
    "an extra key": (
        lambda _: torch_saved({**small(), "spare\n": torch.zeros(2)}),
        r"1 of its tensors or of those of resnet20 do not fit: unexpected spare\n (2,)",
    ),
    "a missing key": (lambda _: torch_saved(without("fc.bias")), "do not fit: missing fc.bias (7,)"),
    "another net": (
        lambda _: torch_saved({"features.0.weight": torch.zeros(64, 3, 3, 3)}),
        "; are they of another net?",
    ),
    "another shape": (
        lambda _: torch_saved({**small(), "layer1.0.conv1.weight": torch.zeros(4, 4, 5, 5)}),
        "layer1.0.conv1.weight is (4, 4, 5, 5), not (4, 4, 3, 3)",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own, of sparse tensors
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_line_and_nothing_is_written(name: str, tmp_path: Path, cli: Cli) -> None:
    make, said = BAD[name]
    (tmp_path / "it.pth").write_bytes(make(tmp_path))
    code, _, err = cli("convert", tmp_path / "it.pth", "resnet20")
    assert (code, err.count("\n")) == (2, 1), err
    assert said in err
    assert "it.pth: " in err
    assert [path.name for path in tmp_path.iterdir()] == ["it.pth"]


def test_every_name_that_does_not_fit_is_listed(tmp_path: Path, cli: Cli) -> None:
    state = {**without("fc.bias"), "spare": torch.zeros(2), "conv1.weight": torch.zeros(4, 3, 1, 1)}
    torch.save({name: tensor for name, tensor in state.items() if "layer3" not in name}, tmp_path / "it.pth")
    code, out, err = cli("convert", tmp_path / "it.pth", "resnet20")
    assert code == 2
    lines = out.splitlines()
    assert "misshapen   conv1.weight is (4, 3, 1, 1), not (4, 3, 3, 3)" in lines
    assert [line for line in lines if line.startswith("unexpected")] == ["unexpected  spare"]
    missing = [line.split()[1] for line in lines if line.startswith("missing")]
    assert missing == sorted(["fc.bias", *(name for name in small() if "layer3" in name)])
    assert f"{len(missing) + 2} of its tensors" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{}/nowhere.pth", "resnet20"], "nowhere.pth: no such file"),
        (["{}", "resnet20"], "a folder, not a file"),
        ([".", "resnet20"], ".: a folder, not a file"),
        (["/", "resnet20"], "/: a folder, not a file"),
        (["{}/pipe", "resnet20"], "pipe: not a regular file"),
        (["/dev/zero", "resnet20", "-o", "{}/out"], "/dev/zero: not a regular file"),
        (["{}/nowhere.pth", "resnet21"], "unknown model 'resnet21'; nearest"),
        (["{}/it.pth", "resnet20", "--option", "depht=1"], "unknown option of resnet20 'depht'"),
        (["{}/it.pth", "resnet20", "--num-classes", "0"], "num-classes"),
    ],
)
def test_bad_words_get_one_line(words: list[str], said: str, tmp_path: Path, cli: Cli) -> None:
    os.mkfifo(tmp_path / "pipe")
    torch.save(small(), tmp_path / "it.pth")
    code, out, err = cli("convert", *(word.format(tmp_path) for word in words))
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "it.pth"}


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a few of them replaced, or cut, or others altogether."""
    places = st.lists(st.tuples(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=4)), max_size=3)
    changed = places.map(lambda changes: reduce(lambda data, c: data[: c[0]] + c[1] + data[c[0] + 1 :], changes, whole))
    return changed | st.integers(0, len(whole)).map(lambda end: whole[:end]) | st.binary(max_size=99)


SMALL = {"conv.weight": torch.ones(2, 3), "bn.running_mean": torch.zeros(2)}
FILES = [torch_saved(SMALL), torch_saved(SMALL, _use_new_zipfile_serialization=False), save(SMALL)]


@settings(max_examples=150)
@given(st.sampled_from(FILES).flatmap(mutated))
def test_any_bytes_are_a_state_dict_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.pth"
    path.write_bytes(data)
    with suppress(WeightsError):
        state = read_foreign(path).state
        assert all(tensor.contiguous().numel() < 10**6 for tensor in state.values())


def test_two_names_for_one_weight_are_refused(tmp_path: Path) -> None:
    torch.save({"head.fc.bias": torch.zeros(2), "classifier.6.bias": torch.ones(2)}, tmp_path / "it.pth")
    with pytest.raises(WeightsError, match="holds some weights twice"):
        read_foreign(tmp_path / "it.pth")


def test_a_net_with_one_value_for_an_option_keeps_it(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    build = catalog.build

    def ten_only(name: str, *, num_classes: int, **options: object) -> nn.Module:
        if num_classes != 10:
            raise SettingsError("ten classes only")
        return build(name, num_classes=num_classes, **options)

    monkeypatch.setattr(catalog, "build", ten_only)
    torch.save(small(10), tmp_path / "it.pth")
    code, out, err = cli("convert", tmp_path / "it.pth", "resnet20")
    assert (code, "num_classes 10, width 4" in out) == (0, True), err


def on_both_sides(module: nn.Module) -> None:
    """Have the shortcuts of a net pad on both sides."""
    for shortcut in module.modules():
        if isinstance(shortcut, PaddedShortcut):
            side, stride = shortcut.extra_channels // 2, shortcut.stride
            shortcut.forward = partial(  # type: ignore[method-assign]
                lambda x, side, stride: F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, side, side)),
                side=side,
                stride=stride,
            )


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A checkpoint of a net padded on both sides, whose last layer is `linear`, and the images that it labels."""
    torch.manual_seed(0)
    net = catalog.build("resnet20", num_classes=2, width=4, in_channels=1).eval()
    state = {f"module.{name.replace('fc.', 'linear.')}": tensor for name, tensor in net.state_dict().items()}
    on_both_sides(net)
    pixels = torch.randint(0, 256, (24, 1, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        logits = net((pixels / 255 - 0.5) / 0.25)
    margins = logits[:, 0] - logits[:, 1]
    middle = margins.quantile(0.5)
    labels = margins > middle
    state["module.linear.bias"] = state["module.linear.bias"] - torch.tensor([1.0, 0.0]) * middle  # as many of each
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "theirs.th")
    for number, (image, is_first) in enumerate(zip(pixels, labels, strict=True)):
        path = tmp_path / "labelled" / ("a" if is_first else "b") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path)
    return tmp_path / "theirs.th"


def test_labelled_images_tell_where_a_net_pads_and_the_file_says_it_from_then_on(theirs: Path, cli: Cli) -> None:
    target, labelled = theirs.with_suffix(".safetensors"), theirs.parent / "labelled"
    code, out, err = cli("convert", theirs, "resnet20")
    assert code == 0, err
    assert "renamed     linear to fc" in out
    assert "not told    by the weights: --padding end, as taken here, or --padding both-sides" in out
    known = ["--normalize", "0.5", "0.25", "--image-size", "8"]
    scores = ["evaluate", "resnet20", "--weights", target, "--data", labelled, "--json"]
    loaded_without_a_word = json.loads(cli(*scores, *known)[1])["top1_error"]
    assert loaded_without_a_word > 0.2
    code, out, err = cli("convert", theirs, "resnet20", "--force", "--verify", labelled, *known)
    assert code == 0, err
    lines = out.splitlines()
    assert "on 24 images of " in lines[3]
    assert f"--padding end            top-1 error {loaded_without_a_word:.2%}" in lines[4]
    assert "--padding both-sides     top-1 error 0.00%" in lines[5]
    assert lines[6] == "taken       --padding both-sides"
    verified = load_file(target)
    code, out, err = cli(*scores)
    assert (code, json.loads(out)["top1_error"], "cannot tell" in err) == (0, 0, False), err
    assert cli("convert", theirs, "resnet20", "--force", "--padding", "both-sides")[0] == 0
    assert equal(load_file(target), verified)


def test_modules_are_renamed_as_one_says_and_unknown_ones_refused(tmp_path: Path, cli: Cli) -> None:
    state = {"first.weight" if name == "conv1.weight" else name: tensor for name, tensor in small().items()}
    torch.save({name.replace("fc.", "out.last."): tensor for name, tensor in state.items()}, tmp_path / "it.pth")
    words = ["convert", tmp_path / "it.pth", "resnet20", "--padding", "end", "--rename", "first=conv1"]
    code, out, err = cli(*words, "--rename", "out.last=fc")
    assert (code, "renamed     out.last to fc" in out) == (0, True), err
    assert equal(load_file(tmp_path / "it.safetensors"), small())
    code, _, err = cli(*words, "--rename", "frist=conv1", "--force")
    assert (code, "--rename frist: the file has no weights of that name; nearest: first" in err) == (2, True), err
    assert "write it as OLD=NEW" in cli(*words, "--rename", "fc", "--force")[2]


@pytest.mark.parametrize("name", ["linear", "classifier", "head"])
def test_the_last_layer_is_known_by_its_shape_under_its_usual_names(name: str, tmp_path: Path, cli: Cli) -> None:
    state = {key.replace("fc.", f"{name}."): tensor for key, tensor in small(classes=6, shortcut="B").items()}
    torch.save(state, tmp_path / "it.pth")
    code, out, err = cli("convert", tmp_path / "it.pth", "resnet20", "--option", "shortcut=B")
    assert (code, f"renamed     {name} to fc" in out, "num_classes 6" in out) == (0, True, True), err


def test_the_option_that_fits_is_named(tmp_path: Path, cli: Cli) -> None:
    torch.save(small(shortcut="B"), tmp_path / "it.pth")
    assert "they fit with --option shortcut=B" in cli("convert", tmp_path / "it.pth", "resnet20")[2]
    sided = catalog.build("fcn", num_classes=3, backbone="resnet18", width=4, aux=True)
    torch.save(sided.state_dict(), tmp_path / "it.pth")
    words = ["convert", tmp_path / "it.pth", "fcn", "--option", "backbone=resnet18"]
    assert "they fit with --option aux=true" in cli(*words)[2]


def test_weights_do_not_tell_where_a_bottleneck_strides(tmp_path: Path, cli: Cli) -> None:
    torch.save(catalog.build("resnet50", num_classes=3, width=2).state_dict(), tmp_path / "it.pth")
    words = ["convert", tmp_path / "it.pth", "resnet50"]
    assert (
        "not told    by the weights: --option stride_in=3x3, as taken here, or --option stride_in=1x1" in cli(*words)[1]
    )
    assert "not told" not in cli(*words, "--force", "--option", "stride_in=1x1")[1]
