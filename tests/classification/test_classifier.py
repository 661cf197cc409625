"""The loss of a classifier: mixed targets, class weights, both at once, with torch's own loss as the judge."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from support import TINY
from torch import Tensor, nn

from resvision.assembly import build_system
from resvision.classification.classifier import Classifier, ClassifierLoss, balanced_weights
from resvision.classification.task import TASK
from resvision.contracts import Batch, Images, MixedTargets, split, to_device
from resvision.core.errors import SettingsError
from resvision.core.views import Stretch
from resvision.data.arrays import ArrayReader
from resvision.launch import train
from resvision.preparation import resolve
from resvision.recipes import compose
from resvision.run import read_run
from resvision.training.gradients import LossModule, backward
from resvision.training.machine import Machine

DRAW = torch.Generator().manual_seed(0)
PIXELS = torch.randint(0, 256, (12, 1, 4, 4), dtype=torch.uint8, generator=DRAW)
FIRST, SECOND = torch.randint(0, 3, (2, 12), generator=DRAW)
SHARE = torch.rand(12, generator=DRAW)
WEIGHTS = "0.5,1,4"


def system(**options: object) -> Classifier:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    return Classifier(net, mean=[0.5], std=[0.25], options=ClassifierLoss(**options))


def batch(targets: Tensor | MixedTargets) -> Batch:
    return Batch(Images(PIXELS), targets, torch.arange(12))


def loss(made: Classifier, targets: Tensor | MixedTargets) -> Tensor:
    return made.losses(batch(targets)).terms["cross_entropy"].mean()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mixed_targets_are_torchs_loss_of_soft_targets(smoothing: float) -> None:
    made = system(label_smoothing=smoothing)
    soft = SHARE[:, None] * F.one_hot(FIRST, 3) + (1 - SHARE[:, None]) * F.one_hot(SECOND, 3)
    expected = F.cross_entropy(made.logits(Images(PIXELS)), soft, label_smoothing=smoothing)
    torch.testing.assert_close(loss(made, MixedTargets(FIRST, SECOND, SHARE)), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_whole_shares_are_the_loss_of_plain_targets(weights: str | None, smoothing: float) -> None:
    made = system(label_smoothing=smoothing, class_weights=weights)
    whole = SHARE.round()
    plain = torch.where(whole == 1, FIRST, SECOND)
    assert 0 < whole.sum() < 12
    torch.testing.assert_close(loss(made, MixedTargets(FIRST, SECOND, whole)), loss(made, plain))
    mixed, alone = (made.losses(batch(each)).metrics for each in (MixedTargets(FIRST, SECOND, whole), plain))
    assert mixed["error"].mean() == pytest.approx(alone["error"].mean().item())


def test_an_image_of_mixed_targets_counts_as_two_by_their_shares_and_weights() -> None:
    made = system(class_weights=WEIGHTS, label_smoothing=0.1)
    twice = F.cross_entropy(
        made.logits(Images(torch.cat([PIXELS, PIXELS, PIXELS]))),
        torch.cat([FIRST, FIRST, SECOND]),
        torch.tensor([0.5, 1, 4]),
        label_smoothing=0.1,
    )
    torch.testing.assert_close(loss(made, MixedTargets(FIRST, SECOND, torch.full((12,), 2 / 3))), twice)


def test_the_error_of_mixed_targets_is_weighted_by_share() -> None:
    made = system()
    pred = made.predict(Images(PIXELS)).argmax(dim=1)
    expected = (SHARE * (pred != FIRST) + (1 - SHARE) * (pred != SECOND)).mean()
    found = made.losses(batch(MixedTargets(FIRST, SECOND, SHARE))).metrics["error"].mean()
    assert not found.requires_grad
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("targets", [FIRST, MixedTargets(FIRST, SECOND, SHARE)], ids=["plain", "mixed"])
def test_the_loss_compiles_as_one_graph(targets: Tensor | MixedTargets, weights: str | None) -> None:
    made = system(class_weights=weights)
    compiled = torch.compile(LossModule(made), fullgraph=True, dynamic=False, backend="eager")
    terms, metrics = compiled(batch(targets))
    eager = made.losses(batch(targets))
    for compiled_term, term in ((terms, eager.terms), (metrics, eager.metrics)):
        torch.testing.assert_close(compiled_term, term, rtol=0, atol=0)


def test_mixed_targets_are_cut_moved_and_accumulated_like_others() -> None:
    whole = to_device(batch(MixedTargets(FIRST, SECOND, SHARE)), torch.device("cpu"))
    parts = split(whole, 3)
    assert all(isinstance(part.targets, MixedTargets) for part in [whole, *parts])
    assert torch.equal(torch.cat([part.targets.share for part in parts]), SHARE)
    assert torch.equal(torch.cat([part.targets.second for part in parts]), SECOND)
    machine = Machine(device="cpu", precision="fp32")
    made = system()
    found = [backward(LossModule(made), whole, system=made, machine=machine, accumulate=parts) for parts in (1, 4)]
    assert found[0] == pytest.approx(found[1])


def unbalanced() -> ArrayReader:
    rule = Stretch(channels=1, resize_px=4, crop_px=4, mean=(0.5,), std=(0.25,))
    targets = np.array([0] * 8 + [1] * 3 + [2])
    return ArrayReader(
        name="toy",
        split="train",
        classes=("a", "b", "c"),
        view=rule,
        images=PIXELS[:, 0].numpy(),
        targets=targets,
    )


def test_balanced_weights_of_an_unbalanced_set_give_torchs_loss() -> None:
    reader = unbalanced()
    text = TASK.settled_loss({"class_weights": "balanced"}, reader)["class_weights"]
    weights = compute_class_weight("balanced", classes=np.arange(3), y=reader.targets)
    assert [float(number) for number in text.split(",")] == pytest.approx(weights)
    made = system(class_weights=text)
    targets = torch.from_numpy(reader.targets)
    logits = made.logits(Images(PIXELS))
    expected = F.cross_entropy(logits, targets, torch.tensor(weights, dtype=torch.float32))
    torch.testing.assert_close(loss(made, targets), expected)
    per_class = [F.cross_entropy(logits[targets == k], targets[targets == k]) for k in range(3)]
    torch.testing.assert_close(loss(made, targets), torch.stack(per_class).mean())


def test_balanced_weights_of_a_class_without_images_are_refused() -> None:
    reader = unbalanced()
    reader.targets[-1] = 0
    with pytest.raises(SettingsError, match="class_weights: balanced, but toy has no training image of c"):
        TASK.settled_loss({"class_weights": "balanced"}, reader)


@pytest.mark.parametrize("wrong", ["", "none", "1,,2", "1,0,2", "1,-1,2", "1,nan,2", "1,inf,2", "balanced"])
def test_weights_that_are_no_numbers_above_0_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="class_weights must be `balanced`, `balanced-root` or a number above 0 for"):
        system(class_weights=wrong)


def test_weights_are_no_part_of_a_checkpoint() -> None:
    assert [*system(class_weights=balanced_weights([1, 2, 3])).state_dict()] == [*system().state_dict()]


def test_balanced_weights_are_written_into_the_run_and_found_again() -> None:
    asked = compose("plainmlp", "digits", settings=["loss.class_weights=balanced"])
    run = resolve(asked)
    assert len(str(run.loss["class_weights"]).split(",")) == 10
    assert resolve(run) == run == resolve(asked)
    assert build_system(run).class_weights.shape == (10,)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["loss.class_weights=1,2,3"], r"loss\.class_weights: '1,2,3'; give a number for each of 10 classes"),
        (["loss.class_weights=even"], "class_weights must be `balanced`"),
        (["loss.class_weights=3"], r"loss\.class_weights: expected text"),
    ],
)
def test_weights_that_do_not_fit_are_told_before_anything_is_written(settings: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        resolve(compose("plainmlp", "digits", settings=settings))


@pytest.mark.parametrize("kind", ["mixup_alpha", "cutmix_alpha"])
def test_a_system_that_does_not_take_mixed_targets_says_so(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classifier, "takes_mixed_targets", False)
    with pytest.raises(SettingsError, match="plainmlp does not take images made of two; leave out mixup_alpha"):
        resolve(compose("plainmlp", "digits", settings=[f"augment.{kind}=0.2"]))


def test_a_run_with_everything_on_trains_and_reads_back(tmp_path) -> None:
    everything = {
        **TINY,
        "augment.policy": "trivial-augment",
        "augment.erase": 0.25,
        "augment.mixup_alpha": 0.2,
        "augment.cutmix_alpha": 1.0,
        "loss.class_weights": "balanced",
        "training.accumulate": 2,
        "training.duration": "6 steps",
    }
    run = compose("resnet20", "digits", changes=everything)
    assert resolve(run).machine.workers > 0  # a policy is slow
    done = train("resnet20", "digits", settings={**everything, "machine.workers": 0}, out=tmp_path / "r", quiet=True)
    assert read_run(done.folder) == done.run
    assert done.run.augment == run.augment
