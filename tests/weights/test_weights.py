"""Published weights: which there are, how they are fetched, and what is made of them; over files and loopback."""

import hashlib
import io
import json
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import IO
from urllib.error import URLError
from urllib.request import Request

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file
from support import TINY
from torchvision import models
from torchvision.models import GoogLeNet
from torchvision.models._api import Weights
from torchvision.transforms._presets import ImageClassification

from resvision import catalog
from resvision.assembly import assemble
from resvision.core.errors import DataError, RunError, SettingsError, WeightsError
from resvision.data import voc_seg
from resvision.inference.load import load
from resvision.initial_weights import find_published, settle_sources
from resvision.launch import resume, train
from resvision.preparation import reopen
from resvision.run import DataSettings, ModelSettings, read_run
from resvision.weights import fetch, published
from resvision.weights.about import About, header_of
from resvision.weights.fetch import obtain, place, read_published
from resvision.weights.published import PublishedWeights, find

Cli = Callable[..., tuple[int, str, str]]
QUIET = Console(quiet=True)
WITH_WEIGHTS = ["alexnet", "googlenet", *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152))]
WITH_WEIGHTS += [f"vgg{depth}{kind}" for depth in (11, 13, 16, 19) for kind in ("", "_bn")]
PETS = ("cat", "dog", "tench")


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def saved(state: object) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def narrow(classes: int = len(PETS), **options: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    state = catalog.build("resnet18", num_classes=classes, width=4, **options).state_dict()
    return {name: torch.rand_like(tensor) if tensor.is_floating_point() else tensor for name, tensor in state.items()}


class Publisher:
    """Publishes files as torchvision does: the name holds the start of the SHA-256, a table says the rest."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch
        folder.mkdir()

    def publish(
        self, data: bytes, *, classes: tuple[str, ...] = PETS, base: str = "", digits: str = "", model: str = "resnet18"
    ) -> PublishedWeights:
        name = f"{model}-{digits or hashlib.sha256(data).hexdigest()[:8]}.pth"
        (self.folder / name).write_bytes(data)
        entry = Weights(
            url=f"{base or self.folder.as_uri()}/{name}",
            transforms=partial(ImageClassification, crop_size=224, resize_size=232),
            meta={"categories": list(classes), "_file_size": len(data) / 2**20},
        )
        self._patch.setattr(published, "entries", lambda _: {"IMAGENET1K_V1": entry})
        return find(model, "torchvision")


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    return Publisher(tmp_path / "published", monkeypatch)


def left_over() -> list[str]:
    """Files in the folder of kept weights."""
    folder = Path(os.environ["XDG_CACHE_HOME"], "resvision", "weights")
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("model", WITH_WEIGHTS)
def test_every_name_that_is_torchvisions_has_weights_with_classes_and_the_start_of_a_sum(model: str) -> None:
    found = find(model, "torchvision")
    entry = models.get_model_weights(model).DEFAULT
    assert (found.url, len(found.classes), found.sha256) == (entry.url, 1000, entry.url[-12:-4])
    assert found.source == f"torchvision:{entry.name}:{found.sha256}"
    assert find(model, found.source) == found
    assert found.classes[:2] == ("tench", "goldfish")
    assert len({*found.classes}) == 1000
    assert place(found).name == entry.url.rpartition("/")[2]


def test_one_of_several_is_named_and_the_best_is_the_default() -> None:
    assert find("resnet50", "torchvision:IMAGENET1K_V1").sha256 == "0676ba61"
    assert find("resnet50", "torchvision").sha256 == find("resnet50", "torchvision:IMAGENET1K_V2").sha256 == "11ad3fa6"
    assert find("resnet50", "torchvision").view.resize_px == 232
    assert find("resnet50", "torchvision:IMAGENET1K_V1").view.resize_px == 256


@pytest.mark.parametrize(
    ("model", "source", "said"),
    [
        (
            "resnet20",
            "torchvision",
            "resnet20: torchvision publishes no weights for it; nearest that have some",
        ),
        ("pspnet_resnet50", "torchvision", "publishes no weights for it"),
        ("deeplabv3_2017_resnet50", "torchvision", "publishes no weights for it; nearest that have some: deeplabv3_"),
        ("plain34", "torchvision", "plain34 with shortcut=none: is another net than the resnet34 .*; take resnet34"),
        (
            "resnet50_v1",
            "torchvision",
            "resnet50_v1 with stride_in=1x1: is another net .*; take resnet50",
        ),
        ("os:system", "torchvision", "publishes no weights for it"),
        ("resnet50", "torchvision:V3", "'V3' for it; choices: IMAGENET1K_V1, IMAGENET1K_V2"),
        ("vgg16", "torchvision:V3", "choices: IMAGENET1K_FEATURES, IMAGENET1K_V1$"),
        ("resnet50", "torchvision:IMAGENET1K_V2:00000000", "has other weights of that name for resnet50, 11ad3fa6"),
        ("resnet50", "torchvision:IMAGENET1K_V2:11ad3fa6:x", "has other weights of that name"),
        ("resnet50", "timm", "weights 'timm': write torchvision, or torchvision:NAME"),
    ],
)
def test_weights_that_nobody_publishes_are_refused_with_the_choices(model: str, source: str, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        find_published(model, {}, source)


@pytest.mark.parametrize(
    ("model", "options", "theirs"),
    [
        ("resnet34_b", {}, "resnet34"),
        ("resnet34_a", {"shortcut": "B"}, None),
        ("fcn", {}, "fcn_resnet50"),
        ("deeplabv3", {"backbone": "resnet101", "output_stride": 16}, "deeplabv3_resnet101"),
        ("googlenet", {"aux": False}, "googlenet"),
        ("resnet50", {"stride_in": "1x1"}, None),
    ],
)
def test_another_name_of_a_net_has_its_weights_and_another_net_has_not(
    model: str, options: dict[str, object], theirs: str | None
) -> None:
    if theirs is not None:
        assert find_published(model, options, "torchvision").model == theirs
        return
    with pytest.raises(WeightsError, match=r"is another net than .*; (take resnet34|say --set .*stride_in=3x3)"):
        find_published(model, options, "torchvision")


@pytest.mark.parametrize("model", ["fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"])
def test_weights_for_label_maps_bring_their_view_the_classes_of_voc_and_the_side_head(model: str) -> None:
    found = find_published(model, {}, "torchvision")
    entry = models.get_model_weights(model).DEFAULT
    assert found.source == f"torchvision:COCO_WITH_VOC_LABELS_V1:{entry.url[-12:-4]}"
    assert found.classes == voc_seg.CLASSES
    assert (found.view.kind, found.view.mean) == ("shorter-side", tuple(entry.transforms().mean))
    with torch.device("meta"):
        ours = catalog.build(model, num_classes=21, **found.options).state_dict()
        net = models.get_model(model, weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    assert {name: tensor.shape for name, tensor in net.state_dict().items()} == {
        name: tensor.shape for name, tensor in ours.items()
    }


def test_pixels_are_equal_to_those_of_torchvisions_preset_for_label_maps() -> None:
    view = find("fcn_resnet50", "torchvision").view
    preset = models.get_model_weights("fcn_resnet50").DEFAULT.transforms()
    draws = np.random.default_rng(0)
    for height, width in [(100, 80), (333, 500), (520, 777)]:
        image = draws.integers(0, 256, (height, width, 3), dtype=np.uint8)
        pixels = view.show(image, name="made").pixels.transpose(2, 0, 1)
        shown = preset(Image.fromarray(image)).double().numpy()
        mean, std = (np.array(values)[:, None, None] for values in (preset.mean, preset.std))
        assert np.abs(np.rint((shown * std + mean) * 255) - pixels).max() <= 1, (height, width)


def test_weights_of_features_alone_start_a_training_and_classify_nothing(tmp_path: Path) -> None:
    found = find_published("vgg16", {}, "torchvision:IMAGENET1K_FEATURES")
    assert (found.parts, found.classes, found.sha256) == (("features",), (), "88682ab5")
    assert found.view.std == (1 / 255,) * 3
    model = settle_sources(
        ModelSettings(name="vgg16", num_classes=3, options={"width": 2}),
        found,
        DataSettings(name="photos", classes=PETS),
    )
    assert (model.init_from, model.init_except) == (found.source, ("classifier",))
    with pytest.raises(WeightsError, match="of features alone, with no classifier that was trained; start a training"):
        load("vgg16", weights="torchvision:IMAGENET1K_FEATURES")


def test_weights_of_a_run_that_strides_elsewhere_are_refused_with_the_option_that_fits(tmp_path: Path) -> None:
    about = About(model="resnet50_v1", options={"num_classes": 3})
    save_file({"fc.bias": torch.zeros(3)}, tmp_path / "v1.safetensors", header_of(about, made_from="it"))
    for path, name in (("init_from", "resnet50"), ("encoder_from", "pspnet_resnet101")):
        model = ModelSettings(name=name, num_classes=3, **{path: str(tmp_path / "v1.safetensors")})
        with pytest.raises(SettingsError, match=rf"model\.{path}: .*; say --set model\.options\.stride_in=1x1"):
            settle_sources(model, None, DataSettings(name="photos", classes=PETS))
    model = ModelSettings(name="pspnet_resnet50", num_classes=3, encoder_from="torchvision")
    with pytest.raises((SettingsError, WeightsError), match=r"stem=plain --set model\.options\.stride_in=3x3"):
        settle_sources(model, None, DataSettings(name="photos", classes=PETS))


@pytest.mark.parametrize("source", ["IMAGENET1K_V1", "IMAGENET1K_V2"])
def test_pixels_are_equal_to_those_of_torchvisions_preset(source: str) -> None:
    rule = find("resnet50", f"torchvision:{source}").view
    preset = models.ResNet50_Weights[source].transforms()
    draws = np.random.default_rng(0)
    for height, width in [(100, 80), (333, 500), (500, 375), (257, 1031), (224, 224), (232, 300), (1200, 901)]:
        image = draws.integers(0, 256, (height, width, 3), dtype=np.uint8)
        pixels = rule.show(image, name="made").pixels.transpose(2, 0, 1)
        shown = preset(Image.fromarray(image)).double().numpy()
        mean, std = (np.array(values)[:, None, None] for values in (preset.mean, preset.std))
        assert np.array_equal(np.rint((shown * std + mean) * 255), pixels), (height, width)
        rmean, rstd = (np.array(values)[:, None, None] for values in (rule.mean, rule.std))
        np.testing.assert_allclose((pixels / 255 - rmean) / rstd, shown, atol=2e-6)


def test_googlenets_second_normalization_is_made_by_the_first() -> None:
    rule, preset = find("googlenet", "torchvision").view, models.GoogLeNet_Weights.DEFAULT.transforms()
    assert (rule.mean, rule.std) == ((0.5,) * 3, (0.5,) * 3)
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    wanted = GoogLeNet._transform_input(SimpleNamespace(transform_input=True), preset(Image.fromarray(image))[None])
    pixels = torch.from_numpy(rule.show(image, name="made").pixels).permute(2, 0, 1)
    torch.testing.assert_close((pixels / 255 - 0.5) / 0.5, wanted[0], atol=2e-6, rtol=0)


def test_a_preset_that_is_not_ours_is_refused() -> None:
    with pytest.raises(WeightsError, match="in a way that is not ours"):
        published.view_of("net", ImageClassification(crop_size=224, antialias=None))
    with pytest.raises(WeightsError, match="in a way that is not ours: interpolation"):
        published.view_of("net", SimpleNamespace(**{**vars(ImageClassification(crop_size=9)), "interpolation": "box"}))


# ---------------------------------------------------------------------------------------- fetching them


class Answers(BaseHTTPRequestHandler):
    """A server with tricks: the first part of the path says which."""

    data = b""
    stall = threading.Event()

    def do_GET(self) -> None:
        trick = self.path.split("/")[1]
        getattr(self, f"answer_{trick}")()

    def start(self, length: int | None, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer_whole(self) -> None:
        self.start(len(self.data))
        self.wfile.write(self.data)

    def answer_moved(self) -> None:
        self.start(0, 302, Location=self.path.replace("/moved/", "/whole/"))

    def answer_around(self) -> None:
        self.start(0, 302, Location=self.path)

    def answer_slowly(self) -> None:
        self.start(len(self.data))
        for part in range(4):
            self.wfile.write(self.data[part * len(self.data) // 4 : (part + 1) * len(self.data) // 4])
            time.sleep(0.02)

    def answer_stalling(self) -> None:
        self.start(len(self.data))
        self.wfile.write(self.data[:1000])
        self.wfile.flush()
        self.stall.wait(20)

    def answer_cut(self) -> None:
        self.start(len(self.data))
        self.wfile.write(self.data[: len(self.data) // 2])

    def answer_short(self) -> None:
        self.start(None)
        self.wfile.write(self.data[: len(self.data) // 2])

    def answer_page(self) -> None:
        page = b"<html>log in first</html>"
        self.start(len(page))
        self.wfile.write(page)

    def answer_endless(self) -> None:
        self.start(None)
        with suppress(OSError):  # of a caller that has had enough
            for _ in range(1000):
                self.wfile.write(bytes(2**16))

    def answer_missing(self) -> None:
        self.send_error(404)

    def answer_dropped(self) -> None:
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Answers.stall.clear()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    Answers.stall.set()
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.parametrize("way", ["file", "whole", "moved", "slowly"])
def test_weights_are_fetched_once_verified_and_kept(way: str, publisher: Publisher, server: str) -> None:
    state = narrow()
    Answers.data = saved(state)
    found = publisher.publish(Answers.data, base="" if way == "file" else f"{server}/{way}")
    console = Console(file=io.StringIO(), width=400)
    kept = obtain(found, console)
    assert left_over() == [kept.name] == [found.file_name]
    assert kept.read_bytes() == Answers.data
    held = read_published(kept)
    assert held.keys() == state.keys()
    assert all(torch.equal(held[name], state[name]) for name in state)
    told = console.file.getvalue().splitlines()
    assert told[0].startswith(f"fetching {found.url} (0.")
    assert told[1] == f"weights kept in {kept}: {len(state)} tensors"
    (publisher.folder / found.file_name).unlink()
    Answers.data = b""
    assert obtain(found, console) == kept


@pytest.mark.parametrize(
    ("trick", "said"),
    [
        ("stalling", "cannot be fetched: the server said nothing for 0.2 s"),
        ("cut", "was cut off after"),
        ("short", "wrong checksum, SHA-256"),
        ("page", "gave, 25 bytes"),
        ("endless", "cannot be fetched: it sends more than the 0."),
        ("missing", "cannot be fetched: HTTP Error 404"),
        ("around", "cannot be fetched: HTTP Error 302"),
        ("dropped", "cannot be fetched: Remote end closed connection"),
        ("nobody", "cannot be fetched: Connection refused"),
        ("gone", "cannot be fetched: No such file or directory"),
    ],
)
def test_a_bad_server_gets_a_line_that_says_where_to_put_the_file_and_leaves_nothing(
    trick: str, said: str, publisher: Publisher, server: str, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SILENCE_S", 0.2)
    Answers.data = saved(narrow())
    bases = {"nobody": nobody, "gone": f"{publisher.folder.as_uri()}/gone"}
    found = publisher.publish(Answers.data, base=bases.get(trick, f"{server}/{trick}"))
    with pytest.raises(WeightsError) as caught:
        obtain(found, QUIET)
    line = str(caught.value)
    assert said in line
    assert line.startswith("torchvision:IMAGENET1K_V1 for resnet18: ")
    assert found.url in line
    assert line.endswith(f"; try again, or put that file at {place(found)}")
    assert line.isprintable()
    assert left_over() == []


def test_another_file_under_the_right_name_is_refused_and_nothing_kept(publisher: Publisher) -> None:
    found = publisher.publish(saved(narrow()), digits="0123abcd")
    with pytest.raises(WeightsError, match=r"wrong checksum, SHA-256 [0-9a-f]{8}\.\.\. and not 0123abcd\.\.\."):
        obtain(found, QUIET)
    assert left_over() == []


def test_a_file_put_there_by_hand_is_used_and_stays(publisher: Publisher, nobody: str) -> None:
    data = saved(narrow())
    found = publisher.publish(data, base=nobody)
    place(found).parent.mkdir(parents=True)
    place(found).write_bytes(data[:-9])
    with pytest.raises(
        WeightsError, match=f"wrong checksum.*{place(found)}: remove it, or put the file from {found.url}"
    ):
        obtain(found, QUIET)
    assert place(found).read_bytes() == data[:-9]
    place(found).write_bytes(data)
    assert read_published(obtain(found, QUIET)).keys() == narrow().keys()
    assert obtain(found, QUIET) == place(found)
    assert place(found).read_bytes() == data
    place(found).unlink()
    os.mkfifo(place(found))
    with pytest.raises(WeightsError, match="not a regular file"):
        obtain(found, QUIET)


def test_a_file_that_torchvision_has_fetched_is_used_if_it_is_whole(publisher: Publisher, nobody: str) -> None:
    data = saved(narrow())
    found = publisher.publish(data, base=nobody)
    theirs = Path(os.environ["TORCH_HOME"], "hub", "checkpoints", found.file_name)
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(data[:-1])
    with pytest.raises(WeightsError, match="Connection refused"):
        obtain(found, QUIET)
    theirs.write_bytes(data)
    assert obtain(found, QUIET) == theirs
    assert theirs.read_bytes() == data


def forged(data: bytes) -> bytes:
    """A whole file of other weights, such as somebody puts into a cache that he may write to."""
    return saved({name: tensor + 1 for name, tensor in narrow().items()})


@pytest.mark.parametrize(
    "spoil", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1], forged]
)
def test_a_kept_file_that_is_not_the_published_one_is_fetched_again(
    spoil: Callable[[bytes], bytes], publisher: Publisher
) -> None:
    found = publisher.publish(saved(narrow()))
    kept = obtain(found, QUIET)
    kept.write_bytes(spoil(kept.read_bytes()))
    assert obtain(found, QUIET) == kept
    held, state = read_published(kept), narrow()
    assert held.keys() == state.keys()
    assert all(torch.equal(held[name], state[name]) for name in state)


class Code:
    """What runs a command when it is unpickled by a reader that trusts it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)


def test_a_published_pickle_with_code_is_refused_and_not_run(publisher: Publisher, tmp_path: Path) -> None:
    data = saved({"fc.weight": Code(tmp_path / "ran")})
    with pytest.raises(WeightsError, match=r"names posix\.system, which is not part of a state dict"):
        obtain(publisher.publish(data), QUIET)
    assert left_over() == []
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Code(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()  # it would have


def test_counts_of_batches_that_old_files_lack_are_filled_in(publisher: Publisher) -> None:
    state = narrow()
    old = {name: tensor for name, tensor in state.items() if "num_batches" not in name}
    console = Console(file=io.StringIO(), width=400)
    held = read_published(obtain(publisher.publish(saved(old)), console))
    assert held.keys() == state.keys()
    assert held["layer2.0.bn1.num_batches_tracked"] == 0
    assert f"{len(state)} tensors, {len(state) - len(old)} counts of batches filled in" in console.file.getvalue()


def test_https_leads_on_to_https_only() -> None:
    handler, headers = fetch._SafeRedirects(), Message()
    there = Request("https://example.org/a")
    onward = handler.redirect_request(there, io.BytesIO(), 302, "Found", headers, "https://example.org/b")
    assert onward is not None
    assert onward.full_url == "https://example.org/b"
    for less in ("http://example.org/b", "ftp://example.org/b"):
        with pytest.raises(URLError, match="not https"):
            handler.redirect_request(there, io.BytesIO(), 302, "Found", headers, less)


def test_a_full_disk_is_told_from_a_bad_connection(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("a device of Linux")
    found = publisher.publish(saved(narrow()))

    def full(path: Path, mode: str) -> IO[bytes]:
        assert mode == "xb"
        return open("/dev/full", "wb")  # noqa: PTH123

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(RunError, match="fetched: cannot be written: No space left on device"):
        obtain(found, QUIET)
    assert left_over() == []


# ------------------------------------------------------------------------------------------- using them


def photo(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def theirs() -> models.ResNet:
    """torchvision's ResNet-18 for three classes, random, its statistics too."""
    torch.manual_seed(0)
    net = models.resnet18(num_classes=len(PETS)).eval()
    for name, buffer in net.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return net


def test_prediction_and_evaluation_need_no_run(
    theirs: models.ResNet, publisher: Publisher, tmp_path: Path, cli: Cli
) -> None:
    publisher.publish(saved(theirs.state_dict()))
    files = [photo(tmp_path / "pets" / PETS[k % 2] / f"{k}.png", k) for k in range(4)]
    preset = ImageClassification(crop_size=224, resize_size=232)
    with torch.no_grad():
        wanted = theirs(torch.stack([preset(Image.open(file)) for file in files])).softmax(dim=1)
    code, out, err = cli("predict", "resnet18", "--weights", "torchvision", *files, "--json-list")
    assert (code, "fetching file:" in err) == (0, True), err
    for row, found in zip(wanted, json.loads(out), strict=True):
        scores = {each["label"]: each["score"] for each in found["classes"]}
        np.testing.assert_allclose([scores[name] for name in PETS], row.numpy(), atol=1e-5)
    words = ["evaluate", "resnet18", "--weights", "torchvision:IMAGENET1K_V1", "--data", tmp_path / "pets", "--json"]
    code, out, err = cli(*words, "--no-compile")
    assert (code, err) == (0, ""), err
    scores = json.loads(out)
    wrong = [PETS[row.argmax()] != file.parent.name for row, file in zip(wanted, files, strict=True)]
    assert (scores["images"], scores["top1_error"], scores["arithmetic"]) == (4, np.mean(wrong), "fp32")
    trained = load("resnet18", weights="torchvision")
    thousand = [f"n{k:08}" for k in range(3)]
    assert trained.indices_of(thousand, data="photos/val") == [0, 1, 2]
    assert trained.indices_of(["a", "b", "c"], data="imagenet") == [0, 1, 2]
    assert trained.indices_of(["tench", "cat"], data="photos") == [2, 0]
    with pytest.raises(DataError, match="wolf"):
        trained.indices_of(["wolf"], data="imagenet")
    with pytest.raises(DataError, match="n00000000"):
        trained.indices_of(thousand[:2], data="imagenet-part")


def of_resnet18(classes: int, **more: torch.Tensor) -> bytes:
    return saved({**models.resnet18(num_classes=classes).state_dict(), **more})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: saved(catalog.build("resnet20", num_classes=3).state_dict()), "keys differ: "),
        (lambda: of_resnet18(5), "2 keys differ: fc.bias is (5,), not (3,); fc.weight is (5, 512), not (3, 512)"),
        (lambda: of_resnet18(3, spare=torch.zeros(2)), "1 keys differ: unexpected spare"),
        (lambda: saved(narrow())[:-99], "not a whole file of weights: it is cut off"),
        (lambda: saved({"fc": os.getcwd}), "which is not part of a state dict"),
        (lambda: saved([torch.zeros(2)]), "holds a list, not a state dict"),
    ],
    ids=["another net", "other classes", "an extra key", "cut", "code", "a list"],
)
def test_published_weights_that_do_not_fit_are_refused_in_a_line(
    make: Callable[[], bytes], said: str, publisher: Publisher, tmp_path: Path, cli: Cli
) -> None:
    publisher.publish(make())
    code, out, err = cli("predict", "resnet18", "--weights", "torchvision", photo(tmp_path / "it.png", 0))
    lines = [line for line in err.splitlines() if line.startswith("resvision: ")]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert said in lines[0]


@pytest.mark.parametrize("verb", ["predict", "evaluate", "train"])
def test_weights_without_a_network_get_one_line(
    verb: str, publisher: Publisher, nobody: str, tmp_path: Path, cli: Cli
) -> None:
    found = publisher.publish(saved(narrow()), base=nobody)
    data = photo(tmp_path / "pets" / "cat" / "0.png", 0).parents[1]
    for number in range(1, 6):
        photo(data / ("cat", "dog")[number % 2] / f"{number}.png", number)
    words = {"predict": [data / "cat"], "evaluate": ["--data", data], "train": ["--data", data, "--batch-size", "2"]}
    words["train"] += ["--out", tmp_path / "run"]
    code, out, err = cli(verb, "resnet18", "--weights", "torchvision", *words[verb])
    lines = [line for line in err.splitlines() if not line.startswith("fetching ")]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert f"put that file at {place(found)}" in lines[0]
    assert not (tmp_path / "run").exists()


def test_a_wrong_name_of_weights_is_told_before_data_that_is_not_there(tmp_path: Path, cli: Cli) -> None:
    code, out, err = cli("evaluate", "resnet18", "--weights", "torchvision:V9", "--root", tmp_path)
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert "resnet18: torchvision has no weights 'V9' for it; choices: IMAGENET1K_V1" in err


@pytest.mark.parametrize("words", [("evaluate", "--data"), ("evaluate", "--root"), ("predict",)])
def test_nothing_is_fetched_for_data_that_is_not_there(
    words: tuple[str, ...], publisher: Publisher, nobody: str, tmp_path: Path, cli: Cli
) -> None:
    publisher.publish(saved(narrow()), base=nobody)
    verb, *option = words
    code, out, err = cli(verb, "resnet18", "--weights", "torchvision", *option, tmp_path / "nowhere")
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert "nowhere" in err


def test_a_fine_tuned_run_takes_the_preprocessing_and_gets_a_new_head(
    publisher: Publisher, tmp_path: Path, cli: Cli
) -> None:
    state = narrow()
    found = publisher.publish(saved(state))
    for split, count in (("train", 4), ("val", 2)):
        for k in range(2 * count):
            photo(tmp_path / "pets" / split / ("cat", "dog")[k % 2] / f"{k}.png", k)
    out = tmp_path / "run"
    words = ["train", "resnet18", "--data", tmp_path / "pets", "--epochs", "1", "--batch-size", "4", "--out", out]
    words += [f"--set={path}={value}" for path, value in {**TINY, "machine.workers": 0}.items()]
    words += ["--set=optimizer.depth_decay=0.5"]
    code, _, err = cli(*words, "--weights", "torchvision")
    assert code == 0, err
    assert f"from {found.source}; kept: conv1, bn1, layer1, layer2, layer3, layer4; afresh: fc\n" in err
    run = read_run(out)
    assert (run.model.init_from, run.model.init_except) == (found.source, ("fc",))
    assert run.data.view == found.view.sized(16)
    begun = assemble(reopen(run), device=torch.device("cpu")).system.net.state_dict()
    for name, tensor in begun.items():
        assert torch.equal(tensor, state[name]) if not name.startswith("fc.") else len(tensor) == 2, name
    words[words.index("--out")] = "--resume"
    assert cli(*words, "--weights", "torchvision")[0] == 0  # the same run is asked for
    for kept in (place(found).parent / "fetched").iterdir():
        kept.unlink()
    resume(out, console=QUIET)  # which has its weights
    assert left_over() == []


def test_the_head_is_kept_where_the_classes_are_the_same(publisher: Publisher, tmp_path: Path) -> None:
    found = publisher.publish(saved(narrow()))
    for split, count in (("train", 2), ("val", 1)):
        for k in range(3 * count):
            photo(tmp_path / "pets" / split / PETS[k % 3] / f"{k}.png", k)
    settings = {**TINY, "machine.workers": 0, "model.init_from": "torchvision"}
    settings |= {"data.image_size": 224, "optimizer.lr": 1e-9}
    data, out = str(tmp_path / "pets"), tmp_path / "run"
    run = train("resnet18", data, epochs=1, batch_size=2, settings=settings, out=out, quiet=True).run
    assert run.model.init_except == ()
    assert run.data.view == found.view
