"""What tests share besides fixtures: settings of tiny runs, and a folder of images with label maps."""

from pathlib import Path

import numpy as np
from PIL import Image

TINY = {"model.options.width": 4, "data.image_size": 16, "machine.precision": "fp32", "machine.threads": 1}

SEGMENTED = {"model.options.backbone": "resnet18", "model.options.width": 4, "data.image_size": 32}
SEGMENTED |= {"training.clip_norm": 1.0}  # without it so few steps of so small a net learn for some seeds only
PLAIN = {"machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0}
SEGMENTED |= PLAIN


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
