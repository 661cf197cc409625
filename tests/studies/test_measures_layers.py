"""Measures of layers: decades between known norms, and the responses of the probe."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from resvision import catalog
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.probes.responses import layer_responses
from resvision.studies.measures_layers import gradients_kept, response_sizes


def subject(folder: Path, *lines: dict[str, Any]) -> Any:
    (folder / rundir.GRADIENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return SimpleNamespace(folder=folder)


def line(step: int, *norms: float | None) -> dict[str, Any]:
    return {"step": step, "norms": dict(zip(("conv1", "conv2", "fc"), norms, strict=True))}


def test_decades_are_those_of_the_first_layer_over_the_last(tmp_path: Path) -> None:
    found = gradients_kept(subject(tmp_path, line(1, 0.01, 1.0, 1.0), line(3, 1.0, 4.0, 0.1), line(5, 1.0, 1.0, 10.0)))
    assert found.figures == {"start": pytest.approx(-2.0), "trained": pytest.approx(0.0)}
    assert found.series["step"] == [1.0, 3.0, 5.0]
    assert found.series["ratios"] == pytest.approx([0.01, 10.0, 0.1])
    assert found.series["start_norms"] == pytest.approx([0.01, 1.0, 1.0])
    assert found.series["trained_norms"] == pytest.approx([1.0, 2.0, 1.0])


def test_a_gradient_that_is_no_number_is_left_out_and_one_of_nothing_counts(tmp_path: Path) -> None:
    found = gradients_kept(subject(tmp_path, line(1, 1.0, 1.0, 1.0), line(2, None, 1.0, 1.0), line(3, 0.0, 1.0, 1.0)))
    assert found.figures["trained"] == pytest.approx(-30.0)
    assert found.series["trained_norms"][1] == 1.0


def test_a_training_that_kept_no_gradients_is_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"keeps gradients of 0 steps.*training\.gradients_every"):
        gradients_kept(SimpleNamespace(folder=tmp_path))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="keeps gradients of 1 steps"):
        gradients_kept(subject(tmp_path, line(1, 1.0, 1.0, 1.0)))


def test_sizes_are_those_of_the_probe() -> None:
    torch.manual_seed(0)
    net, pictures = catalog.build("resnet20", num_classes=10, width=4), torch.randn(6, 3, 8, 8)

    def images(split: str, count: int) -> Tensor:
        assert split == "test"
        return pictures[:count]

    found = response_sizes(SimpleNamespace(net=net, images=images), images=5)  # type: ignore[arg-type]
    expected = [response.std for response in layer_responses(net, pictures[:5])]
    assert found.series["stds"] == pytest.approx(expected)
    assert found.series["ranked"] == sorted(found.series["stds"], reverse=True)
    assert found.figures["largest"] == max(found.series["stds"])
    assert found.figures["mean"] == pytest.approx(sum(expected) / 19)
