"""Run directories written by hand, and pages as a reader sees them."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from resvision.core import rundir
from resvision.kinds.classification.scores import ClassificationScores, score

EPOCHS, BATCH, TRAIN, TEST = 3, 10, 45, 30  # 4 steps an epoch
NASTY = '<b>&"$x$'


def settings(**changes: Any) -> dict[str, Any]:
    run: dict[str, Any] = {
        "recipe": "short",
        "model": {"name": "resnet20", "num_classes": 3, "options": {"width": 4}, "init_from": None},
        "data": {"name": "nowhere", "root": None, "channels": None, "image_size": None},
        "training": {"duration": f"{EPOCHS} epochs", "batch_size": BATCH, "seed": 0},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "machine": {"device": "cpu", "precision": "fp32"},
        "format": 1,
    }
    run["data"] |= {"classes": ["a", NASTY, "c"], "train_images": TRAIN, "test_images": TEST}
    for path, value in changes.items():
        group, key = path.split("__")
        run[group][key] = value
    return run


def lines(*, steps: int, error: float) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        figures = {"lr": 0.1, "loss": 2.0 * error + 1 / step, "error": error, "images": BATCH, "seconds": 0.5}
        made.append({"step": step, "epoch": (step - 1) // 4, **figures})
        if step % 4 == 0:
            scores = {"loss": 0.7, "top1_error": error + 0.5 / step, "top5_error": 0.0}
            made.append({"step": step, "epoch": (step - 1) // 4, "evaluation": scores})
    return made


def scores(*, wrong: int) -> ClassificationScores:
    targets = np.arange(TEST) % 3
    probabilities = np.full((TEST, 3), 0.1, np.float32)
    probabilities[np.arange(TEST), np.where(np.arange(TEST) < wrong, (targets + 1) % 3, targets)] = 0.8
    return score(probabilities, targets, classes=("a", NASTY, "c"), source=lambda i: f"nowhere/test[{i}]")


def write_run(folder: Path, *, steps: int = 12, wrong: int | None = 3, error: float = 0.1, **changes: Any) -> Path:
    folder.mkdir(parents=True)
    rundir.write_json(folder / rundir.RUN, settings(**changes))
    rundir.write_json(folder / rundir.ENVIRONMENT, {"torch": "2.10", "cpu": "one <i>fast</i> machine"})
    history = "".join(json.dumps(line) + "\n" for line in lines(steps=steps, error=error))
    (folder / rundir.HISTORY).write_text(history)
    if wrong is not None:
        rundir.write_json(folder / rundir.EVALUATION, scores(wrong=wrong).to_json())
    return folder


class Page(HTMLParser):
    """Every tag with its attributes, and the text that a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [value for _, attributes in self.tags for name, value in attributes.items() if name in names]
