"""Measures of the studies of the block, on nets and histories whose answers are in sight."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images
from resvision.data.digits import VIEW
from resvision.studies import measures_times
from resvision.studies.measures_counts import counts
from resvision.studies.measures_fits import fits
from resvision.studies.measures_starts import starts
from resvision.studies.measures_times import WARM_UP, times
from resvision.tasks import task_of


class Clock:
    """A clock that moves when a net says so, in place of that of the machine, where other work is."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class Slow(nn.Module):
    """A net that looks at the mean colour, which takes so many seconds, and twice as many the first times."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.calls = seconds, 0
        self.norm, self.fc = nn.BatchNorm2d(1), nn.Linear(1, 3)

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        CLOCK.now += self.seconds * (2 if self.calls <= WARM_UP + 1 else 1)
        return self.fc(self.norm(images).mean((2, 3)))


def batch_of(classes: list[int], seed: int = 0) -> Batch:
    pixels = torch.randint(0, 256, (len(classes), 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    return Batch(Images(pixels.to(torch.uint8)), torch.tensor(classes), torch.arange(len(classes)))


def subject_of(net: nn.Module, **batches: Batch) -> Any:
    """The parts of a Subject that measures ask for, of a net that was never trained."""
    system = Classifier(net, mean=[0.5], std=[0.25]).eval()
    return SimpleNamespace(net=net, system=system, batches=lambda split, images, size=64: [batches[split]])


def test_a_time_is_the_least_of_all_rounds_and_nets_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures_times, "perf_counter", CLOCK)
    subjects = [subject_of(Slow(seconds), train=batch_of([0, 1, 2, 0])) for seconds in (0.25, 0.5)]
    before = [{key: value.clone() for key, value in s.net.state_dict().items()} for s in subjects]
    fast, slow = times(subjects, rounds=3, images=4)
    for name in ("forward_ms", "step_ms"):
        assert (fast.figures[name], slow.figures[name]) == (250, 500)
        assert slow.series[f"rounds.{name}"] == [1000, 500, 500]
    for subject, state in zip(subjects, before, strict=True):
        assert subject.net.calls == WARM_UP + 3  # steps are taken by a copy
        assert all(torch.equal(value, state[key]) for key, value in subject.net.state_dict().items())


def test_gaps_are_test_minus_training_and_none_on_the_same_images() -> None:
    torch.manual_seed(0)
    net, own, others = Slow(0.0), batch_of([0, 1, 2, 0, 1]), batch_of([2, 2, 1], seed=1)
    apart = fits(subject_of(net, train=own, test=others), images=5).figures
    swapped = fits(subject_of(net, train=others, test=own), images=5).figures
    same = fits(subject_of(net, train=own, test=own), images=5).figures
    assert apart["loss_gap"] == pytest.approx(apart["test_loss"] - apart["train_loss"])
    assert apart["loss_gap"] == pytest.approx(-swapped["loss_gap"]) != 0
    assert apart["error_gap"] == pytest.approx(-swapped["error_gap"])
    assert same["loss_gap"] == same["error_gap"] == 0


def history_of(losses: list[float]) -> Any:
    steps = SimpleNamespace(metrics={"loss": np.array(losses)})
    return SimpleNamespace(outcome=SimpleNamespace(record=SimpleNamespace(steps=steps)))


def test_the_start_of_a_training_is_the_mean_of_its_first_steps() -> None:
    start = starts(history_of([8.0, 6.0, 4.0, 2.0, 0.0, 100.0]), steps=5, together=2)
    assert start.figures == {"loss": 4.0, "first_loss": 8.0}
    assert start.series == {"step": [1.0, 3.0], "train_loss": [7.0, 3.0]}
    assert starts(history_of([8.0, 6.0]), steps=100, together=2).figures["loss"] == 7.0


@pytest.mark.parametrize("side", [6, 8])
def test_a_net_is_counted_at_the_size_that_the_run_shows_it(side: int) -> None:
    run = SimpleNamespace(data=SimpleNamespace(view=VIEW.sized(side), image_size=side))
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * side**2, 3))
    trained = SimpleNamespace(run=run, task=task_of("classification"))
    counted = counts(SimpleNamespace(net=net, trained=trained)).figures
    pixels = side**2
    assert counted == {"params": 20 + 6 * pixels + 3, "macs": 18 * pixels + 6 * pixels, "depth": 2}
