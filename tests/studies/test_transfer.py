"""Transfer: twins of equal parameters, and a pre-training of the very backbone that the heads stand on."""

from dataclasses import replace

import pytest
import torch

from resvision import catalog
from resvision.kinds.table import kind_of
from resvision.studies.experiment import Asked, plan
from resvision.studies.results import Member, Results
from resvision.studies.transfer import DESIGN
from resvision.studies.trials import Trial
from resvision.training_graph import RunPhase


def trials(*settings: str, quick: bool = True) -> list[Trial]:
    return plan(DESIGN, Asked(DESIGN.data, 1, quick=quick, settings=settings))


def runs_of(trial: Trial) -> list[RunPhase]:
    return [phase for phase in trial.phases if isinstance(phase, RunPhase)]


@pytest.mark.parametrize("quick", [False, True])
def test_nets_of_a_task_have_equal_parameters(quick: bool) -> None:
    counts: dict[str, set[int]] = {}
    for trial in trials(quick=quick):
        with torch.device("meta"):
            net = catalog.build(trial.run.model.name, num_classes=11, **trial.run.model.options)
        counts.setdefault(trial.run.model.name, set()).add(sum(weight.numel() for weight in net.parameters()))
    assert [len(count) for count in counts.values()] == [1, 1]


@pytest.mark.parametrize("quick", [False, True])
def test_what_is_trained_before_is_the_backbone_of_the_heads(quick: bool) -> None:
    pretrained = [trial for trial in trials(quick=quick) if trial.phases]
    assert len(pretrained) == len(DESIGN.conditions) / 2
    for trial in pretrained:
        before, heads = runs_of(trial)
        assert heads.encoder_from == before.name
        assert heads.run == trial.run
        assert before.run.model.name == heads.run.model.options["backbone"]
        assert before.run.model.options["width"] == heads.run.model.options["width"]


def test_settings_are_about_the_heads_but_for_the_net_and_the_machine_of_both() -> None:
    asked = ("model.options.width=4", "machine.threads=1", "training.duration=2 steps", "classifier.optimizer.lr=0.3")
    before, heads = runs_of(next(trial for trial in trials(*asked) if trial.phases))
    assert [phase.run.model.options["width"] for phase in (before, heads)] == [4, 4]
    assert [phase.run.machine.threads for phase in (before, heads)] == [1, 1]
    assert (heads.run.training.duration, before.run.training.duration) == ("2 steps", "4 epochs")
    assert before.run.optimizer.lr == 0.3
    assert heads.run.optimizer.lr != 0.3


def test_claims_compare_conditions_of_one_task() -> None:
    tasks = {condition.name: condition.data for condition in DESIGN.conditions}
    for claim in DESIGN.claims:
        named = [name for value in claim[1:] for name in (value.condition, value.above or value.condition)]  # type: ignore[union-attr]
        assert len({tasks[name] for name in named}) == 1


def test_results_of_several_tasks_are_told_apart() -> None:
    members = [
        Member(condition=f"{task}-{name}", seed=0, folder=name, task=task, data=data, figures={"tested": 0.5})
        for task, data in (("segmentation", "scenes"), ("detection", "boxes"))
        for name in ("a", "b")
    ]
    results = Results(
        format=1, study="x", data="scenes", task="segmentation", quick=False, date="", machine="", settings={},
        members=tuple(members),
    )  # fmt: skip
    parts = results.by_task()
    assert [(part.task, part.data, part.conditions) for part in parts] == [
        ("segmentation", "scenes", ["segmentation-a", "segmentation-b"]),
        ("detection", "boxes", ["detection-a", "detection-b"]),
    ]
    assert [part.kind for part in parts] == [kind_of("segmentation"), kind_of("detection")]
    alike = replace(results, members=tuple(replace(member, task="", data="") for member in members))
    assert alike.by_task() == [alike]
