"""What every test may lean on: a run that was trained once, small enough to be trained in seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from support import PLAIN, SEGMENTED, TINY, scenes

from resvision.cli.main import run as run_cli
from resvision.launch import Finished, train

settings.register_profile("resvision", deadline=None)  # a busy machine is no failure
settings.load_profile("resvision")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Nets this small are faster on one core, many times so when the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _same_start() -> None:
    """Every test finds torch in the same state, alone and after others: its draws, and how it computes."""
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(False)  # a run may have asked for them, and then new tensors are filled


@pytest.fixture
def float64() -> Iterator[None]:
    """Nets compute in float64, where two ways to one result agree on every CPU to less than any mistake."""
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A narrow ResNet-20 after three epochs of digits."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return train("resnet20", "digits", epochs=3, settings=TINY, out=out, quiet=True)


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


@pytest.fixture(scope="session")
def detected(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A narrow SSD after an epoch of digits in boxes."""
    settings = {"model.options.backbone": "resnet20", "model.options.width": 4, "data.image_size": 32, **PLAIN}
    out = tmp_path_factory.mktemp("runs") / "detected"
    return train("ssd", "digit-boxes-composed", epochs=1, settings=settings, out=out, quiet=True)


@pytest.fixture(scope="session")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A narrow MTP after an epoch of simulated traffic."""
    settings = {
        "model.options.backbone": "resnet20",
        "model.options.width": 4,
        "model.options.hidden": 16,
        "data.image_size": 32,
        "data.start_seconds": 5.0,
        **PLAIN,
    }
    out = tmp_path_factory.mktemp("runs") / "forecast"
    return train("mtp", "traffic-simulated", epochs=1, settings=settings, out=out, quiet=True)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process; its exit code, standard output and standard error."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run_cli([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
