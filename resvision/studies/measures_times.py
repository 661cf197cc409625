"""Times of the nets of a study, measured by turns, so that whatever else the machine does meets all of them alike.

Nets run as they are built, in fp32 and not compiled, on the threads that the process has.

Glossary
    forward  the net's prediction for a batch, in evaluation mode, without gradients
    step     loss, gradients and momentum SGD for the same batch, in training mode; the rate is 0, so that every step is
             the same
    round    one forward and one step of every member, begun with another member each time
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from statistics import median
from time import perf_counter

import torch

from resvision.contracts import Batch, System
from resvision.studies.results import Findings
from resvision.studies.subject import Subject

WARM_UP = 2
"""The rounds that are not counted: the first ones wait for memory."""


def times(subjects: Sequence[Subject], rounds: int, images: int) -> list[Findings]:
    """Figures `forward_ms` and `step_ms` of each member: medians over the rounds, of a batch of so many images.

    Series: `rounds.forward_ms` and `rounds.step_ms`, the time in each round, (rounds,).
    """
    batch = subjects[0].batches("train", images, size=images)[0]
    pairs = [(predicting(system, batch), stepping(deepcopy(system), batch)) for system in (s.system for s in subjects)]
    forward_ms: list[list[float]] = [[] for _ in subjects]
    step_ms: list[list[float]] = [[] for _ in subjects]
    for turn in range(WARM_UP + rounds):
        for place in range(len(subjects)):
            member = (turn + place) % len(subjects)
            predict, step = pairs[member]
            taken = milliseconds(predict), milliseconds(step)
            if turn >= WARM_UP:
                forward_ms[member].append(taken[0])
                step_ms[member].append(taken[1])
    return [
        Findings(
            {"forward_ms": median(forward), "step_ms": median(step)},
            {"rounds.forward_ms": forward, "rounds.step_ms": step},
        )
        for forward, step in zip(forward_ms, step_ms, strict=True)
    ]


def predicting(system: System, batch: Batch) -> Callable[[], None]:
    """A function that predicts the batch."""
    system.eval()

    @torch.inference_mode()
    def predict() -> None:
        system.predict(batch.inputs)

    return predict


def stepping(system: System, batch: Batch) -> Callable[[], None]:
    """A function that takes a step of training on the batch."""
    system.train()
    optimizer = torch.optim.SGD(system.net.parameters(), lr=0.0, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        terms = system.losses(batch).terms.values()
        torch.stack([term.mean() for term in terms]).sum().backward()
        optimizer.step()

    return step


def milliseconds(work: Callable[[], None]) -> float:
    """The time that a piece of work takes, until the device has done it."""
    wait()
    begun = perf_counter()
    work()
    wait()
    return 1000 * (perf_counter() - begun)


def wait() -> None:
    """Wait for the work that an accelerator was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
