"""The lines before a training that name what would spoil it."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console
from support import scenes

from resvision.introduction import introduce
from resvision.preparation import prepare
from resvision.recipes import compose


def introduced(data: Path, **changes: Any) -> str:
    small = {
        "model.options.backbone": "resnet18",
        "model.options.width": 1,
        "model.options.channels": 4,
        "data.image_size": 32,
        "training.batch_size": 4,
    }
    small |= {"machine.threads": 1, "machine.workers": 0, "model.encoder_from": None}
    run = compose("pspnet", str(data), recipe_name="pspnet-2017", changes={**small, **changes})
    stream = io.StringIO()
    introduce(prepare(run), Console(file=stream, width=500), since=None)
    return stream.getvalue()


def test_statistics_that_a_short_training_leaves_near_their_first_values_are_named_with_the_remedy(
    tmp_path: Path,
) -> None:
    data = scenes(tmp_path / "data", images=8)
    said = introduced(data, **{"training.duration": "20 steps"})
    assert "statistics keep 36 % of their first values at the end, by a momentum of 0.05" in said
    assert "model.norm_momentum=0.1 follows faster" in said
    assert "statistics keep" not in introduced(data, **{"training.duration": "80 steps"})


def test_channels_of_equal_statistics_are_not_listed_one_by_one(tmp_path: Path) -> None:
    options = {"model.options.backbone": "resnet20", "model.options.width": 1, "training.batch_size": 4}
    changes = {"data.image_size": 8, "data.drawn_past": "channels", "data.start_seconds": 9.0, "machine.workers": 0}
    run = compose("motion_regression", "traffic-simulated", changes={**options, **changes})
    stream = io.StringIO()
    introduce(prepare(run), Console(file=stream, width=500), since=None)
    assert "mean 0.000 in each channel, std 1.000 in each channel" in stream.getvalue()
