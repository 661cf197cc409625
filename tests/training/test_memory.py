"""A step that memory does not suffice for is one line, with the images at a time that fit."""

from pathlib import Path

import pytest
from torch import Tensor, nn

import resvision
from resvision.core.errors import SettingsError

CPU = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 2147483648 bytes.\nat 9"
CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB"


class Greedy(nn.Module):
    """A linear layer that has memory for so many images at a time."""

    def __init__(self, *, num_classes: int = 10, room: int = 8, error: str = CPU) -> None:
        super().__init__()
        self.room, self.error = room, error
        self.linear = nn.Linear(64, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.room and self.training:
            raise RuntimeError(self.error)
        logits: Tensor = self.linear(images.flatten(1)[:, :64])
        return logits


@pytest.mark.parametrize("error", [CPU, CUDA])
@pytest.mark.parametrize(
    ("room", "batch", "remedy"),
    [
        (8, 32, r"with 32 images at a time \(.*\); 8 at a time fit: --set training\.accumulate=4, or --batch-size 8$"),
        (1, 6, r"with 6 images at a time .*; 1 at a time fit: --set training\.accumulate=6, or --batch-size 1$"),
        (0, 4, r"with 4 images at a time .*; set a smaller --batch-size"),
    ],
)
def test_the_images_at_a_time_that_fit_are_named(
    room: int, batch: int, remedy: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Greedy.__init__, "__kwdefaults__", {"num_classes": 10, "room": room, "error": error})
    with pytest.raises(SettingsError, match=remedy):
        resvision.train(
            f"{__name__}:Greedy", "digits", epochs=1, batch_size=batch, out=tmp_path / "run", quiet=True, device="cpu"
        )
