"""Every bad input that people bring, through the real command line: the exit code and the line that each gets.

    python benchmarks/bad_inputs.py [--only WORD]

A case makes its input in a temporary folder beside a small finished run, runs `python -m resvision` on it, and demands:
the exit code it names; one line that says what is wrong; no traceback; every file that was there as it was. The exit
code of this program is 1 where a case does not hold. Cases marked `works` are unusual inputs that are to be handled.

Expected: all hold; a quarter of an hour on one core, most of it the start of 420 processes.
"""

import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from resvision.core.errors import ResVisionError
from resvision.core.settings import leaves
from resvision.recipes import compose

SECONDS = 180
SETTINGS = {
    "model.options.width": 4,
    "data.image_size": 16,
    "machine.precision": "fp32",
    "machine.threads": 1,
    "machine.workers": 0,
    "machine.compile": "false",
}
TRAIN = ["train", "resnet20", "--epochs", "1", "--batch-size", "4", *(f"--set={k}={v}" for k, v in SETTINGS.items())]
AS_ALL = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", "--")
AS_ALL = AS_ALL if os.geteuid() == 0 else ("env",)
"""Root may read what nobody may; a process without these two capabilities meets permissions as others do."""


@dataclass(frozen=True)
class Case:
    """A bad input.

    make    puts it into the folder, where `good` is a finished run and `pets` the images it was trained on
    words   of the command; `here` stands for the folder
    code    the exit code that is right
    says    what the line must hold
    stdout  whether the line is one of standard output: a result, or a fault that `data check` lists
    before  words before the command, which ask for a process of its own
    """

    name: str
    make: Callable[[Path], object]
    words: tuple[str, ...]
    code: int = 2
    says: str = ""
    stdout: bool = False
    before: tuple[str, ...] = ()

    def command(self, here: Path) -> list[str]:
        return [word.replace("{here}", str(here)) for word in self.words]


# ---------------------------------------------------------------------------------------------- images


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, bits: int = 8) -> bytes:
    """A grey PNG of those sides with these chunks."""
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + b"".join(chunks) + chunk(b"IEND", b"")


@cache
def zeros(count: int) -> bytes:
    """That many zeros, deflated, which takes a thousandth of their size."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(min(2**20, count - done))) for done in range(0, count, 2**20)]
    return b"".join(pieces) + packer.flush()


def tiff(width: int, height: int, data: bytes) -> bytes:
    """A bilevel, deflated TIFF of those sides."""
    tags = [(256, width), (257, height), (258, 1), (259, 8), (262, 1), (273, 134), (277, 1), (278, height)]
    tags.append((279, len(data)))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + bytes(12) + data


def scans(sides: int, count: int) -> bytes:
    """A progressive JPEG that goes over its pixels `count` times more than it needs to."""
    data = encoded(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    sizes = data.index(b"\xff\xc2") + 5
    last = data.rindex(b"\xff\xda")
    return data[:sizes] + struct.pack(">HH", sides, sides) + data[sizes + 4 : -2] + data[last:-2] * count + data[-2:]


def frames(kind: str) -> bytes:
    return encoded(picture(1), kind, save_all=True, append_images=[picture(2), picture(3)])


JPEG = encoded(picture(0), "JPEG", quality=95)
IMAGES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a truncated JPEG": ("cut.jpg", lambda: JPEG[: len(JPEG) // 2], "a damaged JPEG"),
    "a text file named .png": ("text.png", lambda: b"not an image\n", "not an image; allowed are JPEG"),
    "a 0-byte file": ("empty.png", lambda: b"", "an empty file (0 bytes)"),
    "30,000 x 30,000, PNG header alone": (
        "claims.png",
        lambda: png(30_000, 30_000, chunk(b"IDAT", b"")),
        "30,000 x 30,000 pixels, above the limit of 100 million",
    ),
    "30,000 x 30,000, a whole PNG of 0.1 MB": (
        "giant.png",
        lambda: png(30_000, 30_000, chunk(b"IDAT", zeros(30_000 * 3_751)), bits=1),
        "30,000 x 30,000 pixels, above the limit of 100 million",
    ),
    "30,000 x 30,000, a whole TIFF of 0.1 MB": (
        "giant.tif",
        lambda: tiff(30_000, 30_000, zeros(30_000 * 3_750)),
        "30,000 x 30,000 pixels, above the limit of 100 million",
    ),
    "16,384 x 16,384 in a WEBP header": (
        "giant.webp",
        lambda: b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0",
        "above the limit of 100 million pixels",
    ),
    "2,147,483,647 pixels wide in a BMP header": (
        "giant.bmp",
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 9, 1, 24, 0, 0, 0, 0, 0, 0),
        "above the limit of 100 million",
    ),
    "a PNG text chunk that inflates to 64 MB": (
        "text-bomb.png",
        lambda: png(8, 8, chunk(b"zTXt", b"a\0\0" + zeros(2**26)), chunk(b"IDAT", zlib.compress(bytes(72)))),
        "a damaged PNG",
    ),
    "a PNG colour profile that inflates to 64 MB": (
        "profile-bomb.png",
        lambda: png(8, 8, chunk(b"iCCP", b"a\0\0" + zeros(2**26)), chunk(b"IDAT", zlib.compress(bytes(72)))),
        "a damaged PNG",
    ),
    "a JPEG that repeats its scan 10,000 times": ("scans.jpg", lambda: scans(9_000, 10_000), "take too long to decode"),
    "a PGM with 500,000 comments": (
        "comments.pgm",
        lambda: b"P2 100 100 255\n" + b"#\n" * 500_000 + b"0 " * 10_000,
        "comments between the pixels",
    ),
    "an animated GIF": ("moves.gif", lambda: frames("GIF"), "a GIF; allowed are JPEG"),
    "an animated WEBP": ("moves.webp", lambda: frames("WEBP"), "more than one frame"),
    "an animated PNG": ("moves.png", lambda: frames("PNG"), "more than one frame"),
    "a TIFF of three pages": ("pages.tif", lambda: frames("TIFF"), "more than one frame"),
    "a TIFF of 32-bit floats": (
        "floats.tif",
        lambda: encoded(Image.new("F", (8, 8)), "TIFF"),
        "pixels of kind F; save it with 8 or 16 bits",
    ),
}


def with_image(file: str, make: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda here: (with_pets(here) / "train" / "cat" / file).write_bytes(make())


def with_pets(here: Path) -> Path:
    """A copy of the good images to be spoilt."""
    return Path(shutil.copytree(here / "pets", here / "bad", dirs_exist_ok=True))


def image_cases() -> Iterator[Case]:
    for name, (file, make, says) in IMAGES.items():
        made = with_image(file, make)
        yield Case(name, made, ("predict", "{here}/good", f"{{here}}/bad/train/cat/{file}"), says=says)
        yield Case(name, made, ("data", "check", "{here}/bad"), code=1, says=says, stdout=True)
        yield Case(name, made, (*TRAIN, "--data", "{here}/bad", "--out", "{here}/new"), says=says)


def file_cases() -> Iterator[Case]:
    """What is no file at all, or not to be read."""

    def linked(to: str) -> Callable[[Path], object]:
        return lambda here: (with_pets(here) / "train" / "cat" / "it.png").symlink_to(to)

    def piped(here: Path) -> None:
        os.mkfifo(with_pets(here) / "train" / "cat" / "it.png")

    def closed(here: Path) -> None:
        file = with_pets(here) / "train" / "cat" / "it.png"
        file.write_bytes(JPEG)
        file.chmod(0)

    def closed_folder(here: Path) -> None:
        (with_pets(here) / "train" / "cat").chmod(0)

    def nested(here: Path) -> None:
        (with_pets(here) / "train" / "cat" / "more").mkdir()

    makes: dict[str, tuple[Callable[[Path], object], str, tuple[str, ...]]] = {
        "a broken link": (linked("nowhere.png"), "a broken link", ()),
        "a link that leads to itself": (linked("it.png"), "a broken link", ()),
        "a FIFO": (piped, "not a regular file", ()),
        "a file without permission": (closed, "no permission to read it", AS_ALL),
        "a class folder without permission": (closed_folder, "cannot be listed (Permission denied)", AS_ALL),
        "a folder inside a class": (nested, "a folder inside a class", ()),
    }
    for name, (make, says, before) in makes.items():
        yield Case(name, make, ("data", "check", "{here}/bad"), code=1, says=says, stdout=True, before=before)
        yield Case(name, make, (*TRAIN, "--data", "{here}/bad", "--out", "{here}/new"), says=says, before=before)
    for name in [*makes][:4]:
        make, says, before = makes[name]
        yield Case(name, make, ("predict", "{here}/good", "{here}/bad/train/cat/it.png"), says=says, before=before)
    words = ("predict", "{here}/good", "{here}/bad/train")
    make, says, before = makes["a class folder without permission"]
    yield Case("a class folder without permission", make, words, says=says, before=before)


def name_cases() -> Iterator[Case]:
    """Names of classes, files and folders."""

    def another_class(name: str | bytes) -> Callable[[Path], object]:
        def make(here: Path) -> None:
            bad = with_pets(here)
            for split in ("train", "val"):
                shutil.copytree(bad / split / "cat", bad / split / os.fsdecode(name))

        return make

    def another_file(name: bytes) -> Callable[[Path], object]:
        return lambda here: shutil.copy(here / "pets/val/cat/0.png", with_pets(here) / "val/cat" / os.fsdecode(name))

    def another_place(here: Path) -> None:
        shutil.copytree(here / "pets", here / os.fsdecode(b"pets-\xff"))

    check, train = ("data", "check", "{here}/bad"), (*TRAIN, "--data", "{here}/bad", "--out", "{here}/new")
    for name, made, says in [
        ("a class name with a newline", another_class("wo\nlf"), "a class name with a line break"),
        ("a class name that differs only in case", another_class("Cat"), "differs from Cat only in case"),
        ("a class name of undecodable bytes", another_class(b"\xff\xfe"), "a class name with a line break or the like"),
    ]:
        yield Case(name, made, check, code=1, says=says, stdout=True)
        yield Case(name, made, train, says=says)
    for name, made in [
        ("works: a class name in Korean", another_class("고양이")),
        ("works: a file name of undecodable bytes", another_file(b"\xff\xfe.png")),
        ("works: a file name with a newline", another_file(b"a\nb.png")),
    ]:
        yield Case(name, made, check, code=0, says="0 faults", stdout=True)
        yield Case(name, made, train, code=0, says="top-1 error", stdout=True)
        yield Case(name, made, ("predict", "{here}/good", "{here}/bad/val"), code=0, says=".png: ", stdout=True)

    for words, says in [
        (("evaluate", "{here}/korean"), "고양이"),
        (("predict", "{here}/korean", "{here}/pets/val"), "고양이"),
        (("report", "{here}/korean"), "report.html"),
    ]:
        yield Case("works: a run with a class name in Korean", nothing, words, code=0, says=says, stdout=True)
    words = ("predict", "{here}/korean", "{here}/pets/val")
    ascii_only = ("env", "PYTHONIOENCODING=ascii")
    name = "works: a class name in Korean on a terminal of ASCII"
    yield Case(name, nothing, words, code=0, says=r"\uace0\uc591\uc774", stdout=True, before=ascii_only)
    words = (*TRAIN, "--data", os.fsdecode(b"{here}/pets-\xff"), "--out", "{here}/new")
    yield Case("a data folder of undecodable bytes", another_place, words, says="bytes that are no text")


# ---------------------------------------------------------------------------------------------- runs


def with_run(spoil: Callable[[Path], object]) -> Callable[[Path], object]:
    """A copy of the finished run, spoilt."""
    return lambda here: spoil(Path(shutil.copytree(here / "good", here / "run")))


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / (run / "checkpoints" / "last").read_text().strip()


def with_tensors(file: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def spoil(run: Path) -> None:
        tensors = load_file(checkpoint(run) / file)
        change(tensors)
        save_file(tensors, checkpoint(run) / file)

    return with_run(spoil)


def with_bytes(file: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def spoil(run: Path) -> None:
        place = run / file if (run / file).exists() else checkpoint(run) / file
        place.write_bytes(change(place.read_bytes()))

    return with_run(spoil)


def pickled(data: bytes) -> bytes:
    stream = BytesIO()
    torch.save({"fc.weight": torch.zeros(3)}, stream)
    return stream.getvalue()


def checkpoint_cases() -> Iterator[Case]:
    weights, moments = "ema.safetensors", "optimizer.safetensors"

    def point_outside(run: Path) -> None:
        (run / "checkpoints" / "last").write_text("../..\n")

    resume = ("train", "--resume", "{here}/run")
    evaluate = ("evaluate", "{here}/run")
    spoilt: list[tuple[str, Callable[[Path], object], str, tuple[str, ...]]] = [
        ("weights cut in half", with_bytes(weights, lambda data: data[: len(data) // 2]), "safetensors", evaluate),
        ("weights of 0 bytes", with_bytes(weights, lambda data: b""), "safetensors", evaluate),
        ("weights that are a pickle", with_bytes(weights, pickled), "safetensors", evaluate),
        (
            "weights of another architecture",
            with_tensors(weights, lambda t: [t.pop(k) for k in [*t] if "layer" in k or "stage" in k]),
            "do not fit the net",
            evaluate,
        ),
        (
            "weights with an extra key",
            with_tensors(weights, lambda t: t.update(spare=torch.zeros(2))),
            "unexpected spare",
            evaluate,
        ),
        ("weights with a missing key", with_tensors(weights, lambda t: t.pop(next(iter(t)))), "missing", evaluate),
        (
            "weights of another shape",
            with_tensors(weights, lambda t: t.update({next(iter(t)): torch.zeros(2, 2)})),
            "is (2, 2), not",
            evaluate,
        ),
        (
            "weights that are not numbers",
            with_tensors(weights, lambda t: [v.fill_(torch.nan) for v in t.values() if v.is_floating_point()]),
            "not finite",
            evaluate,
        ),
        (
            "optimizer state cut in half",
            with_bytes(moments, lambda data: data[: len(data) // 2]),
            "safetensors",
            resume,
        ),
        (
            "optimizer state of other shapes",
            with_tensors(moments, lambda t: t.update({k: torch.zeros(7) for k in t})),
            "does not fit",
            resume,
        ),
        (
            "optimizer state under other names",
            with_tensors(moments, lambda t: t.update({"nonsense": torch.zeros(7)})),
            "does not fit",
            resume,
        ),
        (
            "optimizer state of a parameter that is not there",
            with_tensors(moments, lambda t: t.update({"9999.momentum_buffer": torch.zeros(7)})),
            "does not fit",
            resume,
        ),
        (
            "no optimizer state",
            with_run(lambda run: (checkpoint(run) / moments).unlink()),
            "no longer be extended",
            resume,
        ),
        ("`last` that points outside", with_run(point_outside), "last", evaluate),
        ("`last` of 0 bytes", with_bytes("checkpoints/last", lambda data: b""), "last", evaluate),
        ("`last` that is no text", with_bytes("checkpoints/last", lambda data: b"\xff\xfe"), "last", evaluate),
        ("no checkpoints", with_run(lambda run: shutil.rmtree(run / "checkpoints")), "no checkpoint yet", evaluate),
    ]
    for text in ("not JSON", "[]", "{}", '{"format": 99, "step": 1, "optimizer": {}}'):
        changed = with_bytes("state.json", lambda data, text=text: text.encode())
        spoilt.append((f"state.json: {text}", changed, "state.json" if "99" not in text else "format 99", resume))
    for step in ("-1", "1e400", '"x"', "true", "1000000", "null", "0.5", "[1]"):
        text = f'{{"format": 1, "step": {step}, "optimizer": {{}}}}'
        changed = with_bytes("state.json", lambda data, text=text: text.encode())
        spoilt.append((f"state.json: step {step}", changed, "step", resume))
    for optimizer in ("[]", "1", '{"0.x": 1}', '{"a": 1}', '{"999.step": 1}'):
        text = f'{{"format": 1, "step": 4, "optimizer": {optimizer}}}'
        changed = with_bytes("state.json", lambda data, text=text: text.encode())
        spoilt.append((f"state.json: optimizer {optimizer}", changed, "optimizer", resume))
    for name, make, says, words in spoilt:
        yield Case(name, make, words, says=says, code=1 if "not numbers" in name else 2)


def edited(path: str, value: Any) -> Callable[[Path], object]:
    """run.json with another value at `a.b`; without it where the value is `edited`."""

    def spoil(run: Path) -> None:
        whole = json.loads((run / "run.json").read_text())
        *groups, key = path.split(".")
        inner = whole
        for group in groups:
            inner = inner[group]
        if value is edited:
            del inner[key]
        else:
            inner[key] = value
        (run / "run.json").write_text(json.dumps(whole))

    return with_run(spoil)


RUN_TEXTS = ["not JSON", "", "[]", "null", '"text"', "{}", '{"format": 1}', "[" * 100_000, "1" * 10_000, "\xff"]
RUN_EDITS: list[tuple[str, Any, str]] = [
    ("nonsense", 1, "nonsense"),
    ("optimizer.learning_rate", 1, "learning_rate"),
    ("optimizer.lr", edited, "optimizer.lr: missing"),
    ("optimizer", None, "optimizer"),
    ("optimizer", [], "optimizer"),
    ("optimizer.lr", "fast", "optimizer.lr"),
    ("optimizer.lr", float("nan"), "optimizer.lr"),
    ("optimizer.lr", float("inf"), "optimizer.lr"),
    ("optimizer.lr", -1, "optimizer.lr"),
    ("format", 99, "format 99"),
    ("format", "1", "format"),
    ("format", None, "format"),
    ("model.name", "resnet21", "resnet21"),
    ("model.name", "os:system", "os:system"),
    ("model.name", 20, "model.name"),
    ("model.num_classes", 3, "disagrees"),
    ("model.num_classes", 10**30, "model.num_classes"),
    ("model.options", {"width": "wide"}, "width"),
    ("model.options", {"width": float("nan")}, "width"),
    ("model.options", {"width": 10**9}, "too large for this machine"),
    ("model.options", {"depht": 1}, "depht"),
    ("data.name", "nowhere", "nowhere"),
    ("data.classes", ["cat", "dog", "wolf"], "disagrees"),
    ("data.classes", ["cat", "cat"], "disagrees"),
    ("data.classes", "cat", "data.classes"),
    ("data.classes", [], "disagrees"),
    ("data.train_images", -5, "has changed since"),
    ("data.train_images", 10**12, "has changed since"),
    ("data.image_size", 10**9, "resize_px <= 8192"),
    ("data.view", None, "data"),
    ("data.view.crop_px", 10**9, "crop_px"),
    ("data.view.crop_px", 8, "has changed since"),
    ("data.view.std", [0, 0, 0], "std"),
    ("data.view.mean", [0.5], "mean"),
    ("data.fingerprint", "abc", "has changed since"),
    ("training.duration", "-3 epochs", "training.duration"),
    ("training.duration", "1e9 epochs", "training.duration"),
    ("training.duration", f"{10**30} epochs", "training.duration"),
    ("training.batch_size", 10**30, "training.batch_size"),
    ("training.batch_size", 0, "training.batch_size"),
    ("training.batch_size", 2.5, "training.batch_size"),
    ("training.batch_size", True, "training.batch_size"),
    ("training.seed", -1, "training.seed"),
    ("training.checkpoint_seconds", 0, "training.checkpoint_seconds"),
    ("schedule.milestones", {"a": 1}, "schedule.milestones"),
    ("schedule.kind", "cosinus", "nearest: cosine"),
    ("augment.crop_scale", [1, 0], "crop_scale"),
    ("machine.threads", 10**9, "machine.threads"),
    ("machine.workers", 10**9, "machine.workers"),
    ("machine.precision", "fp8", "machine.precision"),
    ("loss", {"label_smoothing": 7}, "label_smoothing"),
    ("loss", {"label_smoothing": "much"}, "label_smoothing"),
]


REPORT_EDITS: list[tuple[str, Any]] = [
    ("format", 99),
    ("recipe", 7),
    ("model.name", edited),
    ("data.train_images", "many"),
    ("data.train_images", -5),
    ("training.batch_size", 0),
    ("training.batch_size", 2.5),
    ("data.classes", 5),
    ("data.image_size", "x"),
    ("training.duration", "1e9 epochs"),
    ("training.duration", f"{10**30} epochs"),
]


def run_cases() -> Iterator[Case]:
    resume = ("train", "--resume", "{here}/run")
    for text in RUN_TEXTS:
        shown = text if len(text) < 20 else f"{text[:3]}... of {len(text):,} letters"
        data = b"\xff\xfe" if text == "\xff" else text.encode()
        made = with_bytes("run.json", lambda _, data=data: data)
        yield Case(f"run.json: {shown!r}", made, ("evaluate", "{here}/run"), says="run.json")
        yield Case(f"run.json: {shown!r}", made, ("report", "{here}/run"), says="run.json")
    for path, value, says in RUN_EDITS:
        shown = "missing" if value is edited else "10**12" if value == 10**12 else json.dumps(value)
        yield Case(f"run.json: {path} {shown}", edited(path, value), resume, says=says)
    for path, value in REPORT_EDITS:
        shown = "missing" if value is edited else json.dumps(value)
        yield Case(f"run.json: {path} {shown}", edited(path, value), ("report", "{here}/run"), says=path)

    def in_the_middle(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join([lines[0], b'{"step": 2, "lo\n', *lines[1:]])

    def without_loss(data: bytes) -> bytes:
        return b'{"step": 1, "epoch": 0}\n' + data

    def cut(data: bytes) -> bytes:
        return data[:-9]

    middle, bare = with_bytes("history.jsonl", in_the_middle), with_bytes("history.jsonl", without_loss)
    report = ("report", "{here}/run")
    yield Case("history.jsonl damaged in the middle", middle, report, says="history.jsonl:2: not a line of history")
    yield Case("history.jsonl damaged in the middle", middle, resume, says="history.jsonl:2: not a line of history")
    yield Case("history.jsonl with a line that lacks figures", bare, report, says="history.jsonl")
    yield Case("works: history.jsonl with its last line cut", with_bytes("history.jsonl", cut), report, code=0)
    yield Case("works: history.jsonl with its last line cut", with_bytes("history.jsonl", cut), resume, code=0)
    for text in ("not JSON", "[]", "{}", '{"per_class": 1}'):
        made = with_bytes("evaluation.json", lambda _, text=text: text.encode())
        yield Case(f"evaluation.json: {text}", made, report, says="evaluation.json")
    for text in ("not JSON", "[]", '{"torch": {"a": [1]}}'):
        made = with_bytes("environment.json", lambda _, text=text: text.encode())
        code = 0 if "torch" in text else 2
        yield Case(f"environment.json: {text}", made, report, code=code, says="" if code == 0 else "environment.json")


# ---------------------------------------------------------------------------------------------- words


def nothing(here: Path) -> None:
    """The words alone are the bad input."""


def word_cases() -> Iterator[Case]:
    train = (*TRAIN, "--data", "{here}/pets", "--out", "{here}/new")
    for option, value in [
        ("--epochs", "0"),
        ("--epochs", "-1"),
        ("--epochs", "many"),
        ("--epochs", "1" + "0" * 30),
        ("--batch-size", "0"),
        ("--batch-size", "1000000000"),
        ("--batch-size", "1" + "0" * 30),
        ("--lr", "nan"),
        ("--lr", "inf"),
        ("--lr", "-1"),
        ("--lr", "0"),
        ("--lr", "1e400"),
        ("--seed", "-1"),
        ("--seed", "1" + "0" * 30),
        ("--device", "tpu"),
        ("--precision", "fp64"),
        ("--set", "optimizer.lr"),
        ("--set", "=1"),
        ("--set", "optimizer=1"),
        ("--set", "optimizer.lr.x=1"),
        ("--set", "model.options.width=NaN"),
        ("--set", "model.options.width=" + "1" * 5000),
        ("--set", "model.options.width=" + "[" * 100_000),
        ("--set", "model.options.width=0"),
        ("--set", "data.image_size=0"),
        ("--set", "data.image_size=9000"),
        ("--set", "data.channels=2"),
        ("--set", "machine.threads=1000000000"),
        ("--set", "machine.workers=1000000000"),
        ("--set", "augment.shift_px=1000000"),
        ("--set", "model.init_from={here}/pets/val/cat/0.png"),
        ("--set", "model.init_from={here}/nowhere"),
        ("--set", "data.root=\udcff"),
    ]:
        shown = value if len(value) < 60 else f"{value[:24]}... of {len(value):,} letters"
        yield Case(f"{option} {shown}", nothing, (*train, option, value))
    for sizes in ("0x0", "3x0x0", "1x1", "3x1x1", "3x9x9x9", "x", "3x100000x100000", "999999x32x32"):
        code = 0 if sizes in {"3x1x1", "3x100000x100000", "999999x32x32"} else 2
        words = ("inspect", "resnet50", "--input", sizes)
        yield Case(f"{'works: ' if code == 0 else ''}--input {sizes}", nothing, words, code=code)
    yield Case("--num-classes 0", nothing, ("inspect", "resnet50", "--num-classes", "0"))
    for value in ("width=[", "width=" + "1" * 5000, "width=" + "[" * 100_000, "width=NaN", "width", "=1", "\udcff=1"):
        shown = value if len(value) < 60 else f"{value[:9]}... of {len(value):,} letters"
        yield Case(f"--option {shown}", nothing, ("inspect", "resnet50", "--option", value))
    yield Case(
        "a file as --data",
        nothing,
        (*TRAIN, "--data", "{here}/pets/val/cat/0.png"),
        says="neither a folder of images nor",
    )
    yield Case("a missing folder as --data", nothing, (*TRAIN, "--data", "{here}/nowhere"), says="unknown data set")
    yield Case("a file as --out", nothing, (*TRAIN, "--data", "{here}/pets", "--out", "{here}/pets/val/cat/0.png"))
    yield Case("a folder in use as --out", nothing, (*TRAIN, "--data", "{here}/pets", "--out", "{here}/pets"))
    yield Case("a file as a run", nothing, ("evaluate", "{here}/pets/val/cat/0.png"))
    yield Case("a folder of images as a run", nothing, ("evaluate", "{here}/pets"))
    yield Case("other classes than the run's", wolves, ("evaluate", "{here}/good", "--data", "{here}/bad"), says="wolf")
    test = ("evaluate", "{here}/good", "--protocol")
    yield Case("a protocol that is not there", nothing, (*test, "tencrop"), says="nearest: ten-crop")
    yield Case("a protocol on images smaller than its crop", nothing, (*test, "dense", "--scales", "8"), says="smaller")
    yield Case("--scales that are no numbers", nothing, (*test, "dense", "--scales", "8;16"), says="--scales")
    yield Case("--scales for a protocol without", nothing, (*test, "mirror", "--scales", "64"), says="no scales")
    report = ("report", "{here}/good", "--out", "{here}/nowhere/page.html")
    yield Case("a page in a folder that is not there", nothing, report, says="page.html")
    yield Case("a page that is a folder", nothing, ("report", "{here}/good", "--out", "{here}/pets"), says="pets")
    check = ("data", "check", "cifar10")
    yield Case("RESVISION_DATA that names a file", data_root, check, says="cifar10")
    yield Case("--root that names a file", nothing, (*check, "--root", "{here}/pets/val/cat/0.png"), says="cifar10")


WRONG_TEXTS = ("abc", "-1", "1e400", "nan", "", "[]", "true", "{}")
TAKES_ANY_TEXT = {"model.init_from", "model.init_except", "data.root"}


def setting_cases() -> Iterator[Case]:
    """A wrong type for every leaf of a run; `wrong_texts` tries the other texts without a process for each."""
    for path, value in leaves(compose("resnet20", "digits")):
        if path not in TAKES_ANY_TEXT:
            words = (*TRAIN, "--data", "{here}/pets", "--out", "{here}/new", "--set", f"{path}=abc")
            yield Case(f"--set {path}=abc", nothing, words, says=path)
        if isinstance(value, bool):
            words = (*TRAIN, "--data", "{here}/pets", "--out", "{here}/new", "--set", f"{path}=true")
            yield Case(f"works: --set {path}=true", nothing, words, code=0, says="top-1", stdout=True)


def wrong_texts() -> tuple[int, int]:
    """How many of WRONG_TEXTS the leaves of a run take by their type, and how many they refuse by a short line."""
    taken = refused = 0
    for path, _ in leaves(compose("resnet20", "digits")):
        for text in WRONG_TEXTS:
            try:
                compose("resnet20", "digits", settings=[f"{path}={text}"])
            except ResVisionError as error:
                assert path in str(error), error
                assert len(str(error)) < 300, error
                refused += 1
            else:
                taken += 1
    return taken, refused


def weights_cases() -> Iterator[Case]:
    """Files of weights from elsewhere, and what is no file."""

    def piped(here: Path) -> None:
        os.mkfifo(here / "pipe")

    def saved(change: Callable[[dict[str, Any]], object], cut: int = 0) -> Callable[[Path], object]:
        def make(here: Path) -> None:
            state: dict[str, Any] = load_file(checkpoint(here / "good") / "weights.safetensors")
            change(state)
            stream = BytesIO()
            torch.save(state, stream)
            data = stream.getvalue()
            (here / "it.pth").write_bytes(data[: len(data) - cut])

        return make

    convert = ("convert", "{here}/it.pth", "resnet20", "--out", "{here}/it.safetensors")
    yield Case("works: weights of PyTorch", saved(lambda s: None), convert, code=0, says="it.safetensors", stdout=True)
    code = saved(lambda state: state.update(spare=os.getcwd))
    yield Case("weights that hold code", code, convert, says="names posix.getcwd")
    yield Case("weights of PyTorch, cut off", saved(lambda state: None, cut=99), convert, says="cut off")
    extra = saved(lambda state: state.update(spare=torch.zeros(2)))
    yield Case("weights of PyTorch with an extra key", extra, convert, says="unexpected spare (2,)")
    other = (convert[0], convert[1], "resnet18", *convert[3:])
    yield Case("weights of PyTorch of another net", saved(lambda state: None), other, says="do not fit")
    yield Case("a FIFO as weights", piped, ("convert", "{here}/pipe", "resnet20"), says="not a regular file")
    yield Case("a device as weights", nothing, ("convert", "/dev/zero", "resnet20", "-o", "{here}/it"), says="regular")
    train = (*TRAIN, "--data", "{here}/pets", "--out", "{here}/new", "--set")
    yield Case("a FIFO as weights", piped, (*train, "model.init_from={here}/pipe"), says="neither a regular file nor")
    yield Case("a device as weights", nothing, (*train, "model.init_from=/dev/zero"), says="neither a regular file nor")
    for name, make, place in (("a FIFO as data", piped, "{here}/pipe"), ("a device as data", nothing, "/dev/zero")):
        yield Case(name, make, (*TRAIN, "--data", place, "--out", "{here}/new"), says="neither a folder of images nor")
        yield Case(name, make, ("data", "check", place), says="neither a folder of images nor")
    for words in (
        ("predict", "resnet20", "{here}/pets"),
        ("evaluate", "resnet20"),
        (*TRAIN, "--data", "{here}/pets", "--out", "{here}/new"),
    ):
        words = (*words, "--weights", "torchvision")
        yield Case("weights that nobody publishes", nothing, words, says="torchvision publishes no weights")
    words = ("predict", "resnet18", "--weights", "torchvision:V9", "{here}/pets")
    yield Case("weights of an unknown name", nothing, words, says="choices: IMAGENET1K_V1")
    yield Case("--weights that is a file", nothing, (*words[:3], "{here}/it.pth", "{here}/pets"), says="no such file")


def wolves(here: Path) -> None:
    (with_pets(here) / "val" / "dog").rename(here / "bad" / "val" / "wolf")
    (here / "bad" / "train" / "dog").rename(here / "bad" / "train" / "wolf")


def data_root(here: Path) -> None:
    (here / "data").write_text("a file where the data folder is to be")


def predict_cases() -> Iterator[Case]:
    def mixed(here: Path) -> None:
        (here / "mixed").mkdir()
        shutil.copy(here / "pets/val/cat/0.png", here / "mixed/a.png")
        (here / "mixed/b.png").write_text("text")
        (here / "mixed/c.jpg").write_bytes(JPEG[:300])
        shutil.copy(here / "pets/val/dog/0.png", here / "mixed/d.png")

    def looped(here: Path) -> None:
        (here / "loop").mkdir()
        shutil.copy(here / "pets/val/cat/0.png", here / "loop/a.png")
        (here / "loop/again").symlink_to(here / "loop")

    def grey(here: Path) -> None:
        Image.new("L", (9, 9), 7).save(here / "grey.png")

    def long_and_thin(here: Path) -> None:
        Image.new("L", (9_999_999, 2), 7).save(here / "thin.png")

    predict = ("predict", "{here}/good")
    yield Case("a missing file", nothing, (*predict, "{here}/nowhere.png"), says="no such file or folder")
    yield Case("a folder with nothing in it", lambda here: (here / "none").mkdir(), (*predict, "{here}/none"))
    yield Case("a folder with two bad files of four", mixed, (*predict, "{here}/mixed"), code=1, says="2 of 4 images")
    yield Case(
        "works: a folder with a link to itself", looped, (*predict, "{here}/loop"), code=0, says="a.png", stdout=True
    )
    yield Case(
        "works: grey for a colour net", grey, (*predict, "{here}/grey.png"), code=0, says="grey.png", stdout=True
    )
    yield Case("9,999,999 x 2 pixels", long_and_thin, (*predict, "{here}/thin.png"), says="too long and thin")


# ---------------------------------------------------------------------------------------------- boxes


VOC = (
    "<annotation><size><width>24</width><height>20</height></size><object><name>cat</name><bndbox><xmin>2</xmin>"
    "<ymin>3</ymin><xmax>20</xmax><ymax>18</ymax></bndbox></object></annotation>"
)
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "0.png"}, {"id": 2, "file_name": "1.png"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 19, 16]}],
    "categories": [{"id": 7, "name": "cat"}],
}
BOXES: dict[str, tuple[str, str | bytes, str]] = {
    "an XML with entities": ("voc/Annotations/0.xml", f'<!DOCTYPE a [<!ENTITY b "c">]>{VOC}', "a document type"),
    "an XML of 5 MB that nests": ("voc/Annotations/0.xml", "<annotation>" + "<a>" * 2**20, "nested deeper than 32"),
    "an XML of 17 MB": ("voc/Annotations/0.xml", VOC + " " * (17 * 2**20), "more than 16 MB"),
    "an XML cut off": ("voc/Annotations/0.xml", VOC[:99], "no XML"),
    "a corner of 1e400": ("voc/Annotations/0.xml", VOC.replace("20</x", "1e400</x"), "no coordinate of an image"),
    "two corners of one name": ("voc/Annotations/0.xml", VOC.replace("<xmin>", "<xmin>1</xmin><xmin>"), "there twice"),
    "swapped corners": ("voc/Annotations/0.xml", VOC.replace(">2<", ">22<"), "a box without extent"),
    "a JSON of a list": ("coco/labels.json", '[{"images": 1}]', "no annotations of COCO"),
    "a JSON of 100,000 levels": ("coco/labels.json", '{"images": ' + "[" * 100_000, "no annotations of COCO"),
    "a bbox of three numbers": ("coco/labels.json", json.dumps(COCO).replace("19, ", ""), "no annotations of COCO"),
    "a bbox of texts": ("coco/labels.json", json.dumps(COCO).replace("19", '"19"'), "Expected `float`, got `str`"),
    "a category of 70 bits": ("coco/labels.json", json.dumps(COCO).replace("7", str(2**70)), "no annotations of COCO"),
    "a file_name that leads out": ("coco/labels.json", json.dumps(COCO).replace("0.png", "../0.png"), "lies outside"),
    "a class id of 1.5": ("yolo/labels/0.txt", "1.5 .5 .5 .5 .5", "a class 1.5"),
    "commas in labels": ("yolo/labels/0.txt", "0,.5,.5,.5,.5", "no line of numbers"),
    "shares beyond 1": ("yolo/labels/0.txt", "0 .9 .5 .5 .5", "reaches out of its image"),
    "labels in UTF-16": ("yolo/labels/0.txt", "0 .5 .5 .5 .5".encode("utf-16"), "not a text in UTF-8"),
    "nc that contradicts": ("yolo/data.yaml", "train: images\nnc: 2\nnames: [cat]\n", "nc is 2, but names has 1"),
    "ids of names with gaps": ("yolo/data.yaml", "train: images\nnames: {0: cat, 2: dog}\n", "without a gap"),
    "YAML that runs code": ("yolo/data.yaml", "names: !!python/object/apply:os.system [x]\n", "YAML beyond"),
}


def with_boxes(here: Path) -> Path:
    """Three images in a set of each form of boxes."""
    texts = {
        "voc/Annotations/0.xml": VOC,
        "voc/Annotations/1.xml": VOC,
        "voc/Annotations/2.xml": VOC,
        "coco/labels.json": json.dumps(COCO),
        "yolo/data.yaml": "train: images\nnames: [cat]\n",
        "yolo/labels/0.txt": "0 .5 .5 .5 .5\n",
        "yolo/labels/1.txt": "0 .5 .5 .5 .5\n",
        "yolo/labels/2.txt": "",
    }
    for name, text in texts.items():
        (here / "boxes" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "boxes" / name).write_text(text)
    for folder, number in [(folder, n) for folder in ("voc/JPEGImages", "coco", "yolo/images") for n in range(3)]:
        (here / "boxes" / folder).mkdir(exist_ok=True)
        picture(number).save(here / "boxes" / folder / f"{number}.png")
    return here / "boxes"


def box_cases() -> Iterator[Case]:
    for name, (file, content, says) in BOXES.items():

        def make(here: Path, file: str = file, content: str | bytes = content) -> None:
            (with_boxes(here) / file).write_bytes(content if isinstance(content, bytes) else content.encode())

        place = f"{{here}}/boxes/{file.split('/')[0]}"
        train = ("train", "retinanet", "--data", place, "--out", "{here}/new")
        yield Case(name, make, ("data", "check", place), code=1, says=says, stdout=True)
        yield Case(name, make, train, says=says)
    voc = "{here}/boxes/voc"
    train = ("train", "retinanet", "--data", voc, "--out", "{here}/new", "--set=model.options.backbone=resnet18")
    for words, says in [
        ((*train, "--set=model.options.backbone=lenet5"), "has no maps"),
        ((*train, "--set=model.options.channels=0"), "channels is 0"),
        ((*train, "--set=loss.alpha=2"), "alpha must lie in 0..1"),
        ((*train, "--set=augment.scale_range=2,1"), "scale_range must be two rising numbers"),
        ((*train, "--set=augment.crop_px=9000"), "augment.crop_px"),
        ((*train, "--set=data.image_size=8", "--batch-size=2"), "match no anchor in squares of 8 px"),
        ((*train, "--allow", "nonsense"), "unknown kind of faults"),
        (("predict", "{here}/good", "{here}/pets/val", "--score", "0.5"), "have no use for it"),
        (("data", "convert", voc, f"{voc}/inside", "--to", "yolo"), "would hold other images then"),
        (("data", "convert", voc, "{here}/pets", "--to", "yolo"), "nothing is written over"),
        (("evaluate", "{here}/good", "--data", voc), "a data set for detection"),
        (("train", "retinanet", "--data", "{here}/pets", "--out", "{here}/new"), "no boxes"),
    ]:
        options = [word for word in words[2:] if "{" not in word and not word.endswith("=resnet18")]
        yield Case(f"boxes: {words[0]} {' '.join(options)}", with_boxes, words, says=says)


CASES = [
    *image_cases(),
    *box_cases(),
    *file_cases(),
    *name_cases(),
    *checkpoint_cases(),
    *run_cases(),
    *word_cases(),
    *setting_cases(),
    *predict_cases(),
    *weights_cases(),
]


# ---------------------------------------------------------------------------------------------- running


def call(words: Sequence[str], here: Path, *, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line in its own process, with a home and caches of its own."""
    places = {"HOME": str(here), "XDG_CACHE_HOME": str(here / "cache"), "RESVISION_DATA": str(here / "data")}
    return subprocess.run(
        [*before, sys.executable, "-m", "resvision", *words],
        capture_output=True,
        text=True,
        errors="replace",
        cwd=here,
        env={**os.environ, **places, "OMP_NUM_THREADS": "1", "COLUMNS": "400"},
        timeout=SECONDS,
        check=False,
    )


Runner = Callable[..., "subprocess.CompletedProcess[str]"]


def prepare(here: Path, run: Runner = call) -> None:
    """The images `pets` and the run `good`, which cases copy and spoil, and the same with a class name in Korean."""
    for split, count in (("train", 6), ("val", 3)):
        for label, name in enumerate(("cat", "dog")):
            folder = here / "pets" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture(100 * label + 10 * len(split) + number).save(folder / f"{number}.png")
    shutil.copytree(here / "pets", here / "pets-korean")
    for split in ("train", "val"):
        (here / "pets-korean" / split / "cat").rename(here / "pets-korean" / split / "고양이")
    for data, out in (("pets", "good"), ("pets-korean", "korean")):
        done = run([*TRAIN, "--data", str(here / data), "--out", str(here / out)], here)
        assert done.returncode == 0, done.stderr


def contents(here: Path) -> dict[str, str]:
    """A hash of every file, to see that none changed."""
    files = [Path(folder) / name for folder, _, names in os.walk(here) for name in names]
    return {str(f): hashlib.blake2b(f.read_bytes()).hexdigest() for f in files if f.is_file() and not f.is_symlink()}


def said(case: Case, code: int, out: str, err: str) -> tuple[str, str]:
    """The line that the input got, and what is not as it should be, empty where all is."""
    lines = [line for line in err.splitlines() if line.startswith("resvision: ")]
    wrong = []
    if code != case.code:
        wrong.append(f"exit code {code}, not {case.code}")
    if "Traceback" in out + err or "Warning" in err:
        wrong.append("a traceback or a warning: " + err.strip().splitlines()[-1])
    pool = out.splitlines() if case.stdout else lines
    line = next((line for line in pool if case.says in line), pool[-1] if pool else "")
    if case.says not in line:
        wrong.append(f"does not say {case.says!r}")
    per_file = case.code == 1 and not case.stdout  # each bad file of a folder has its line
    if len(lines) != (0 if case.stdout or case.code == 0 else 1) and not per_file:
        wrong.append(f"{len(lines)} lines of errors")
    if len(line) > 500:
        wrong.append(f"a line of {len(line):,} letters")
    return line.removeprefix("resvision: "), "; ".join(wrong)


def try_case(case: Case, here: Path, run: Runner = call) -> tuple[int, str, str]:
    """Exit code, the line, and what is wrong; the folder is as before afterwards."""
    untouched = set(here.iterdir())
    before = contents(here)
    case.make(here)
    spoilt = contents(here)
    try:
        done = run(case.command(here), here, before=case.before)
        code, (line, wrong) = done.returncode, said(case, done.returncode, done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        code, line, wrong = -1, "", f"no end after {SECONDS} s"
    after = contents(here)
    kept = spoilt if case.code else before
    changed = [file for file in kept if "/cache/" not in file and after.get(file) != kept[file]]
    if changed:
        wrong += f"; changed {changed[0]}"
    for place in set(here.iterdir()) - untouched:
        for folder, _, _ in os.walk(place):
            Path(folder).chmod(0o755)
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
    return code, line.replace(str(here), "."), wrong.strip("; ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    asked = parser.parse_args()
    failed, began = 0, time.monotonic()
    chosen = [case for case in CASES if asked.only in case.name]
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place))
        for case in chosen:
            if case.before and shutil.which(case.before[0]) is None:
                print(f"{case.name}: skipped, there is no {case.before[0]}")
                continue
            code, line, wrong = try_case(case, Path(place))
            failed += bool(wrong)
            verb = " ".join(case.words[: 2 if case.words[0] == "data" else 1])
            print(f"{case.name}\n    {verb}, exit code {code}: {line}", flush=True)
            if wrong:
                print(f"    WRONG: {wrong}", flush=True)
    taken, refused = wrong_texts()
    texts = ", ".join(map(repr, WRONG_TEXTS))
    print(f"\n--set of {texts} for every leaf of a run: {refused} refused by a line, {taken} of the leaf's type")
    print(f"{len(chosen)} cases, {failed} wrong, {time.monotonic() - began:.0f} s")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
