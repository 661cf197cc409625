"""What every test may lean on: a run that was trained once, small enough to be trained in seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from resvision.cli.main import run as run_cli
from resvision.launch import Finished, train

TINY = {"model.options.width": 4, "data.image_size": 16, "machine.precision": "fp32", "machine.threads": 1}


settings.register_profile("resvision", deadline=None)  # a busy machine is no failure
settings.load_profile("resvision")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Nets this small are faster on one core, many times so when the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A narrow ResNet-20 after three epochs of digits."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return train("resnet20", "digits", epochs=3, settings=TINY, out=out, quiet=True)


def scenes(folder: Path, *, images: int, split: str = "", side: int = 40) -> Path:
    """Pictures of a bright square on dark ground with label maps, `void` around it, in `folder`."""
    draw = np.random.default_rng(images)
    for part in ("images", "masks"):
        (folder / split / part).mkdir(parents=True, exist_ok=True)
    for number in range(images):
        top, left = draw.integers(4, side - 22, size=2).tolist()
        size = int(draw.integers(10, 16))
        image = draw.integers(0, 60, size=(side, side + 8, 3)).astype(np.uint8)
        mask = np.zeros(image.shape[:2], dtype=np.uint8)
        mask[top - 1 : top + size + 1, left - 1 : left + size + 1] = 255
        mask[top : top + size, left : left + size] = 1
        image[mask == 1] += np.array([120, 180, 60], dtype=np.uint8)
        Image.fromarray(image).save(folder / split / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / split / "masks" / f"{number}.png")
    (folder / "classes.txt").write_text("ground\nsquare\n")
    return folder


SEGMENTED = {"model.options.backbone": "resnet18", "model.options.width": 4, "data.image_size": 32}
SEGMENTED |= {"training.clip_norm": 1.0}  # without it so few steps of so small a net learn for some seeds only
SEGMENTED |= {"machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0}


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images and masks, of two classes."""
    folder = tmp_path_factory.mktemp("data") / "squares"
    scenes(folder, images=24, split="train")
    return scenes(folder, images=6, split="val")


@pytest.fixture(scope="session")
def segmented(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A narrow DeepLabv3+ after twelve epochs of squares."""
    out = tmp_path_factory.mktemp("runs") / "segmented"
    return train(
        "deeplabv3plus", str(squares), epochs=12, batch_size=4, lr=0.005, settings=SEGMENTED, out=out, quiet=True
    )


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process; its exit code, standard output and standard error."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run_cli([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
