"""What every test may lean on: a run that was trained once, small enough to be trained in seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

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


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process; its exit code, standard output and standard error."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run_cli([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
