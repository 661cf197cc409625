import io

import pytest
from rich.console import Console

from resvision.kinds.table import kind_of
from resvision.training.progress import Part, ProgressBar, fitting

STEP = {"step": 4, "epoch": 0, "lr": 0.1, "loss": 1.2345, "error": 0.5, "fde": 3.5, "images": 64, "seconds": 0.5}
FIGURES = {
    "classification": {"loss": 0.4321, "top1_error": 0.125, "top5_error": 0.0},
    "segmentation": {"loss": 0.4321, "mean_iou": 0.2195, "pixel_accuracy": 0.75},
    "motion": {"min_fde_1": 2.5, "nll": 12.25},
}


def line_of(task: str, *, classes: int, width: int | None = None) -> str:
    console = Console(file=io.StringIO(), force_terminal=width is not None, width=width, color_system=None)
    bar = ProgressBar(console, steps=8, first_step=0, steps_per_epoch=4, kind=kind_of(task), classes=classes)
    bar.show(STEP)
    bar.show({"step": 4, "epoch": 0, "split": "test", "evaluation": FIGURES[task]})
    return [line for line in console.file.getvalue().splitlines() if "epoch 1/2" in line][-1]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("classes", "told"), [(2, False), (5, False), (6, True)])
def test_a_top5_error_that_cannot_be_but_zero_is_left_out(classes: int, told: bool) -> None:
    line = line_of("classification", classes=classes)
    assert ("test top-5 error 0.00%" in line) == told
    assert "test top-1 error 12.50%" in line


def test_figures_have_the_names_and_forms_of_the_result() -> None:
    line = line_of("segmentation", classes=11)
    assert "train pixel error 50.00%" in line
    assert "test mean IoU 21.95%  test pixel accuracy 75.00%" in line
    assert "_" not in line


def test_distances_are_told_in_metres_and_the_rate_in_windows() -> None:
    line = line_of("motion", classes=0)
    assert "train FDE 3.50 m" in line
    assert "test FDE 2.50 m" in line
    assert "test NLL 12.2500" in line
    assert "128 windows/s" in line


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_on_a_terminal_the_line_of_an_epoch_is_one_line_with_the_main_figure(width: int) -> None:
    line = line_of("segmentation", classes=11, width=width).rsplit("\r", 1)[-1].replace("\x1b[2K", "")
    assert len(line) <= width
    assert "mean IoU 21.95%" in line


def test_the_least_important_parts_of_a_line_are_left_out_first() -> None:
    parts = [Part(0, "epoch 1/2"), Part(2, "loss 1"), Part(3, "error 2"), Part(3, "accuracy 3")]
    assert fitting(parts, None) == "epoch 1/2  loss 1  error 2  accuracy 3"
    assert fitting(parts, 30) == "epoch 1/2  loss 1  error 2"
    assert fitting(parts, 5) == "epoch 1/2"
